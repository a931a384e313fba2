// Cost: how long a run should take, from the rate of this machine, measured at each call for some milliseconds.
//
// The rate is that of the kernel's own words on tiles in cache (scores, absorb, mix), so it holds the machine, its instruction set and
// the kernel. Formulas and the widening of 16-bit inputs are not counted. An estimate, and called one: it decides nothing.
#include <algorithm>
#include <chrono>
#include <vector>

#include "kernel/table.hpp"
#include "kernel/words.hpp"
#include "plan/body.hpp"

namespace heed::plan {
namespace {

using Clock = std::chrono::steady_clock;

/// Seconds of the fastest of several calls.
template <class Function>
double best_of(int times, const Function& function) {
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    const auto start = Clock::now();
    function();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

/// Seconds that one visited tile takes with these words at these dimensions.
double seconds_per_tile(const kernel::Words& words, int dim, int value_dim) {
  constexpr int kTile = formula::kTile;
  const auto square = static_cast<std::size_t>(kTile) * kTile;
  std::vector<float> qt(static_cast<std::size_t>(dim * kTile), 0.01f), k(qt), v(static_cast<std::size_t>(value_dim * kTile), 0.01f), o(v),
      s(square);
  std::vector<float> m(kTile, 0.0f), l(kTile, 0.0f), rescale(kTile, 1.0f);
  return best_of(16, [&] {
    words.scores(qt.data(), k.data(), dim, dim, kTile, kTile, s.data());
    words.absorb(s.data(), kTile, kTile, {m.data(), l.data(), o.data()}, rescale.data());
    words.mix(s.data(), v.data(), value_dim, value_dim, kTile, kTile, rescale.data(), o.data());
  });
}

}  // namespace

double expected_seconds(const Body& body) {
  const kernel::Words& words = kernel::best_words();
  const TileCounts& counts = body.tiles.counts();
  const double visited = static_cast<double>(body.kernel->fused ? counts.partial + counts.full : counts.total());
  if (visited == 0 || body.kernel_name == "reference") return 0;
  const double tile = seconds_per_tile(words, static_cast<int>(body.problem.dim), static_cast<int>(body.problem.value_dim));
  const double threads = std::min<double>(
      body.threads, static_cast<double>(std::max<std::int64_t>(1, body.layout.batch * body.layout.heads * body.layout.query_tiles())));
  return visited * tile / threads;
}

}  // namespace heed::plan
