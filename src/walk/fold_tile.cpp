#include "walk/fold_tile.hpp"

namespace heed::walk {

machine::KeyTile key_tile(const FoldView& view, const FoldWorker& w, const Block& block, std::int64_t tile) {
  const std::size_t at = block.at(tile);
  return {.k = block.k[at],
          .v = block.v[at],
          .keys = w.scores.keys(tile),
          .altered = view.tallied_apart || w.scores.alters(block.verdicts[at]),
          .tile = tile};
}

void score_tile(const FoldView& view, FoldWorker& w, const machine::KeyTile& tile, const machine::Alter& alter) {
  const int lanes = w.scores.lanes();
  if (!view.words.similarity.scores(w.scores.queries(), tile.k, {view.dim, tile.keys, lanes}, w.s)) w.scores.mend(tile.tile, w.s);
  if (tile.altered) alter(tile, w.s, 0, lanes);
}

void mix_tile(const FoldView& view, FoldWorker& w, const FoldState& part, const machine::KeyTile& tile) {
  const int lanes = w.scores.lanes();
  if (view.question.problem.statistics && !view.tallied_apart)
    view.words.absorb_and_tally(w.s, tile.keys, {lanes, part.state, part.tally}, w.rescale, w.weights);
  else
    view.words.absorb(w.s, tile.keys, lanes, part.state, w.rescale, w.weights);
  view.words.mixing.mix(w.weights, tile.v, {view.value_dim, tile.keys, lanes}, w.rescale, part.o);
}

}  // namespace heed::walk
