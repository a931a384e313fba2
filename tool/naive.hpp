// The naive computation that accuracy is judged against: what a program gets that computes plainly in float32.
//
//   s_j = score formulas of float(scale q . k_j);  p_j = exp(s_j - m) / (sum exp(s_j - m) + sink), all in f32, then rounded to the dtype
//   o = sum_j p_j v_j in f32, then rounded to the dtype
//
// One row at a time. Cost 2 (D + Dv) flops per key and an evaluation of the formulas in double. A kernel's error against double may be
// twice this one's, plus half a unit in the last place of the dtype at the largest reference (DESIGN.md, section 2).
#pragma once

#include <cstdint>
#include <span>

#include <heed/plan.hpp>

namespace heed::tool {

/// Writes o [Dv] of query slot i of head (b, h); the plan supplies formulas, alignment, scale and sink.
void naive_row(const Plan& plan, const Inputs& inputs, std::int64_t b, std::int64_t h, std::int64_t i, std::span<double> o);

/// `value` rounded to the dtype.
[[nodiscard]] double rounded_to(DType dtype, double value);
/// The distance from |value| to the next larger number of the dtype.
[[nodiscard]] double unit_in_last_place(DType dtype, double value);

}  // namespace heed::tool
