// Tally: row statistics of a softmax over the visible keys, from the same pass.
//
//   n = count,  m = max s,  p = exp(s - m),  l = sum p,  e = sum p (s - m),  l2 = sum p^2
//   entropy = log l - e / l  (nats),   effective number of keys = l^2 / l2   (participation ratio)
//
// A monoid like the softmax state: merging moves both sides to the common maximum. Cost: one more exp per score.
// Numerics: l in double, so that it normalises weights (norm.hpp), the others float32 (double of f64 tensors); entropy is a difference of
// two numbers near log n, so its absolute error is that of log l. Source: entropy H = L - sum p z; participation ratio as in physics.
// Checked: tally_test.cpp.
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
  double l = 0;
  F e = 0, l2 = 0;
  std::int64_t n = 0;

  [[nodiscard]] TallyOf moved_to(F top) const {
    if (n == 0) return {.m = top};
    if (m == top) return *this;
    const double exact = std::exp(static_cast<double>(m) - static_cast<double>(top));
    const F r = static_cast<F>(exact), step = r == 0 ? F{0} : m - top;  // 0 * -inf is not meant
    return {.m = top, .l = exact * l, .e = r * (e + step * static_cast<F>(l)), .l2 = r * r * l2, .n = n};
  }

  [[nodiscard]] static TallyOf merged(const TallyOf& a, const TallyOf& b) {
    if (b.n == 0) return a;
    if (a.n == 0) return b;
    const F top = std::max(a.m, b.m);
    const TallyOf x = a.moved_to(top), y = b.moved_to(top);
    return {.m = top, .l = x.l + y.l, .e = x.e + y.e, .l2 = x.l2 + y.l2, .n = x.n + y.n};
  }

  /// NaN when a score was NaN or +inf.
  [[nodiscard]] F maximum() const { return std::isnan(l) ? std::numeric_limits<F>::quiet_NaN() : m; }
  [[nodiscard]] F entropy() const {
    if (n == 0) return 0;
    const double entropy = std::log(l) - static_cast<double>(e) / l;
    return std::isnan(entropy) ? std::numeric_limits<F>::quiet_NaN() : static_cast<F>(std::max(0.0, entropy));
  }
  [[nodiscard]] F effective() const { return n == 0 ? F{0} : static_cast<F>(l * l / static_cast<double>(l2)); }
};
using Tally = TallyOf<float>;

}  // namespace heed::state
