// fold: queries outside, visible key tiles inside: the forward walk of softmax attention.
//
//   for each tile of 64 queries:  state <- start (identity, or the sink)
//     for each block of keys:     part <- identity;  for each visible tile: scores, modify, hide, absorb, mix;  state <- merge(state, part)
//   O = o / l,  L = m + log l
//
// Blocks are kBlock keys counted from key 0, each folded from the identity and merged in ascending order, whatever the threads: so
// several threads share one long row with the same bits as one, and moving the future leaves the past bit-equal.
// Memory per thread: Qt, S, two states, [D + Dv, 64] and the formulas' frames; parts of split rows besides. Nothing grows with T
// except that a split (few rows, many keys) keeps one state per block.
// A part that comes out NaN is folded again with the careful words: V behind the mask may hold NaN or Inf, which a zero weight would
// not silence. Rows without NaN keep their bits.
// Flops 2 (D + Dv) per pair in visited tiles. Source: Milakov & Gimelshein 2018; Dao et al. 2022. Checked: laws/.
#pragma once

#include <cstdint>

#include "kernel/words.hpp"
#include "plan/body.hpp"

namespace heed::walk {

inline constexpr std::int64_t kBlock = 2048;  ///< keys per block; merging costs Dv / (2 D kBlock) of a fold: nothing

/// Bytes that fold() allocates, in one piece.
[[nodiscard]] std::int64_t fold_scratch(const plan::Body& body);
void fold(const plan::Body& body, const kernel::Words& words, const Inputs& inputs, const Outputs& outputs);

}  // namespace heed::walk
