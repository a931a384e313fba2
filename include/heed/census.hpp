// census: where the attention went, from Q and K alone. No S x S matrix: each tile of P is recomputed, reduced, and forgotten.
//
//   received_j = sum_i P_ij        pooled map_rc = mean over rows in r of the sum over keys in c of P_ij
//
// P is the softmax of the scores as census makes them, whatever kernel the plan has: L is made anew from these very scores (and the sink),
// never taken from elsewhere, because a score of size x is known to x 2^-24 only and another arithmetic rounds it otherwise. So a row's
// weights sum to 1 (with a sink to 1 - exp(sink - L), without any visible key to 0) within 2^-22 max(1, |L|), and what all keys receive
// to the number of rows that see one. A row with NaN among its scores: NaN where it sees, 0 where it does not.
// Cost: two Q K^T passes (as many products as a forward) for received and map; 2 rows x Tk for chosen rows. Memory: see each output.
#pragma once

#include <heed/plan.hpp>

namespace heed {

struct CensusOutputs {
  TensorSpan received{};  ///< [B, Hq, Tk] f32: mass that key j receives, summed over the queries
  TensorSpan seen_by{};   ///< [B, Hq, Tk] i64: how many queries could see key j
  TensorSpan map{};  ///< [B, Hq, R, C] f32: row r pools queries [r Tq / R, (r+1) Tq / R), likewise columns; its rows sum to what the keys
                     ///< receive (1 without sink and empty rows)
  std::vector<std::int64_t> rows{};  ///< query indices for the two outputs below
  TensorSpan weights{};              ///< [B, Hq, rows, Tk] f32: P of the chosen rows
  TensorSpan top_keys{};             ///< [B, Hq, rows, n] i64: the n keys with most weight, most first, ties by index; -1 past the visible
  TensorSpan top_weights{};          ///< [B, Hq, rows, n] f32: their weights; 0 past the visible
  /// The plan's keys are a part and `lse` is of all of them (merged): P = exp(S - lse) with the scores of the plan's own products, so that
  /// rows sum to the share that these keys have, as exactly as that L is known (DESIGN.md 2). One Q K^T pass.
  bool part = false;
};

/// `lse`: [B, Hq, Tq] f32, read only for a `part`; else it may be left out. Throws Error where shapes or dtypes disagree or an output
/// overlaps any other tensor, before anything is written.
void census(const Plan& plan, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& outputs);

}  // namespace heed
