// Tally: row statistics of a softmax over the visible keys, from the same pass.
//
//   n = count,  m = max s,  p = exp(s - m),  l = sum p,  e = sum p (s - m),  l2 = sum p^2
//   entropy = log l - e / l  (nats),   effective number of keys = l^2 / l2   (participation ratio)
//
// A monoid like the softmax state: merging moves both sides to the common maximum. Cost: one more exp per score.
// Numerics: float32 sums (double of f64 tensors); entropy is a difference of two numbers near log n, so its absolute error is that of log
// l. Source: entropy H = L - sum p z; participation ratio as in physics. Checked: tally_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace heed::state {

/// F: float, or double of f64 tensors.
template <class F>
struct TallyOf {
  F m = -std::numeric_limits<F>::infinity();
  F l = 0, e = 0, l2 = 0;
  std::int64_t n = 0;

  [[nodiscard]] TallyOf moved_to(F top) const {
    if (n == 0) return {.m = top};
    if (m == top) return *this;
    const F r = std::exp(m - top), step = r == 0 ? F{0} : m - top;  // 0 * -inf is not meant
    return {.m = top, .l = r * l, .e = r * (e + step * l), .l2 = r * r * l2, .n = n};
  }

  [[nodiscard]] static TallyOf merged(const TallyOf& a, const TallyOf& b) {
    if (b.n == 0) return a;
    const F top = std::max(a.m, b.m);
    const TallyOf x = a.moved_to(top), y = b.moved_to(top);
    return {.m = top, .l = x.l + y.l, .e = x.e + y.e, .l2 = x.l2 + y.l2, .n = x.n + y.n};
  }

  /// NaN when a score was NaN or +inf.
  [[nodiscard]] F maximum() const { return std::isnan(l) ? l : m; }
  [[nodiscard]] F entropy() const { return n == 0 ? F{0} : std::isnan(l) ? l : std::max(F{0}, std::log(l) - e / l); }
  [[nodiscard]] F effective() const { return n == 0 ? F{0} : l * l / l2; }
};
using Tally = TallyOf<float>;

}  // namespace heed::state
