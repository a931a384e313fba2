// What the parts of fold share: the problem as they see it, one thread's memory, the block of keys that is folded.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "machine/machine.hpp"
#include "memory/memory.hpp"
#include "problem/question.hpp"
#include "walk/double_fold.hpp"
#include "walk/row_state.hpp"
#include "walk/sharing.hpp"
#include "walk/tile_scores.hpp"
#include "walk/walk.hpp"

namespace heed::walk {

using FoldState = RowState<float>;

/// What all threads see of it.
struct FoldView {
  const problem::Question& question;
  const machine::Words& words;
  const Sharing& sharing;
  int dim, value_dim;
  std::size_t key_bytes, value_bytes, weight_bytes, output_bytes, phrase_bytes;  // of a tile of operands, a state, a phrase
  bool tallied_apart;                                                            // statistics are taken before absorb, not with it

  FoldView(const Job& job, const Sharing& shared)
      : question(job.question),
        words(job.words),
        sharing(shared),
        dim(static_cast<int>(question.problem.dim)),
        value_dim(static_cast<int>(question.problem.value_dim)),
        key_bytes(words.similarity.sizes(dim).keys),
        value_bytes(words.mixing.sizes(value_dim).values),
        weight_bytes(words.mixing.sizes(value_dim).weights),
        output_bytes(words.mixing.sizes(value_dim).output),
        phrase_bytes(words.folds_lists() ? words.phrase->bytes(dim, value_dim) : 0),
        tallied_apart(question.problem.statistics && !words.tallies()) {}
};

/// What one thread needs to fold.
struct FoldWorker {
  TileScores scores;
  float *s, *rescale, *careful_v;
  void* weights;
  void* phrase;
  std::byte *k_buffer, *v_buffer;
  std::uint8_t* seen;
  std::span<FoldState> states;  // of the tiles of a band
  FoldState part, careful;
  DoubleFold in_double;

  FoldWorker(const FoldView& view, const memory::Held& held, base::Arena& arena)
      : scores(view.question, view.words, held, arena, view.sharing.tiles_per_band(), view.sharing.packed_tiles()),
        s(arena.take<float>(kTile * kTile)),
        rescale(arena.take<float>(kTile)),
        careful_v(arena.take<float>(static_cast<std::size_t>(kTile * view.value_dim))),
        weights(arena.take<std::byte>(view.weight_bytes)),
        phrase(arena.take<std::byte>(view.phrase_bytes)),
        k_buffer(arena.take<std::byte>(static_cast<std::size_t>(view.sharing.packed_tiles()) * view.key_bytes)),
        v_buffer(arena.take<std::byte>(static_cast<std::size_t>(view.sharing.packed_tiles()) * view.value_bytes)),
        seen(arena.take<std::uint8_t>(kTile * kTile)),
        states(arena.make<FoldState>(static_cast<std::size_t>(view.sharing.tiles_per_band()), view.question, view.words.weighing,
                                     view.output_bytes, arena)),
        part(view.question, view.words.weighing, view.output_bytes, arena),
        careful(view.question, view.words.weighing, kTile * static_cast<std::size_t>(view.value_dim) * sizeof(float), arena),
        in_double(view.question, arena) {
    if (view.weight_bytes == 0) weights = s;
  }
};

inline constexpr std::int64_t kMostTiles = kMostBlock / kTile;

/// The keys of a block as they are folded: operands per tile, and which keys the products do not take.
struct Block {
  std::int64_t index, first, last;  // [first, last): tiles
  std::array<machine::Operand, kMostTiles> k{}, v{};
  std::array<std::uint64_t, kMostTiles> unusual{};
  std::array<Verdict, kMostTiles> verdicts{};  // of the tile of queries that is folded
  bool any_unusual = false;

  Block(const Sharing& sharing, std::int64_t block) : index(block), first(sharing.first_tile(block)), last(sharing.last_tile(block)) {}
  [[nodiscard]] std::size_t at(std::int64_t tile) const { return static_cast<std::size_t>(tile - first); }
};

/// visit(tile, verdict) for the tiles of a block that the n-th tile of queries of a band sees.
template <class Visit>
void each_tile(const FoldView& view, const Band& band, std::int64_t n, const Block& block, const Visit& visit) {
  for (const problem::Run& run : view.sharing.seen(band, n, block.index)) {
    for (std::int64_t tile = std::max(run.first, block.first); tile < std::min(run.last, block.last); ++tile) visit(tile, run.verdict);
  }
}

}  // namespace heed::walk
