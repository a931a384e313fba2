#include "walk/fold_keys.hpp"

#include <array>

namespace heed::walk {

void pack_tile(const FoldView& view, FoldWorker& w, Block& block, std::int64_t tile, std::int64_t place) {
  const std::size_t at = block.at(tile), to = static_cast<std::size_t>(place);
  const machine::Rows k = w.scores.held().keys(tile), v = w.scores.held().values(tile);
  const machine::Similarity& similarity = view.words.similarity;
  const machine::Mixing& mixing = view.words.mixing;
  const int count = w.scores.keys(tile);
  block.k[at] = similarity.keys(k, count, view.dim, w.k_buffer + to * view.key_bytes);
  block.v[at] = mixing.values(v, count, view.value_dim, w.v_buffer + to * view.value_bytes);
  if (similarity.unusual_keys == nullptr) return;
  block.unusual[at] = similarity.unusual_keys(k, count, view.dim) | mixing.unusual(v, count, view.value_dim);
  block.any_unusual |= block.unusual[at] != 0;
}

void pack(const FoldView& view, FoldWorker& w, const Band& band, Block& block) {
  std::array<bool, kMostTiles> wanted{};
  for (std::int64_t n = 0; n < band.tiles; ++n)
    each_tile(view, band, n, block, [&](std::int64_t tile, Verdict) { wanted[block.at(tile)] = true; });
  for (std::int64_t tile = block.first; tile < block.last; ++tile) {
    if (wanted[block.at(tile)]) pack_tile(view, w, block, tile, tile - block.first);
  }
}

}  // namespace heed::walk
