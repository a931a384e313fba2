// TileFormulas: one thread's means to change tiles of scaled scores by the score formulas and the mask, in float or double, as the
// programs of the question hold scores.
//
// bind a tile of queries, then alter tiles of keys: S [keys, 64], keys down, queries across; hidden places become -inf.
// The memory is the frames of the two formulas, a tile of scores and 64 x 64 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "base/tile.hpp"
#include "formula/tile.hpp"
#include "problem/question.hpp"

namespace heed::walk {

using base::kTile;
using formula::Verdict;
using problem::QueryTile;

class TileFormulas {
 public:
  /// `most_lanes`: of a tile of queries, as the machine has it.
  TileFormulas(const problem::Question& question, int most_lanes, base::Arena& arena);

  void bind(const QueryTile& queries);
  /// Any query slots of one head, at most 64.
  void bind(std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots);
  [[nodiscard]] const QueryTile& queries() const { return tile_; }
  [[nodiscard]] int lanes() const { return tile_.lanes(); }
  /// How many keys tile `tile` has.
  [[nodiscard]] int keys(std::int64_t tile) const;
  /// Whether alter() does anything to such a tile.
  [[nodiscard]] bool alters(Verdict verdict) const { return verdict == Verdict::kPartial || !question_.formulas.score_program.empty(); }
  /// s <- formulas and mask on scaled scores of lanes [first, first + lanes); s points at the first.
  template <class F>
  void alter(std::int64_t tile, Verdict verdict, F* s, int first, int lanes);
  /// The mask's part of alter(): s <- -inf where hidden.
  template <class F>
  void hide(std::int64_t tile, F* s, int first, int lanes);
  /// After alter() without the mask, of a tile of one head: s <- NaN where the formulas have no value on the scores as they were, `scaled`.
  /// Visible places without one have it already; hidden ones hold what a clamped lookup gave.
  void spoil_broken(std::int64_t tile, const float* scaled, float* s) const;
  /// A tile of scores [64, 64] that alter() may overwrite.
  template <class F>
  [[nodiscard]] F* spare() const {
    return static_cast<F*>(spare_);
  }

 private:
  void bind_programs(int first, int lanes);
  /// The positions of a tile's keys.
  struct Positions {
    std::array<std::int64_t, kTile> of{};
    int count = 0;
    [[nodiscard]] std::span<const std::int64_t> line() const { return std::span(of).first(static_cast<std::size_t>(count)); }
  };
  [[nodiscard]] Positions key_positions(std::int64_t tile) const;
  template <class F>
  void modify(F* s, int keys, int first, int lanes);

  const problem::Question& question_;
  void* spare_;  // [64, 64] scores of one head of several
  std::uint8_t* seen_;
  formula::TileFrame mask_;
  std::span<formula::TileFrame> scores_;  // one for each head whose scores the formula tells apart
  QueryTile tile_;
  std::array<std::int64_t, kTile> positions_{}, rows_{};
  int bound_first_ = -1, bound_lanes_ = 0;
};

/// seen[j, i] = 1 where the final score is not -inf.
void seen_from_scores(const float* s, int keys, std::uint8_t* seen);
void seen_from_scores(const double* s, int keys, std::uint8_t* seen);

}  // namespace heed::walk
