// Sharing: how the work of fold is shared out: bands of some tiles of queries; where these are so few that threads would be left idle,
// halves of a tile; where rows are few and keys many, the blocks of keys of single tiles. No more threads than find work worth their start.
//
// A band enters only the blocks in which one of its tiles sees a key. They are found by bisection in the runs of its rows, so a sparse mask
// costs what it shows: per entered block O(tiles of the band x log runs), for blocks that hold nothing, nothing.
// What is shared out how changes no bit: blocks are counted from key 0 and merged in ascending order in either way.
// Checked: sharing_test.cpp against all blocks and tiles, and the number of entered blocks at a million keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "machine/machine.hpp"
#include "problem/group.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {

// Blocks.
inline constexpr std::int64_t kMostBlock = 2048;  ///< keys per block; merging costs Dv / (2 D block) of a fold: nothing
inline constexpr std::int64_t kLeastBlock = 256;  ///< halved down to this while a packed block is larger than
inline constexpr std::int64_t kPackedBytes = 1 << 20;

/// Some tiles of queries of one set of heads, or a piece of one tile: `slots` of its queries from `offset` on.
struct Band {
  std::int64_t b, h, heads, first, tiles, offset, slots, queries_in_all;
  [[nodiscard]] QueryTile queries(std::int64_t n) const {
    const std::int64_t slot = (first + n) * kTile + offset;
    return {.b = b, .h = h, .heads = heads, .slot = slot, .slots = std::min(slots, queries_in_all - slot)};
  }
  [[nodiscard]] std::int64_t tile(std::int64_t n) const { return first + n; }
};

/// Tiles of keys in a block: a constant of kernel, d and dtype.
[[nodiscard]] std::int64_t tiles_per_block(const problem::Question& question, const machine::Words& words);

class Sharing {
 public:
  Sharing(const problem::Question& question, const problem::Group& group, const machine::Words& words);

  [[nodiscard]] std::int64_t blocks() const { return blocks_; }              ///< of all keys
  [[nodiscard]] std::int64_t packed_tiles() const { return packed_tiles_; }  ///< of keys, at once: a block for a phrase or a band, else 1
  [[nodiscard]] std::int64_t tiles_per_band() const { return tiles_per_band_; }
  /// Some may be empty where sequences are packed: one for each tile of queries is counted.
  [[nodiscard]] std::int64_t bands() const { return chunks_ * bands_; }
  /// Whether blocks are shared out too; then parts() of them are entered by all bands together.
  [[nodiscard]] bool split() const { return parts_ > 0; }
  [[nodiscard]] std::int64_t parts() const { return parts_; }
  [[nodiscard]] int workers() const;

  /// Bands in order of heads; within a head the last tiles first: under causal masks the longest.
  [[nodiscard]] Band band(std::int64_t index) const;
  /// Tiles of keys of a block: [first_tile(block), last_tile(block)).
  [[nodiscard]] std::int64_t first_tile(std::int64_t block) const { return block * tiles_per_block_; }
  [[nodiscard]] std::int64_t last_tile(std::int64_t block) const { return std::min((block + 1) * tiles_per_block_, group_.key_tiles()); }
  /// The runs that the n-th tile of a band has in a block; the first and the last may reach beyond it.
  [[nodiscard]] std::span<const problem::Run> seen(const Band& band, std::int64_t n, std::int64_t block) const;
  /// The first block from `block` on in which a tile of the band sees a key; blocks() where there is none.
  [[nodiscard]] std::int64_t next_block(const Band& band, std::int64_t block) const;
  /// visit(block) for the blocks that a band enters, ascending.
  template <class Visit>
  void each_block(const Band& band, const Visit& visit) const {
    for (std::int64_t block = next_block(band, 0); block < blocks_; block = next_block(band, block + 1)) visit(block);
  }

 private:
  void split_rows();
  void share_rows(const machine::Words& words, std::int64_t rows);
  struct Within {
    std::int64_t b, chunk, band;
  };
  [[nodiscard]] Within within(std::int64_t index) const;
  [[nodiscard]] bool leaves_threads_idle() const;

  const problem::Question& question_;
  const problem::Group& group_;
  std::int64_t heads_per_tile_;
  std::int64_t tiles_per_block_, blocks_, packed_tiles_;
  std::int64_t chunks_;                  // sets of heads that share tiles
  std::int64_t tiles_per_band_, bands_;  // the latter of one set of heads, over all sequences
  std::int64_t slots_ = kTile;           // of a tile that are folded at once
  std::int64_t parts_ = 0;
  int threads_;  // that find work worth their start
};

}  // namespace heed::walk
