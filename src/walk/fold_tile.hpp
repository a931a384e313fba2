// One tile of keys folded word by word: scores, what alters them, weights, mix.
#pragma once

#include "walk/fold_worker.hpp"

namespace heed::walk {

/// A tile as a phrase, or score_tile and mix_tile, take it.
[[nodiscard]] machine::KeyTile key_tile(const FoldView& view, const FoldWorker& w, const Block& block, std::int64_t tile);
/// Formulas, mask and statistics on the scores of a tile of a block: a machine::Alter, borrowed.
[[nodiscard]] inline auto alteration(const FoldView& view, FoldWorker& w, const FoldState& part, const Block& block) {
  return [&view, &w, &part, &block](const machine::KeyTile& tile, float* s, int first, int lanes) {
    w.scores.alter(tile.tile, block.verdicts[block.at(tile.tile)], s, first, lanes);
    if (view.tallied_apart) state::tally(s, tile.keys, lanes, from_lane(part.tally, first));
  };
}
/// w.s <- final scores.
void score_tile(const FoldView& view, FoldWorker& w, const machine::KeyTile& tile, const machine::Alter& alter);
/// Takes w.s, which is used up, and the values into `part`.
void mix_tile(const FoldView& view, FoldWorker& w, const FoldState& part, const machine::KeyTile& tile);

}  // namespace heed::walk
