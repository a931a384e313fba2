// Intervals: bounds of what one step of a formula can be, from the bounds of its operands. Over runs them over whole formulas.
//
// Interval arithmetic and three-valued logic; a boolean is the integer interval [0, 1]. Sound by construction: for operands within
// their bounds, the result lies within its bounds. Two ways to have no value are told apart: `broken`, where a step that does not read
// s has none, whatever s is; `broken_by_score`, where an operation on s has none for some s.
// Numerics: endpoints are computed in double with the rounding of at(), which is monotone; exp, log, tanh and sigmoid are widened by
// two units in the last place. Source: Moore 1966; Kleene 1938 for the logic. Checked: over_test.cpp against brute force.
#pragma once

#include <cstdint>
#include <span>

#include "formula/formula.hpp"

namespace heed::formula {

struct Interval {
  std::int64_t low = 0, high = 0;  ///< integers; booleans in [0, 1]
  double real_low = 0, real_high = 0;
  bool nan = false;              ///< a real may be NaN
  bool broken = false;           ///< some place may have no value, for want of that of a step that does not read s
  bool broken_by_score = false;  ///< some s may leave a place without a value: an operation on s that has none

  static Interval integers(std::int64_t low, std::int64_t high) { return {.low = low, .high = high}; }
  static Interval reals(double low, double high) { return {.real_low = low, .real_high = high}; }
  static Interval any(Type type);
  /// Every place has a value, whatever s is.
  [[nodiscard]] bool valued() const { return !broken && !broken_by_score; }
  [[nodiscard]] bool always() const { return low == 1 && valued(); }
  [[nodiscard]] bool never() const { return high == 0 && valued(); }
};

/// Whether a comparison of numbers that reads s may be decided by bounds, or counts as open whatever they say.
enum class Conditions : std::uint8_t { kByBounds, kOpenWithScore };

/// What lies in either.
[[nodiscard]] Interval join(const Interval& a, const Interval& b);
/// Bounds of `step`, an operation but no lookup; `steps` holds those of the steps before it.
[[nodiscard]] Interval bounds_of(const Step& step, std::span<const Interval> steps, Conditions conditions);

[[nodiscard]] inline bool reads_score(const Step& step) {
  return step.depends & kOnScore;
}

}  // namespace heed::formula
