// merge: the whole from parts, each over some of the keys: shared prefixes, caches in pieces, rings of machines.
//
//   L_i = log sum_p exp(L_pi),  O_i = sum_p exp(L_pi - L_i) O_pi
//
// A part is a plan's result with Problem::partial: O and L in f32 (f64 for f64 inputs), without the sink. Source: Dao et al. 2022.
#pragma once

#include <span>

#include <heed/tensor.hpp>

namespace heed {

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
