// census: where the attention went, from Q, K and L alone. No S x S matrix: each tile of P is recomputed, reduced, and forgotten.
//
//   received_j = sum_i P_ij        pooled map_rc = mean over rows in r of the sum over keys in c of P_ij
//
// Cost: one Q K^T pass (half of a forward) for received and map; rows x Tk for chosen rows. Memory: see each output.
#pragma once

#include <heed/plan.hpp>

namespace heed {

struct CensusOutputs {
  TensorSpan received{};  ///< [B, Hq, Tk] f32: mass that key j receives, summed over the queries
  TensorSpan seen_by{};   ///< [B, Hq, Tk] i64: how many queries could see key j
  TensorSpan map{};  ///< [B, Hq, R, C] f32: row r pools queries [r Tq / R, (r+1) Tq / R), likewise columns; its rows sum to what the keys
                     ///< receive (1 without sink and empty rows)
  std::vector<std::int64_t> rows{};  ///< query indices for the two outputs below
  TensorSpan weights{};              ///< [B, Hq, rows, Tk] f32: exact P of the chosen rows
  TensorSpan top_keys{};             ///< [B, Hq, rows, n] i64: the n keys with most weight, most first, ties by index; -1 past the visible
  TensorSpan top_weights{};          ///< [B, Hq, rows, n] f32: their weights; 0 past the visible
};

/// `plan` is the plan that made `lse` [B, Hq, Tq] f32. Throws Error where shapes or dtypes disagree or an output overlaps any other tensor,
/// before anything is written.
void census(const Plan& plan, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& outputs);

}  // namespace heed
