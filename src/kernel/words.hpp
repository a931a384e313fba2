// Words on f32 tiles, the same for all machines: kernel/simd writes them. What machines do their own way: products.hpp.
//
// A tile is kTile = 64 queries across and up to 64 keys down, in f32: S[j * 64 + i] is the score of query i and key j. Queries are
// lanes, so maximum, sum and rescaling of a row of attention are vertical, and no result of one query touches another.
// Qt is [D, 64] (queries transposed, scaled), O is [Dv, 64] (the output transposed, not yet divided by l).
// `lanes`: how many of the 64 queries exist; words may compute all lanes, but results of lanes beyond are never read.
// Every word is one line of the textbook; its meaning is the comment, and the tests in each machine's folder check it against that in
// double.
#pragma once

#include <cstdint>
#include <string_view>

#include <heed/tensor.hpp>

#include "formula/tile.hpp"

namespace heed::kernel {

using formula::kTile;

/// Rows of a matrix in memory: element (row, column) at data[row * row_stride + column * column_stride], strides in elements.
struct Rows {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  [[nodiscard]] Rows from(std::int64_t row) const {
    return {static_cast<const std::byte*>(data) + row * row_stride * size_of(dtype), dtype, row_stride, column_stride};
  }
};

/// The running softmax of 64 rows: S seen so far has maximum m, sum l of exp(S - m), and O = sum exp(S - m) V.
struct SoftmaxRows {
  float* m;  // [64]
  float* l;  // [64]
  float* o;  // [Dv, 64]
};

/// The same in double, for rows whose sums leave f32.
struct DoubleRows {
  double* m;  // [64]
  double* l;  // [64]
  double* o;  // [Dv, 64]
};

/// Row statistics of 64 rows, relative to their own maximum m: see state/tally.hpp.
struct TallyRows {
  float* m;         // [64] maximum score
  float* l;         // [64] sum of p,       p = exp(s - m)
  float* e;         // [64] sum of p (s - m)
  float* l2;        // [64] sum of p^2
  std::int64_t* n;  // [64] how many keys are seen
};

/// Where finished rows go.
struct OutputRows {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
};

/// scale = of_query * of_score. It multiplies q where that cannot leave f32 (|scale| <= 1), else the finished similarity: whatever the
/// data, no factor takes a product beyond f32 that is within it.
struct ScaleSplit {
  explicit constexpr ScaleSplit(float scale)
      : of_query(scale >= -1 && scale <= 1 ? scale : 1), of_score(scale >= -1 && scale <= 1 ? 1 : scale) {}
  float of_query, of_score;
};

struct Words {
  std::string_view name;

  /// rows f32 [count, columns], contiguous <- source, widened. Cost: count * columns.
  void (*widen)(const Rows& source, int count, int columns, float* rows);
  /// Qt[c, i] = scale * q[slots[i], c]; lanes beyond `count` are zero.
  void (*load_queries)(const Rows& source, const std::int64_t* slots, int count, int columns, float scale, float* qt);
  /// S[j, i] = sum_c k[j, c] Qt[c, i], j < keys; k rows are `k_stride` floats apart. Flops 2 keys lanes D. False when a score is
  /// not finite, or one of a lane beyond: whole vectors are looked at. A sum of finite numbers that leaves f32 is not, and stays so.
  bool (*scores)(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float* s);
  /// Whether every score is finite. Cost: a load and a multiply-add per vector.
  bool (*finite)(const float* s, int keys, int lanes);
  /// S[j, i] where it is not finite: of_score sum_c k[j, c] Qt[c, i] once more, in double, rounded once; NaN where that is finite, but
  /// beyond f32. The other places keep their bits.
  void (*scores_again)(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float of_score, float* s);
  /// S <- score formula of S, a NaN as the plain quiet one. `frame` is bound to the tile.
  void (*modify)(const formula::TileFrame& frame, int keys, int lanes, float* s);
  /// seen[j * 64 + i] = 1 where the mask shows key j to query i, else 0. `frame` is bound to the tile.
  void (*see)(const formula::TileFrame& frame, int keys, int lanes, std::uint8_t* seen);
  /// S = -inf where seen is 0.
  void (*hide)(const std::uint8_t* seen, int keys, int lanes, float* s);
  /// One step of the online softmax (Milakov & Gimelshein 2018, algorithm 3): m' = max(m, max_j S), rescale = exp(m - m'),
  /// S <- P = exp(S - m'), l <- l rescale + sum_j P. Any number of keys. A row that has seen nothing keeps m = -inf, P = 0, rescale = 1.
  void (*absorb)(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale);
  /// O[c, i] <- O[c, i] rescale[i] + sum_j v[j, c] P[j, i], j < keys. Flops 2 keys lanes Dv.
  void (*mix)(const float* p, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes, const float* rescale, float* o);
  /// The same where seen is 1 and nothing elsewhere: a zero weight times NaN would be NaN. Same bits where V is finite.
  void (*mix_careful)(const float* p, const std::uint8_t* seen, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                      const float* rescale, float* o);
  /// absorb with the state and P in double; S stays.
  void (*absorb_double)(const float* s, int keys, int lanes, const DoubleRows& state, double* rescale, double* p);
  /// mix in double, over the places where S is not -inf alone.
  void (*mix_double)(const double* p, const float* s, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                     const double* rescale, double* o);
  /// S <- exp(S - lse): the weights themselves. Rows with lse = -inf get 0.
  void (*weigh)(const float* lse, int keys, int lanes, float* s);
  /// Adds a tile of scores (before absorb) to row statistics.
  void (*tally)(const float* s, int keys, int lanes, const TallyRows& tally);
  /// state <- state merged with part, in this order. Rows whose part has seen nothing keep their bits.
  void (*merge)(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes);
  /// out[i, c] = O[c, i] / l[i], rounded to nearest even; rows that saw nothing (l = 0 or O untouched by any key) give 0.
  void (*finish)(const SoftmaxRows& state, int value_dim, int lanes, const OutputRows& out);

  /// S <- factor S, of scores that were all finite or not (`all`); whether they all are now.
  [[nodiscard]] bool scale(float factor, bool all, int keys, int lanes, float* s) const {
    if (factor == 1) return all;
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < lanes; ++i) s[j * kTile + i] *= factor;
    }
    return finite(s, keys, lanes);
  }
};

/// The words of the best machine here: for planning, and for kernels that are the same walk on any machine. See table.cpp.
[[nodiscard]] const Words& best_words();

}  // namespace heed::kernel
