// Packed sequences in C++: three of different lengths behind one another, one plan for all: which kernel each class of them gets, and a
// Watch that sees how far the run is.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <heed/heed.hpp>
#include <vector>

int main() {
  // New queries on what each sequence has seen: a prompt of 900, one token on 700 keys, one token on 3,000.
  const std::vector<std::int64_t> query_offsets{0, 900, 901, 902}, key_offsets{0, 900, 1600, 4600};
  std::vector<float> q(902 * 4 * 64), k(4600 * 2 * 64), v(k), o(q);
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = std::sin(float(i));
  for (std::size_t i = 0; i < k.size(); ++i) k[i] = std::cos(3 * float(i)), v[i] = float(i / (2 * 64));  // v: which row of all
  const heed::Inputs in{heed::view(q.data(), {902, 4, 64}), heed::view(k.data(), {4600, 2, 64}), heed::view(v.data(), {4600, 2, 64})};
  heed::Problem problem = heed::problem_of(in.q, in.k, in.v, query_offsets, key_offsets);  // [T_total, H, D]
  problem.mask = heed::causal();
  problem.align = heed::Align::end();  // the last query of each stands at its last key
  const heed::Plan plan(problem);
  std::printf("%s", plan.explain().c_str());  // a line `kernel` for each class of sequences: few queries, many

  std::atomic<bool> cancel{false};  // set by whoever wants the run to end: then it throws heed::Cancelled within a block of keys
  double done = 0;                  // grows from 0 to 1, told by whichever thread has just finished a block
  plan.run(in, {.o = heed::span(o.data(), in.q.shape)}, {.cancel = &cancel, .progress = [&](double share) { done = share; }});
  std::printf("done %.0f %%; the last token of the third sequence looks at row %.2f on average\n", 100 * done, o[901 * 4 * 64]);
}
