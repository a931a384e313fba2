// What it may do to O that a score of size x is known to x 2^-24 only: the term of the accuracy rule that is felt where scores are large.
//
//   x_ij = |scale| sum_c |q_ic k_jc|                              the size of what the score is summed from
//   the scaled similarity s lies within 2^-24 x of its value; the final score f(s) between
//   low_ij, high_ij = min, max of f(s - 2^-24 x), f(s), f(s + 2^-24 x), widened by 2^-24 |f(s)|          (no formula: f(s) = s)
//   |dO_ic| <= sum_j max(e^(high_ij - L_i) - p_ij, p_ij - e^(low_ij - L_i)) |v_jc - O_ic| / (sum_j e^(low_ij - L_i) + the sink's share)
//           <= the largest |v_jc - O_ic|
//
// Derivation: with scores s_ij + d_ij the weights are p_ij e^d_ij / Z, Z = sum_j p_ij e^d_ij, and since sum_j p_ij (v_j - O_i) is 0 (the
// sink a key with v = 0), O moves by sum_j p_ij (e^d_ij - 1) (v_j - O_i) / Z. To first order that is sum_j p_ij d_ij (v_j - O_i): near
// ties feel it, a row with all its weight on one key does not. x is the size in the error bound of a sum of products; 2^-24 of it is
// what a float32 sum of D products is mostly within, in whatever order (the roundings are independent: about 2^-24 x / 2 root mean square,
// for any D), and keys' errors fall both ways while the bound adds them up.
// Rows whose scores (scaled similarities and final ones, where visible) all stay below 16 in size get 0: there naive's own error speaks
// for it, and the rule is as without the term. f64 inputs: 2^-53 in the place of 2^-24.
// Cost: at most two products Q K^T and one P V in double; nothing for rows with |scale| |q_i| |k_j| < 16 for all j and no formula.
// Checked: score_rounding_test.cpp; laws/accuracy_test.cpp on 1,000 draws of each size.
#pragma once

#include "plan/body.hpp"

namespace heed::reference {

/// The bound above for every element of O; `to` is [B, Hq, Tq, Dv] f64.
void score_rounding(const plan::Body& body, const Inputs& inputs, const TensorSpan& to);

}  // namespace heed::reference
