// Tally: row statistics of a softmax over the visible keys, from the same pass.
//
//   n = count,  m = max s,  p = exp(s - m),  l = sum p,  e = sum p (s - m),  l2 = sum p^2
//   entropy = log l - e / l  (nats),   effective number of keys = l^2 / l2   (participation ratio)
//
// A monoid like the softmax state: merging moves both sides to the common maximum. Cost: one more exp per score.
// Numerics: float32 sums; entropy is a difference of two numbers near log n, so its absolute error is that of log l.
// Source: entropy H = L - sum p z; participation ratio as in physics. Checked: tally_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace heed::state {

struct Tally {
  float m = -std::numeric_limits<float>::infinity();
  float l = 0, e = 0, l2 = 0;
  std::int64_t n = 0;

  [[nodiscard]] Tally moved_to(float top) const {
    if (n == 0) return {.m = top};
    if (m == top) return *this;
    const float r = std::exp(m - top), step = r == 0 ? 0.0f : m - top;  // 0 * -inf is not meant
    return {.m = top, .l = r * l, .e = r * (e + step * l), .l2 = r * r * l2, .n = n};
  }

  [[nodiscard]] static Tally merged(const Tally& a, const Tally& b) {
    if (b.n == 0) return a;
    const float top = std::max(a.m, b.m);
    const Tally x = a.moved_to(top), y = b.moved_to(top);
    return {.m = top, .l = x.l + y.l, .e = x.e + y.e, .l2 = x.l2 + y.l2, .n = x.n + y.n};
  }

  /// NaN when a score was NaN or +inf.
  [[nodiscard]] float maximum() const { return std::isnan(l) ? l : m; }
  [[nodiscard]] float entropy() const { return n == 0 ? 0.0f : std::isnan(l) ? l : std::max(0.0f, std::log(l) - e / l); }
  [[nodiscard]] float effective() const { return n == 0 ? 0.0f : l * l / l2; }
};

}  // namespace heed::state
