// DoubleFold: O of rows whose sums left f32 (Mixing::overflown), once more from key 0 in double. Tiles of keys in ascending order from
// the start state: what a row gets depends on nothing but the row and the keys it sees.
//
//   for each visible tile:  S by the careful words;  absorb, mix in double;      O = o / l, rounded once to the output's dtype
//
// O alone: L and the statistics are sums of weights, which cannot leave f32. o <= Tk max |V| < 2^192 stays in double, so O is right
// wherever it is within the output's range. Cost: up to ten times a fold in f32, for the tiles of queries that hold such a row.
// Memory per thread: 64 x 64 weights and 64 x Dv sums in double. Checked: laws/overflow_test.cpp.
#pragma once

#include <cstdint>

#include "base/arena.hpp"
#include "problem/outputs.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {

class DoubleFold {
 public:
  /// What it works with besides: a tile of scores, a tile of widened values [64, Dv], and 64 x 64 bytes.
  struct Buffers {
    float *s, *v;
    std::uint8_t* seen;
  };
  DoubleFold(const problem::Question& question, base::Arena& arena);
  /// Writes O of `rows` of the tile of queries that `scores` is bound to; `row`: which tile of queries it is.
  void fold(TileScores& scores, const QueryTile& queries, std::int64_t row, std::uint64_t rows, const Buffers& buffers,
            const problem::RowWriter& out);

 private:
  void start(const QueryTile& queries);
  void write(const QueryTile& queries, std::uint64_t rows, const problem::RowWriter& out) const;

  const problem::Question& question_;
  const state::DoubleWeighing& weighing_;
  double *state_, *o_, *p_, *rescale_;
};

}  // namespace heed::walk
