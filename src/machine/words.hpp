// Words: the careful ones, on f32 tiles (in double: double.hpp), the same for all machines; machine/simd writes them. What machines do
// their own way: machine.hpp.
//
// A tile is kTile = 64 queries across and up to 64 keys down, in f32: S[j * 64 + i] is the score of query i and key j. Queries are
// lanes, so nothing here crosses lanes, and no result of one query touches another.
// Qt is [D, 64] (queries transposed, scaled), O is [Dv, 64] (the output transposed, not yet divided by l).
// `lanes`: how many of the 64 queries exist; words may compute all lanes, but results of lanes beyond are never read.
// Every word is one line of the textbook; its meaning is the comment, and the tests in simd/ check it against that in double.
#pragma once

#include <cstdint>

#include "base/rows.hpp"
#include "base/tile.hpp"
#include "state/weighing.hpp"

namespace heed::machine {

using base::kTile;
using base::OutputRows;
using base::Rows;

/// Rows of keys or values, contiguous each, `stride` elements apart.
template <class T>
struct Lines {
  const T* data;
  std::int64_t stride;
};

/// Of a tile: D or Dv, keys, queries.
struct Shape {
  int dim = 0, keys = 0, lanes = 0;
};

/// scale = of_query * of_score. It multiplies q where that cannot leave f32 (|scale| <= 1), else the finished similarity: whatever the
/// data, no factor takes a product beyond f32 that is within it.
struct ScaleSplit {
  explicit constexpr ScaleSplit(float scale)
      : of_query(scale >= -1 && scale <= 1 ? scale : 1), of_score(scale >= -1 && scale <= 1 ? 1 : scale) {}
  float of_query, of_score;
};

/// rows f32 [count, columns], contiguous <- source, widened. Cost: count * columns.
void widen(const Rows& source, int count, int columns, float* rows);
/// Qt[c, i] = scale * q[slots[i], c]; lanes beyond `count` are zero.
void load_queries(const Rows& source, const std::int64_t* slots, int count, int columns, float scale, float* qt);
/// S[j, i] = sum_c k[j, c] Qt[c, i], j < keys. Flops 2 keys lanes D. False when a score is not finite, or one of a lane beyond: whole
/// vectors are looked at. A sum of finite numbers that leaves f32 is not, and stays so.
bool scores(const float* qt, const Lines<float>& k, const Shape& shape, float* s);
/// S <- factor S, of scores that were all finite or not (`all`); whether they all are now.
[[nodiscard]] bool scale(float factor, bool all, int keys, int lanes, float* s);
/// Whether every score is finite. Cost: a load and a multiply-add per vector.
bool finite(const float* s, int keys, int lanes);
/// S[j, i] where it is not finite: of_score sum_c k[j, c] Qt[c, i] once more, in double, rounded once; NaN where that is finite, but
/// beyond f32. The other places keep their bits.
void scores_again(const float* qt, const Lines<float>& k, const Shape& shape, float of_score, float* s);
/// O[c, i] <- O[c, i] rescale[i] + sum_j v[j, c] P[j, i], j < keys. Flops 2 keys lanes Dv.
void mix(const float* p, const Lines<float>& v, const Shape& shape, const float* rescale, float* o);
/// The same where seen is 1 and nothing elsewhere: a zero weight times NaN would be NaN. Same bits where V is finite.
void mix_careful(const float* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const float* rescale, float* o);
/// O <- a O + b O', on [Dv, 64].
void blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes);
/// out[i, c] = O[c, first + i] / divisor[first + i], rounded to nearest even, for `lanes` lanes of O as [Dv, 64].
void finish(const float* o, const float* divisor, int value_dim, int first, int lanes, const OutputRows& out);

}  // namespace heed::machine
