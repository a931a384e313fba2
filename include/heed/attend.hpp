// attend: exact softmax attention in one call, in memory linear in the sequence length.
//
//   s_ij = scale q_i . k_j, then the score formulas; P_i = softmax over the visible keys; O_i = sum_j P_ij v_j; L_i = log sum exp
//
// Shapes: q [B, Hq, Tq, D], k [B, Hkv, Tk, D], v [B, Hkv, Tk, Dv], any strides. Semantics, decided once: DESIGN.md, section 2.
// Sources: Vaswani et al. 2017, eq. 1; online softmax: Milakov & Gimelshein 2018; merging: Dao et al. 2022.
#pragma once

#include <span>

#include <heed/plan.hpp>

namespace heed {

struct Attend {
  TensorView q, k, v;
  Expr mask{};
  std::vector<Expr> scores{};
  Tables tables{};
  std::optional<double> scale{};
  TensorView sink{};
  Align align{};
  int threads = 0;
};

/// O, in a new contiguous tensor [B, Hq, Tq, Dv] of the inputs' dtype.
[[nodiscard]] Tensor attend(const Attend& call);

/// A result over some of the keys, made with Problem::partial: both f32, or both f64.
struct Partial {
  TensorView o;    ///< [B, Hq, Tq, Dv]
  TensorView lse;  ///< [B, Hq, Tq]
};

/// Attention over the union of disjoint sets of keys, from the results over each: L = log sum exp L_p, O = sum exp(L_p - L) O_p,
/// in the order given; then the sink (finite or -inf), once. Parts are all f32 or all f64; sums run in double. Writes o (any of f32, bf16,
/// f16, of f64 parts also f64) and lse (the parts' dtype) where wanted. o may lie exactly over the o of a part, lse over its lse: so a
/// running result takes in one part after the other. Throws Error on shapes and dtypes that disagree and on any other overlap.
void merge(std::span<const Partial> parts, const TensorView& sink, const TensorSpan& o, const TensorSpan& lse);

}  // namespace heed
