// SoftmaxState: how scores become output, as a monoid.
//
//   identity (-inf, 0, 0);   absorb a key of score s and value v;   merge two states of disjoint keys
//   m = max s,  l = sum exp(s - m),  o = sum exp(s - m) v;          finished: O = o / l,  L = m + log l
//
// A sink of logit z is the start state (z, 1, 0). merge is associative up to rounding; partial results (O, L) are states with
// m = L, l = 1, o = O. This is the definition, in double; the words absorb, merge and finish are the same on 64 rows at a time.
// Numerics: m = -inf marks a state that has seen nothing: its side of a merge has weight 0, and -inf - -inf is never formed.
// Source: Milakov & Gimelshein 2018; Rabe & Staats 2021. Checked: softmax_test.cpp; laws/.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace heed::state {

inline constexpr double kNothing = -std::numeric_limits<double>::infinity();

struct SoftmaxState {
  double m = kNothing;
  double l = 0;
  std::span<double> o;  ///< [Dv], zero at the start

  /// The state that has absorbed a sink alone.
  void start_with_sink(double logit) {
    m = logit;
    l = logit == kNothing ? 0 : 1;
  }

  /// The weight of something whose maximum is `other` in a state of maximum `m`.
  [[nodiscard]] static double weight(double other, double m) { return other == kNothing ? 0.0 : std::exp(other - m); }

  template <class Value>
  void absorb(double score, const Value& value) {
    if (score == kNothing) return;
    if (score == -kNothing) score = std::numeric_limits<double>::quiet_NaN();  // +inf leaves no finite weight: m says so too
    const double top = larger(m, score), a = weight(m, top), b = weight(score, top);
    for (std::size_t c = 0; c < o.size(); ++c) o[c] = o[c] * a + b * value(c);
    l = l * a + b;
    m = top;
  }

  template <class Value>
  void merge(double other_m, double other_l, const Value& other_o) {
    if (other_m == kNothing) return;
    const double top = larger(m, other_m), a = weight(m, top), b = weight(other_m, top);
    for (std::size_t c = 0; c < o.size(); ++c) o[c] = o[c] * a + b * other_o(c);
    l = l * a + b * other_l;
    m = top;
  }

  [[nodiscard]] double output(std::size_t c) const { return l == 0 ? 0.0 : o[c] / l; }
  [[nodiscard]] double lse() const { return l == 0 ? kNothing : m + std::log(l); }

 private:
  /// NaN wins, so that a NaN score makes its row NaN.
  static double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b); }
};

}  // namespace heed::state
