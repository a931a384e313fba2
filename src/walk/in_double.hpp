// in_double: fold for f64 tensors: queries outside, visible key tiles inside, all of it in double. The forward walk of softmax attention.
//
//   for each tile of 64 queries:  state <- start (identity, or the sink)
//     for each block of 2048 keys that it sees:  part <- identity; for each visible tile: scores, formulas, absorb, mix;
//                                                state <- merge(state, part)
//   O = o / l,  L = m + log l
//
// Blocks are counted from key 0, each folded from the identity and merged in ascending order, whatever the threads: what a row gets depends
// on nothing but the row and the keys it sees. How tiles and blocks fall to threads: sharing.hpp. V behind the mask may hold NaN or
// infinities, which a zero weight would not silence: a block whose O is not finite is folded once more over the seen places alone, which
// leaves the bits of rows that see no such number. Shapes: S [keys, 64], Qt [D, 64], O [Dv, 64] of doubles; K and V where they lie, or
// copied where their elements are not next to each other. Memory per thread: about 64 (64 + D + Dv) doubles, linear in nothing else but a
// split (few rows, many keys), which keeps one state per block. Flops 2 (D + Dv) per pair in visited tiles.
// Numerics: sums and exp in double; formulas have the definition's own bits (formula/tile_program.hpp). A sum beyond double is as the
// definition has it: NaN of a similarity, infinite of O. Source: Milakov & Gimelshein 2018. Checked: laws/.
#pragma once

#include <cstdint>
#include <string>

#include "walk/walk.hpp"

namespace heed::walk {

[[nodiscard]] std::string in_double_declines(const problem::Question& question);
void in_double(const Job& job, base::Arena& arena);

}  // namespace heed::walk
