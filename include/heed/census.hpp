// census: where the attention went, from Q and K alone. No S x S matrix: each tile of P is recomputed, reduced, and forgotten.
//
//   received_j = sum_i P_ij        pooled map_rc = mean over rows in r of the sum over keys in c of P_ij
//
// P is the softmax of the scores as census makes them, whatever kernel the plan has: what normalises a row is made of these very scores
// (and the sink), never of another arithmetic's, because a score of size x is known to x 2^-24 only and each rounds it otherwise. A run
// with statistics sees the same scores: its Outputs::norms are what census would make, bit for bit (rows that it folded again in another
// arithmetic are marked there, and made here). Norms of another plan, q or k give weights that sum to anything. So a row's
// weights sum to 1 (with a sink to 1 - exp(sink - L), without any visible key to 0) within 2^-22 max(1, |L|), and what all keys receive
// to the number of rows that see one. A row with NaN among its scores: NaN where it sees, 0 where it does not.
// Cost: two Q K^T passes (as many products as a forward) for received and map, one where norms are given; the same of the chosen rows
// alone. Memory: see each output, and the norms of the heads that are worked on.
#pragma once

#include <heed/plan.hpp>

namespace heed {

/// `lse`: [B, Hq, Tq] f32, read only for a `part`; else it may be left out. Throws Error where shapes or dtypes disagree, a row or head is
/// not there or an output overlaps any other tensor, before anything is written.
void census(const Plan& plan, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& outputs,
            const Watch& watch = {});

}  // namespace heed
