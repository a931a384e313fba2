// Tile programs: a formula made ready to run on whole tiles of 64 queries x 64 keys with SIMD.
//
// Every step of a formula has an extent: it depends on neither q nor k (once per head), on q alone (a line of 64 per tile of
// queries), on k alone (a line of 64 per tile of keys), or on both (the whole tile). The first three are computed here in exact
// 64-bit integers and double; only the last runs per element, in 32-bit lanes by the word `modify` or `see` of a kernel.
// Numerics: tile steps are int32, proved wide enough by interval analysis of the whole problem, and float32 within 2^-20 of double.
// A formula that 32-bit lanes cannot hold exactly (wider integers, reals that decide a mask or a floor) runs place by place through
// Formula::at instead, and the plan says so. Cost: about one load, operation and store per tile step and element.
// Layout: keys down, queries across; element (j, i) of a tile is at [j * 64 + i]. Checked: tile_test.cpp, laws/.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formula/formula.hpp"
#include "formula/over.hpp"

namespace heed::formula {

inline constexpr int kTile = 64;  ///< queries across and keys down

enum class Extent : std::uint8_t { kOnce, kQueries, kKeys, kTileWide };

/// 64 exact values of one step; a step of extent kOnce uses the first.
struct Line {
  alignas(64) std::array<std::int64_t, kTile> integers;  ///< of a tile-wide lookup: element offsets of its per-query indices
  std::array<double, kTile> reals;
  std::array<std::int64_t, kTile> key_offsets;  ///< of a tile-wide lookup: element offsets of its per-key indices
};

/// What a tile step reads: 32-bit lanes, either per element (`splat` false, rows `key_stride` apart) or one value per key
/// (`splat` true, values `key_stride` apart: 1 for a line of keys, 0 for a single value).
struct Operand {
  const void* lanes = nullptr;
  int key_stride = 0;
  bool splat = false;
};

class TileProgram {
 public:
  TileProgram() = default;
  /// `everything`: the box of all places of the problem. `formula` must outlive the program.
  TileProgram(const Formula& formula, const Over& over, const Box& everything);

  [[nodiscard]] const Formula& formula() const { return *formula_; }
  [[nodiscard]] bool empty() const { return formula_ == nullptr || formula_->empty(); }
  [[nodiscard]] Extent extent(int step) const { return extents_[static_cast<std::size_t>(step)]; }
  /// The tile-wide steps in order of evaluation.
  [[nodiscard]] const std::vector<int>& tile_steps() const { return tile_steps_; }
  /// Empty, or why the formula runs place by place.
  [[nodiscard]] const std::string& place_by_place() const { return place_by_place_; }

 private:
  void settle(const Over& over, const Box& everything);
  const Formula* formula_ = nullptr;
  std::vector<Extent> extents_;
  std::vector<int> tile_steps_;
  std::string place_by_place_;
};

/// The working memory of one thread for one program: lines, lanes and strips. All of it comes from `memory`.
class TileFrame {
 public:
  static constexpr int kStrip = 8;  ///< keys that a tile step handles at a time: its lanes stay in L1

  TileFrame() = default;
  [[nodiscard]] static std::size_t bytes(const TileProgram& program);
  /// memory: bytes(program), 64-byte aligned.
  TileFrame(const TileProgram& program, std::byte* memory);

  [[nodiscard]] const TileProgram& program() const { return *program_; }

  /// Called when the head, the tile of queries, the tile of keys changes; positions beyond the last repeat it.
  void bind_head(std::int64_t b, std::int64_t h, std::int64_t g);
  void bind_queries(std::span<const std::int64_t> positions);
  void bind_keys(std::span<const std::int64_t> positions);

  /// Lanes of `step` for keys from `key` on: a line, a strip, or the tile of scores itself.
  [[nodiscard]] Operand operand(int step, int key, const float* scores) const;
  /// Where tile step `step` writes its strip of [kStrip, 64] lanes.
  [[nodiscard]] void* strip(int step) const { return strips_ + static_cast<std::size_t>(strip_of_[step]) * kStrip * kTile * 4; }
  /// For a tile-wide lookup: element offsets of its per-head and per-query, and of its per-key indices, clamped into the table.
  [[nodiscard]] const std::int64_t* query_offsets(int step) const { return lines_[step].integers.data(); }
  [[nodiscard]] const std::int64_t* key_offsets(int step) const { return lines_[step].key_offsets.data(); }
  /// The place of an element, for evaluation place by place.
  [[nodiscard]] Place place(int query, int key, double s) const;
  [[nodiscard]] std::span<Value> values() const { return {values_, program_->formula().steps().size()}; }

 private:
  void evaluate(Extent extent, int count);
  void evaluate_line(int step, int count);
  void narrow(int step, int count);
  void locate(Extent extent);
  template <class Get>
  [[nodiscard]] std::int64_t clamped(int step, std::size_t axis, const Get& get) const;

  const TileProgram* program_ = nullptr;
  Line* lines_ = nullptr;            // [steps]
  std::uint32_t* lanes_ = nullptr;   // [steps, 64]: lines as 32-bit lanes
  std::byte* strips_ = nullptr;      // [tile steps, kStrip, 64] lanes
  Value* values_ = nullptr;          // [steps]
  int* strip_of_ = nullptr;          // [steps]
  std::int64_t* queries_ = nullptr;  // [64]
  std::int64_t* keys_ = nullptr;     // [64]
  std::int64_t b_ = 0, h_ = 0, g_ = 0;
};

}  // namespace heed::formula
