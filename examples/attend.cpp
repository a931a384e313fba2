// Attention in C++: two heads over 1,000 tokens, a causal window with ALiBi; and how much the last token looks at itself.
#include <cmath>
#include <cstdio>
#include <heed/heed.hpp>
#include <vector>
using heed::view, heed::span;

int main() {
  std::vector<float> q(2 * 1000 * 64), k(q), v(q), o(q), lse(2 * 1000), weights(2 * 1000);
  for (std::size_t i = 0; i < q.size(); ++i)
    q[i] = std::sin(float(i)), k[i] = std::cos(3 * float(i)), v[i] = float(i / 64 % 1000);  // v: where the key stands
  const heed::Inputs in{view(q.data(), {1, 2, 1000, 64}), view(k.data(), {1, 2, 1000, 64}), view(v.data(), {1, 2, 1000, 64})};
  heed::Problem problem = heed::problem_of(in.q, in.k, in.v);  // [B, H, T, D]
  problem.mask = heed::causal() & heed::window(256);
  problem.scores = {heed::alibi(2)};
  const heed::Plan plan(problem);
  plan.run(in, {.o = span(o.data(), in.q.shape), .lse = span(lse.data(), {1, 2, 1000})});
  census(plan, in.q, in.k, view(lse.data(), {1, 2, 1000}), {.rows = {999}, .weights = span(weights.data(), {1, 2, 1, 1000})});
  std::printf("%sthe last token looks at position %.2f on average, at itself with weight %.4f\n", plan.explain().c_str(), o[999 * 64],
              weights[999]);
}
