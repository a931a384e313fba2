// Packed sequences against each by itself: what a batch of decode steps beside prefills costs, in one call and as many calls as sequences.
//
//   packed [--threads N] [--rounds N]        per case: seconds together, the sum of seconds alone, their ratio, the kernels
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <heed/heed.hpp>

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

heed::Tensor numbers(const heed::Dims& shape, heed::DType dtype) {
  heed::Tensor tensor(dtype, shape);
  std::minstd_rand random(1);
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, static_cast<double>(random() % 2001) / 1000 - 1);
  return tensor;
}

struct Sequence {
  std::int64_t queries, keys;
};

/// Rows [first, first + count) of a packed tensor, as the [1, H, count, D] that a dense plan takes.
heed::TensorView alone(const heed::TensorView& packed, std::int64_t first, std::int64_t count) {
  const heed::Dims& s = packed.strides;
  return {static_cast<const std::byte*>(packed.data) + first * s[0] * size_of(packed.dtype),
          packed.dtype,
          {1, packed.shape[1], count, packed.shape[2]},
          {0, s[1], s[0], s[2]}};
}

void measure(const std::string& name, const std::vector<Sequence>& sequences, heed::DType dtype, int threads, int rounds) {
  constexpr std::int64_t kHeads = 8, kKeyHeads = 2, kDim = 64;
  std::vector<std::int64_t> query_offsets{0}, key_offsets{0};
  for (const Sequence& sequence : sequences) {
    query_offsets.push_back(query_offsets.back() + sequence.queries);
    key_offsets.push_back(key_offsets.back() + sequence.keys);
  }
  const heed::Tensor q = numbers({query_offsets.back(), kHeads, kDim}, dtype), k = numbers({key_offsets.back(), kKeyHeads, kDim}, dtype),
                     v = numbers({key_offsets.back(), kKeyHeads, kDim}, dtype);
  heed::Tensor o(dtype, {query_offsets.back(), kHeads, kDim});
  heed::Problem problem = problem_of(q.view(), k.view(), v.view(), query_offsets, key_offsets);
  problem.mask = heed::causal();
  problem.align = heed::Align::end();
  problem.threads = threads;
  const heed::Plan plan(problem);
  std::vector<heed::Plan> plans;
  for (const Sequence& sequence : sequences) {
    heed::Problem one = problem;
    one.query_offsets.clear();
    one.key_offsets.clear();
    one.batch = 1;
    one.queries = sequence.queries;
    one.keys = sequence.keys;
    plans.emplace_back(one);
  }
  double together = 1e9, apart = 1e9;
  for (int round = 0; round < rounds; ++round) {
    double begin = now();
    plan.run({q.view(), k.view(), v.view()}, {.o = o.span()});
    together = std::min(together, now() - begin);
    begin = now();
    for (std::size_t b = 0; b < plans.size(); ++b) {
      const heed::TensorView to = alone(o.view(), query_offsets[b], sequences[b].queries);
      plans[b].run({alone(q.view(), query_offsets[b], sequences[b].queries), alone(k.view(), key_offsets[b], sequences[b].keys),
                    alone(v.view(), key_offsets[b], sequences[b].keys)},
                   {.o = {const_cast<void*>(to.data), to.dtype, to.shape, to.strides}});
    }
    apart = std::min(apart, now() - begin);
  }
  std::string kernels = plan.kernel();
  std::printf("%-34s %-5s together %8.3f ms, alone %8.3f ms, ratio %.3f  (%s)\n", name.c_str(), std::string(name_of(dtype)).c_str(),
              together * 1e3, apart * 1e3, together / apart, kernels.c_str());
}

}  // namespace

int main(int count, char** arguments) {
  int threads = 1, rounds = 9;
  for (int i = 1; i + 1 < count; i += 2) {
    if (std::strcmp(arguments[i], "--threads") == 0) threads = std::atoi(arguments[i + 1]);
    if (std::strcmp(arguments[i], "--rounds") == 0) rounds = std::atoi(arguments[i + 1]);
  }
  std::vector<Sequence> decode(32, {1, 4096}), beside{{1024, 1024}, {700, 700}}, even(8, {512, 512}), mixed;
  beside.insert(beside.end(), decode.begin(), decode.end());
  for (std::int64_t n = 0; n < 40; ++n) mixed.push_back({1 + n * 37 % 300, 1 + n * 37 % 300});
  for (const heed::DType dtype : {heed::DType::kF32, heed::DType::kBF16}) {
    measure("32 decode steps on 4,096 keys", decode, dtype, threads, rounds);
    measure("the same beside 2 prefills", beside, dtype, threads, rounds);
    measure("8 of 512", even, dtype, threads, rounds);
    measure("40 of 1 to 300", mixed, dtype, threads, rounds);
  }
  return 0;
}
