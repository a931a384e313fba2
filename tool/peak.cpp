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

/// Twelve chains: latency 4 times two units, and some to spare, within sixteen registers. Returns the flops done.
double MultiplyAdd(long rounds, float* sink) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, sink[0]), term = hn::Set(d, sink[1]);
  auto a = hn::Set(d, 1.0f), b = a, c = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, m = a;
  for (long round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, factor, term);
    b = hn::MulAdd(b, factor, term);
    c = hn::MulAdd(c, factor, term);
    e = hn::MulAdd(e, factor, term);
    f = hn::MulAdd(f, factor, term);
    g = hn::MulAdd(g, factor, term);
    h = hn::MulAdd(h, factor, term);
    i = hn::MulAdd(i, factor, term);
    j = hn::MulAdd(j, factor, term);
    k = hn::MulAdd(k, factor, term);
    l = hn::MulAdd(l, factor, term);
    m = hn::MulAdd(m, factor, term);
  }
  const auto all =
      hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(hn::Add(f, g), hn::Add(h, i)), hn::Add(hn::Add(j, k), hn::Add(l, m))));
  sink[2] = hn::GetLane(hn::SumOfLanes(d, all));
  return 2.0 * 12.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
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
    float values[3] = {0.5f, 0.5f, 0.0f};  // factor and term keep every chain at 1
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
