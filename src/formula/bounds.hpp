// float_fails: whether the steps that read s may run in float32 lanes: forward error analysis over |s| <= 2^24, made once with the plan.
//
// The rule it proves (docs/formula.md): let x be the formula in double of the score s as stored. What lanes compute differs from x by at
// most 2^-20 max(1, |s|, |x|), and is finite wherever x is within float32.
// The error of a step with value v, in units of u = 2^-24, is kept as
//     A |s| + B + C |v|
// beside |v| <= L |s| + K and the interval of v. Only these together let `s + slope (k - q)` pass: rounding w = slope (k - q) costs
// u |w|, and |w| <= |v| + |s|, however large w is; while in `s + 0.5 k - 0.5 q` the sum of the first two is large where the last takes it
// away again. A part that does not read s comes rounded once from double: C = 1, or 0 where float32 holds it exactly.
// A step decides (a comparison) only where both sides are exact. Cost: one pass over the steps. Source: Higham 2002, chapter 3.
// Checked: bounds_test.cpp, and modify_test.cpp against the definition.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "formula/formula.hpp"
#include "formula/over.hpp"

namespace heed::formula {

inline constexpr double kMostScore = 0x1p24;  ///< |s| up to which the rule is proved

/// Real steps that do not read s: true where float32 holds their double exactly, at every place. False for all others.
[[nodiscard]] std::vector<bool> exact_in_float(const Formula& formula, std::span<const Interval> intervals);

/// Divisions of what reads s by a number of the head alone, neither tiny nor huge: float32 lanes multiply by its reciprocal and correct
/// the product once, which takes a fifth of a division.
[[nodiscard]] std::vector<bool> by_reciprocal(const Formula& formula, std::span<const Interval> intervals);

/// Empty where float32 lanes keep the rule, else the reason that they may not. `intervals`: of every step for |s| <= kMostScore.
[[nodiscard]] std::string float_fails(const Formula& formula, std::span<const Interval> intervals, const std::vector<bool>& exact);

}  // namespace heed::formula
