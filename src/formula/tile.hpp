// TileFrame: the working memory of one thread for one tile program, bound to a head, a tile of queries and a tile of keys.
//
// Lines and diagonals are evaluated here, in exact 64-bit integers and double, by the loops of tile.cpp; conditions are masks of all
// bits. A line costs an operation per step and position. A diagonal holds, for positions that run on by one, everything of k - q
// alone: place (key j, query i) reads u = i - j + 63, so a key reads 64 neighbours, its row beginning at 63 - j. Diagonals are kept by
// k0 - q0 for as long as the head stays: under a walk of bands the same one comes again with each row of tiles.
// What runs per place, and in which lanes: tile_program.hpp.
// Layout: keys down, queries across; element (j, i) of a tile is at [j * 64 + i]. Checked: tile_test.cpp, laws/.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "formula/tile_program.hpp"

namespace heed::formula {

/// What a step reads: lanes, either per element (`splat` false, rows `key_stride` apart) or one value per key (`splat` true, values
/// `key_stride` apart: 1 for a line of keys, 0 for a single value).
struct Operand {
  const void* lanes = nullptr;
  int key_stride = 0;
  bool splat = false;
};

class TileFrame {
 public:
  static constexpr int kStrip = 8;  ///< keys that a tile step handles at a time: its lanes stay in L1

  TileFrame() = default;
  [[nodiscard]] static std::size_t bytes(const TileProgram& program);
  TileFrame(const TileProgram& program, base::Arena& arena);
  /// memory: bytes(program), 64-byte aligned.
  TileFrame(const TileProgram& program, std::byte* memory);

  [[nodiscard]] const TileProgram& program() const { return *program_; }
  /// The code for the positions that are bound.
  [[nodiscard]] const Code& code() const { return program_->code(contiguous()); }
  [[nodiscard]] bool contiguous() const { return runs_[0] && runs_[1]; }

  /// Called when the head, the tile of queries, the tile of keys changes; keys last. Beyond the last, runs of consecutive positions go
  /// on, others repeat it.
  void bind_head(std::int64_t b, std::int64_t h, std::int64_t g);
  void bind_queries(std::span<const std::int64_t> positions, std::span<const std::int64_t> rows);
  void bind_keys(std::span<const std::int64_t> positions);

  /// Lanes of `step` for keys from `key` on: a line, a diagonal, a strip, or the tile of scores itself, as the program holds it.
  [[nodiscard]] Operand operand(int step, bool wide, int key, const void* scores) const;
  /// Of a division by a number of the head, one over it.
  [[nodiscard]] Operand reciprocal(int step) const { return {.lanes = lanes_ + static_cast<std::ptrdiff_t>(step) * kTile, .splat = true}; }
  /// Where a tile step writes its strip of [kStrip, 64] lanes.
  [[nodiscard]] void* strip(int step, bool wide) const { return wide ? wide_strips_[step] : narrow_strips_[step]; }
  /// For a tile-wide lookup: element offsets of its per-head and per-query, and of its per-key indices, clamped into the table.
  [[nodiscard]] const std::int64_t* query_offsets(int step) const { return offsets_[step]; }
  [[nodiscard]] const std::int64_t* key_offsets(int step) const { return offsets_[step] + kTile; }
  /// [kStrip, 64]: not 0 where the place is to be evaluated by the definition.
  [[nodiscard]] std::uint8_t* doubtful() const { return doubtful_; }
  /// The place of an element, for evaluation of a single place.
  [[nodiscard]] Place place(int query, int key, double s) const;
  [[nodiscard]] std::span<Value> values() const { return {values_, program_->formula().steps().size()}; }

 private:
  static constexpr int kLine = 2 * kTile;  // of a diagonal: 127, rounded up
  class Memory;
  void lay_out(Memory& memory);
  [[nodiscard]] Extent extent(int step) const { return program_->code(true).extents[static_cast<std::size_t>(step)]; }
  [[nodiscard]] std::uint64_t* line(int step) const { return lines_ + static_cast<std::ptrdiff_t>(step) * kLine; }
  bool bind(std::span<const std::int64_t> positions, std::int64_t* to) const;
  void evaluate(Extent extent, int count);
  void evaluate_step(int step, Extent extent, int count);
  [[nodiscard]] const std::uint64_t* spread(int argument, Extent extent, int count, int slot) const;
  void narrow(int step, const std::uint64_t* from, int count, std::uint32_t* to) const;
  [[nodiscard]] std::uint64_t literal(const Step& step) const;
  void bind_diagonals();
  void locate(Extent extent);
  void lookup_line(int step, Extent extent, int count);

  const TileProgram* program_ = nullptr;
  std::uint64_t* lines_ = nullptr;    // [steps, kLine]: doubles or integers
  std::uint32_t* lanes_ = nullptr;    // [steps, 64]: lines as 32-bit lanes; of a division, the reciprocal
  std::uint64_t* spread_ = nullptr;   // [3, kLine]: operands of a step along one extent
  void** narrow_strips_ = nullptr;    // [steps]; of a diagonal: [kept, kLine] lanes
  void** wide_strips_ = nullptr;      // [steps]; likewise
  std::int64_t** offsets_ = nullptr;  // [steps] of [2, 64]
  Value* values_ = nullptr;           // [steps]
  std::int64_t* kept_ = nullptr;      // [kept]: k0 - q0 of the diagonals
  std::uint8_t* doubtful_ = nullptr;  // [kStrip, 64]
  std::int64_t* queries_ = nullptr;   // [64]
  std::int64_t* rows_ = nullptr;      // [64]
  std::int64_t* keys_ = nullptr;      // [64]
  std::int64_t b_ = 0, h_ = 0, g_ = 0;
  std::array<bool, 2> runs_{};  // whether the positions of queries, of keys run on by one
  bool head_bound_ = false;
  int queries_bound_ = 0, kept_count_ = 0, next_kept_ = 0, diagonal_ = 0;
};

}  // namespace heed::formula
