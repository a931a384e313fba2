// Norm: what makes weights of the scores of a row, P = exp(s - base) share, for whoever recomputes P from Q and K.
//
// base is the row's largest score (or its sink), share = 1 / sum of exp(s - base), rounded once from double: the weights of a row then sum
// to 1 within 2^-22 max(1, |L|), whatever |L|, if the norm was made of the very scores that are weighed. (L, rounded to f32, would miss
// that by 2^-24 |L| more, and an L from elsewhere by as much as another arithmetic rounds those scores otherwise.)
// Checked: norm_test.cpp; laws/census_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "state/tally.hpp"

namespace heed::state {

/// base is -inf for a row without keys, NaN for one that holds a NaN or +inf; share is 0 where the norm is not known.
struct Norm {
  float base = -std::numeric_limits<float>::infinity(), share = 1;

  [[nodiscard]] static Norm unknown() { return {.base = 0, .share = 0}; }
  [[nodiscard]] bool known() const { return share != 0; }

  /// Of the scores that were tallied, and a sink (-inf: none).
  [[nodiscard]] static Norm of(const Tally& tally, float sink) {
    if (std::isnan(tally.l)) return {.base = std::numeric_limits<float>::quiet_NaN(), .share = 1};
    const float base = tally.n == 0 ? sink : std::max(tally.m, sink);
    if (base == -std::numeric_limits<float>::infinity()) return {};
    const auto moved = [&](float m, double l) {
      return m == base ? l : l * std::exp(static_cast<double>(m) - static_cast<double>(base));  // 0 for m = -inf
    };
    return {.base = base, .share = static_cast<float>(1 / (moved(tally.m, tally.l) + moved(sink, 1)))};
  }
};

}  // namespace heed::state
