#include "peak.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/threads.hpp"
#include "kernel/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "peak.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heed::tool::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kChains = 12;  // latency 4 times two units, and some to spare, within sixteen registers

/// Chains of multiply-adds in registers. Each starts from a number of its own, or the compiler would compute one for all. Returns the
/// flops done.
double MultiplyAdd(long rounds, float* numbers) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, numbers[0]), term = hn::Set(d, numbers[1]);
  hn::Vec<decltype(d)> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = hn::Set(d, numbers[2 + i]);
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = hn::MulAdd(chain[i], factor, term);
  }
  auto all = chain[0];
  for (int i = 1; i < kChains; ++i) all = hn::Add(all, chain[i]);
  numbers[2] = hn::GetLane(hn::SumOfLanes(d, all));
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

}  // namespace heed::tool::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::tool {
HWY_EXPORT(MultiplyAdd);

double peak_gflops(int threads) {
  constexpr long kRounds = 4'000'000;
  constexpr int kTries = 5;
  const int workers = threads > 0 ? threads : base::available_threads();
  struct alignas(128) Sink {
    float values[14] = {0.5f, 0.5f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // factor and term draw every chain towards 1
  };
  std::vector<Sink> sinks(static_cast<std::size_t>(workers));
  double best = 0;
  for (int tried = 0; tried < kTries; ++tried) {
    std::vector<double> flops(sinks.size());
    const auto start = std::chrono::steady_clock::now();
    base::parallel(workers, workers, [&](int, std::int64_t index) {
      const auto at = static_cast<std::size_t>(index);
      flops[at] = HWY_DYNAMIC_DISPATCH(MultiplyAdd)(kRounds, sinks[at].values);
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double sum = 0;
    for (const double part : flops) sum += part;
    best = std::max(best, sum / seconds / 1e9);
  }
  return best;
}

}  // namespace heed::tool
#endif
