// A second evaluator of formulas: the meaning of docs/formula.md once more, over the tree as it was written, and shared with nothing.
//
// The laws hold Formula::at, the plan's proof and every kernel to it, so it uses none of their code: no steps, no arithmetic.hpp, no
// intervals. Reals are double, integers 128 bits wide and checked. Beside the value it says three things that no evaluator of heed does:
//   lacks: something that does not read s has no value here, and some s can reach it (a comparison that reads s may come out either
//          way): what a plan must refuse;
//   open:  a decision that reads s is so close that the promised 2^-20 of its sides may turn it: such a place is judged by nobody;
//   exact: f32 arithmetic gives this value exactly, so that decisions on it are not open.
#pragma once

#include <cstdint>
#include <span>

#include <heed/expression.hpp>

namespace heed::laws {

struct Answer {
  enum class Kind : std::uint8_t { kBoolean, kInteger, kReal };
  Kind kind = Kind::kReal;
  std::int64_t integer = 0;  ///< kInteger; kBoolean as 0 or 1
  double real = 0;
  bool broken = false;  ///< no value at this s
  bool reads_score = false;
  bool lacks = false, open = false, exact = true;
  bool can_be[2] = {true, true};  ///< kBoolean: what it can be, whatever s is
};

struct Spot {
  std::int64_t q = 0, k = 0, b = 0, h = 0, g = 0, i = 0;
  double s = 0;  ///< the scaled similarity, exactly what kernels have it as
};

/// What a kernel may differ by from a real `x` made of a score s; of an s that is not finite as of 0.
[[nodiscard]] double promised(double s, double x);

/// A mask (true where empty).
[[nodiscard]] Answer second_opinion(const Expr& mask, const Tables& tables, const Spot& spot);
/// A chain of scores, as a real; s itself where there is none.
[[nodiscard]] Answer second_opinion(std::span<const Expr> chain, const Tables& tables, const Spot& spot);

}  // namespace heed::laws
