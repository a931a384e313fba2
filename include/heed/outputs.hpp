// Outputs: the tensors that a plan and its census write, as the caller has them.
#pragma once

#include <cstdint>
#include <vector>

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
  TensorSpan scores{};     ///< [B, Hq, Tq, Tk] f32: the scores before the softmax, as Problem::wanted_scores says
  TensorSpan norms{};      ///< [B, Hq, Tq, 2] f32, with Problem::statistics, not of f64 inputs: what census needs of each row, so that it
                           ///< need not look at all scores once more (CensusOutputs::norms)
};

/// What census gives; see heed/census.hpp. Every span is optional. Of packed sequences received and seen_by are [all keys, H] and norms
/// [T_total, Hq, 2]; the others, which would need one shape for all sequences, are refused.
struct CensusOutputs {
  TensorSpan received{};  ///< [B, H, Tk] f32: mass that key j receives, summed over the queries
  TensorSpan seen_by{};   ///< [B, H, Tk] i64: how many queries could see key j
  TensorSpan map{};  ///< [B, H, R, C] f32: row r pools queries [r Tq / R, (r+1) Tq / R), likewise columns; its rows sum to what the keys
                     ///< receive (1 without sink and empty rows)
  std::vector<std::int64_t> rows{};  ///< query indices for the three outputs below
  TensorSpan weights{};              ///< [B, H, rows, Tk] f32: P of the chosen rows
  TensorSpan top_keys{};             ///< [B, H, rows, n] i64: the n keys with most weight, most first, ties by index; -1 past the visible
  TensorSpan top_weights{};          ///< [B, H, rows, n] f32: their weights; 0 past the visible
  /// The query heads of interest: H of all outputs above counts these, in this order. Empty: all Hq.
  std::vector<std::int64_t> heads{};
  /// Outputs::norms [B, Hq, Tq, 2] that this plan wrote for these very q and k: saves one of two Q K^T passes and changes no bit.
  TensorView norms{};
  /// The plan's keys are a part and `lse` is of all of them (merged): P = exp(S - lse) with the scores of the plan's own products, so that
  /// rows sum to the share that these keys have, as exactly as that L is known (DESIGN.md 2). One Q K^T pass.
  bool part = false;
};

}  // namespace heed
