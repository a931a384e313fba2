// TileScores: one thread's means to make tiles of final scores: similarity, score formulas, mask. Shared by every walk.
//
// bind a head, a tile of queries, then ask for tiles of keys: S [keys, 64], keys down, queries across; hidden places are -inf.
// The memory is kTile (D + D when K is not f32 rows) floats, the frames of the two formulas and 64 x 64 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "kernel/words.hpp"
#include "plan/body.hpp"

namespace heed::walk {

using formula::kTile;
using formula::Verdict;

/// Rows [T, D] of one head of a [B, H, T, D] tensor.
[[nodiscard]] kernel::Rows rows_of(const TensorView& tensor, std::int64_t b, std::int64_t h);

/// f32 rows with unit column stride are read where they lie; others are widened into `buffer`, a tile at a time.
struct FloatRows {
  const float* data;
  std::int64_t stride;
};
[[nodiscard]] inline bool in_place(const TensorView& tensor) {
  return tensor.dtype == DType::kF32 && tensor.strides[3] == 1;
}
[[nodiscard]] FloatRows float_rows(const kernel::Words& words, const kernel::Rows& rows, bool in_place, int count, int columns,
                                   float* buffer);

class TileScores {
 public:
  [[nodiscard]] static std::size_t bytes(const plan::Body& body, bool keys_in_place);
  TileScores(const plan::Body& body, const kernel::Words& words, bool keys_in_place, base::Arena& arena);

  void bind_head(const TensorView& q, const TensorView& k, std::int64_t b, std::int64_t h);
  /// Query slots, at most 64.
  void bind_queries(std::span<const std::int64_t> slots);
  void bind_query_tile(std::int64_t tile);
  [[nodiscard]] int lanes() const { return lanes_; }
  /// How many keys tile `tile` has.
  [[nodiscard]] int keys(std::int64_t tile) const;
  /// s <- final scores of keys [64 tile, …). A Full tile pays nothing for the mask, an empty score formula nothing for modifying.
  void make(std::int64_t tile, Verdict verdict, float* s);
  /// Which places of the tile last made the mask shows: [keys, 64]; valid after make() with Partial.
  [[nodiscard]] const std::uint8_t* seen() const { return seen_; }

 private:
  const plan::Body& body_;
  const kernel::Words& words_;
  bool keys_in_place_;
  float* qt_;
  float* k_buffer_;
  std::uint8_t* seen_;
  formula::TileFrame mask_, score_;
  kernel::Rows q_, k_;
  std::int64_t b_ = 0;
  int lanes_ = 0;
};

/// seen[j, i] = 1 where the final score is not -inf.
void seen_from_scores(const float* s, int keys, std::uint8_t* seen);

}  // namespace heed::walk
