// fold: queries outside, visible key tiles inside: the forward walk of softmax attention.
//
//   for each band of tiles of 64 queries:  state <- start (identity, or the sink)
//     for each block that the band sees:   pack what the machine does not read in place
//       for each tile of the band:         part <- identity; for each visible tile: scores, alter, absorb, mix, or all of it as one
//                                          phrase of the machine;  state <- merge(state, part)
//   O = o / l,  L = m + log l
//
// Blocks are counted from key 0, each folded from the identity and merged in ascending order, whatever the threads and bands: so
// several threads share one long row with the same bits as one, and moving the future leaves the past bit-equal. Which blocks a band
// enters, and how bands and blocks fall to threads, says sharing.hpp: a block in which a band sees no key costs nothing. Few queries of
// several heads on one key head share a tile (QueryTile), so that K and V are read once. Memory per thread: the packed block and a band of
// queries and states. Nothing grows with T except that a split (few rows, many keys) keeps one state per block that is entered. Numbers
// that a machine's products do not take, and rows that come out NaN (V behind the mask may hold NaN or Inf, which a zero weight would not
// silence), are folded again by the careful words; the other rows keep their bits. O is summed before it is divided: where the sum leaves
// f32 the row is folded once more in double (double_fold.hpp). Flops 2 (D + Dv) per pair in visited tiles. Source: Milakov & Gimelshein
// 2018; Dao et al. 2022. Checked: laws/.
#pragma once

#include <cstdint>
#include <string>

#include "walk/walk.hpp"

namespace heed::walk {

[[nodiscard]] std::string fold_declines(const problem::Question& question);
void fold(const Job& job, base::Arena& arena);

}  // namespace heed::walk
