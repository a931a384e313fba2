// What it may do to O, L and row statistics that a score of size x is known to x 2^-24 only: the term of the accuracy rule that is felt
// where scores are large.
//
//   x_ij = |scale| sum_c |q_ic k_jc|                              the size of what the score is summed from
//   the scaled similarity s lies within 2^-24 x of its value; the final score f(s) between
//   low_ij, high_ij = min, max of f(s - 2^-24 x), f(s), f(s + 2^-24 x), widened by 2^-24 |f(s)|          (no formula: f(s) = s)
//   |dO_ic| <= sum_j max(e^(high_ij - L_i) - p_ij, p_ij - e^(low_ij - L_i)) |v_jc - O_ic| / (sum_j e^(low_ij - L_i) + the sink's share)
//           <= the largest |v_jc - O_ic|
//
// Derivation: with scores s_ij + d_ij the weights are p_ij e^d_ij / Z, Z = sum_j p_ij e^d_ij, and since sum_j p_ij (v_j - O_i) is 0 (the
// sink a key with v = 0), O moves by sum_j p_ij (e^d_ij - 1) (v_j - O_i) / Z. To first order that is sum_j p_ij d_ij (v_j - O_i): near
// ties feel it, a row with all its weight on one key does not. Likewise, with r_j the max(…) above and Z the divisor,
//
//   |dL| <= the larger of log(sum_j e^(high_j - L)) and -log(sum_j e^(low_j - L)), each with the sink's share
//   |dm| <= the larger of max_j high_j - m and m - max_j low_j                                    m the maximum
//   |dH| <= sum_j r_j |log p_j + H| / Z <= log n     H the entropy, of n visible keys; without the sink, as the two below
//   |dN| <= 2 N^2 sum_j r_j |p_j - 1 / N| / Z <= n   N = 1 / sum_j p_j^2 the effective number of keys
//
// since H is concave and sum p^2 convex, whose tangents at p these are (the other way they hold to first order), and sum_j p_j (log p_j +
// H) and sum_j p_j (p_j - 1 / N) are 0. x is the size in the error bound of a sum of products; 2^-24 of it is what a float32 sum of D
// products is mostly within, in whatever order (the roundings are independent: about 2^-24 x / 2 root mean square, for any D), and keys'
// errors fall both ways while the bound adds them up. Rows whose scores (scaled similarities and final ones, where visible) all stay below
// 16 in size get 0 for O: there naive's own error speaks for it, and the rule is as without the term. L and statistics, which have no naive
// to measure with, get 0 where also every x stays below 16. f64 inputs: 2^-53 in the place of 2^-24, and O feels it in
// every row: naive sums scores in the very order of the definition, so that the difference of the two does not show it.
// Cost: at most two products Q K^T and one P V in double; nothing for rows with |scale| |q_i| |k_j| < 16 for all j and no formula.
// Checked: score_rounding_test.cpp; laws/accuracy_test.cpp on 1,000 draws of each size.
#pragma once

#include <heed/inputs.hpp>

#include "problem/question.hpp"

namespace heed::reference {

/// The bounds above, f64; what is not given is not made.
struct Rounded {
  TensorSpan o{};                                       ///< [B, Hq, Tq, Dv]
  TensorSpan lse{}, maximum{}, entropy{}, effective{};  ///< [B, Hq, Tq]
};
void score_rounding(const problem::Question& question, const Inputs& inputs, const Rounded& to);

}  // namespace heed::reference
