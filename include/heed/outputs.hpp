// Outputs: the tensors that a plan writes, as the caller has them.
#pragma once

#include <heed/tensor.hpp>

namespace heed {

/// Every member is optional; a default span is not written. Outputs share no memory: no two places of one coincide, and none overlaps
/// another output or an input (tables and sink too), except that O may lie exactly over Q: same pointer, dtype, shape and strides. That is
/// decided by elements where strides nest (tensors packed into one buffer are fine), else by the ranges of bytes. Row statistics speak of
/// the keys alone: a sink takes part in L and O but not in them. Of packed sequences O is [T_total, Hq, Dv], the others [T_total, Hq].
struct Outputs {
  TensorSpan o{};    ///< [B, Hq, Tq, Dv], the inputs' dtype or f32
  TensorSpan lse{};  ///< [B, Hq, Tq] f32 (f64 for f64 inputs, here and below): natural log of the sum of exp(score), the sink's included
  TensorSpan maximum{};    ///< [B, Hq, Tq] f32: largest score; -inf where no key is seen
  TensorSpan entropy{};    ///< [B, Hq, Tq] f32, nats: -sum p log p, p normalised over the visible keys; 0 where none is seen
  TensorSpan effective{};  ///< [B, Hq, Tq] f32: 1 / sum p^2, the effective number of keys; 0 where none is seen
  TensorSpan visible{};    ///< [B, Hq, Tq] i64: how many keys are seen
  TensorSpan weights{};    ///< [B, Hq, Tq, Tk] f32: P, the S x S matrix itself
};

}  // namespace heed
