// Norms: one thread's means to look at rows of attention once more: their scores, and what makes weights of them.
//
// Another machine's products, another order of sums or a row that was folded again give other last bits of S, and of a score of size x
// those are x 2^-24: exp(S - L) with an L made elsewhere would miss the sum of 1 by as much. So a norm is made of the very scores that are
// weighed: tallied tile by tile and merged block by block as fold does it. Fold with statistics sees the same scores in the same order, so
// the norms that it leaves are these, bit for bit; those of rows that it mended are not known, and are made here.
// Checked: laws/census_test.cpp, NormsOfTheRunChangeNoBit.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "problem/tiles.hpp"
#include "state/norm.hpp"
#include "state/weighing.hpp"
#include "walk/census.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {

/// One of the heads that are looked at; `place` among them, which is its index in the outputs.
struct CensusHead {
  std::int64_t b = 0, h = 0, place = 0;
};
/// All of them, of one sequence after the other.
[[nodiscard]] std::vector<CensusHead> census_heads(const CensusJob& job);

class CensusRows {
 public:
  /// `key_places`: how many tiles of keys stay valid at a time.
  CensusRows(const CensusJob& job, base::Arena& arena, std::int64_t key_places);

  /// Binds a tile of queries.
  void bind(const CensusHead& of, std::int64_t row);
  /// Binds any query slots of one head, as many as the products take at most.
  void bind(const CensusHead& of, std::span<const std::int64_t> slots);
  [[nodiscard]] int lanes() const { return scores_.lanes(); }
  [[nodiscard]] int keys(std::int64_t tile) const { return scores_.keys(tile); }
  [[nodiscard]] TileScores& scores() { return scores_; }
  [[nodiscard]] float* s() const { return s_; }

  /// norms <- of these query slots, as the caller gave them; whether all are known.
  [[nodiscard]] bool take_norms(const CensusHead& of, std::span<const std::int64_t> slots, std::span<state::Norm> norms) const;
  /// norms <- of the rows that are bound, which see these tiles, made of their scores.
  void make_norms(std::span<const problem::Run> runs, std::span<state::Norm> norms);
  /// From now on weights are those of these norms of the rows that are bound.
  void weigh_by(std::span<const state::Norm> norms);
  [[nodiscard]] state::NormRows norms() const { return {base_, share_}; }
  /// Makes scores in s() what exp(S - base) share takes as they are: a NaN where a row that holds one sees a key, -inf in lanes that
  /// are none.
  void settle(int keys);

 private:
  const CensusJob& job_;
  TileScores scores_;
  float *s_, *base_, *share_;
  state::TallyRows part_, all_;
  CensusHead of_;
  std::uint64_t broken_ = 0;  // rows that hold a NaN
};

}  // namespace heed::walk
