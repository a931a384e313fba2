// The accuracy rule, and the naive computation that it measures against. Used by the tests and by `heed check`.
//
//   naive(dtype): scores in f32, softmax in f32, P rounded to dtype, O accumulated in f32 and rounded to dtype; of f64 all in f64
//   rule: maximum and RMS error against double are at most 2 x naive's, plus half an ulp of dtype at max |reference|, plus (maximum and
//         RMS of) what it does to O that a score of size x is known to x 2^-24 only (score_rounding.hpp; 0 where scores are below 16):
//         the few rows of near ties that make the largest error where scores are large are a matter of luck, naive's too;
//         L and row statistics within 2^-20 (f32), 2^-11 (f16), 2^-8 (bf16), 2^-40 (f64) of the largest of 1, |reference| and |L| over the
//         tensor, plus, row by row, what that same rounding of scores does to them: entropy and effective keys are made of differences of
//         scores.
//
// Whoever is judged sees the same rounded inputs as the reference. Source: the criterion of flash-attention's tests (DESIGN.md 2).
#pragma once

#include <heed/inputs.hpp>

#include "problem/question.hpp"

namespace heed::reference {

/// O [B, Hq, Tq, Dv] as naive(dtype) of the problem computes it; o is f32 (f64 of f64) and holds values rounded to the problem's dtype.
void naive(const problem::Question& question, const Inputs& inputs, const TensorSpan& o);

struct Accuracy {
  double max_error = 0, rms_error = 0;  ///< of the judged result against double
  double max_bound = 0, rms_bound = 0;
  [[nodiscard]] bool holds() const { return max_error <= max_bound && rms_error <= rms_bound; }
};

/// What the rule measures with, of the shape of O: naive() and score_rounding(); the latter may be left out where scores are small.
struct Yardstick {
  TensorView naive;
  TensorView rounding{};
};

/// All of one shape, rank 4. Places where the reference is NaN must be NaN in `result`, and are left out; where it is infinite in dtype,
/// `result` must be the same infinity; a NaN or infinity elsewhere is an infinite error.
[[nodiscard]] Accuracy judge(const TensorView& result, const TensorView& reference, const Yardstick& yardstick, DType dtype);

/// Relative tolerance of L and row statistics for inputs of `dtype`.
[[nodiscard]] double statistic_tolerance(DType dtype);
/// Largest |result - reference| less `rounding` (score_rounding's of this statistic; may be left out where scores are small), divided by
/// the largest of 1, |reference| and |lse|; equal infinities count 0, a NaN on one side only is infinite.
[[nodiscard]] double statistic_error(const TensorView& result, const TensorView& reference, const TensorView& lse,
                                     const TensorView& rounding = {});

}  // namespace heed::reference
