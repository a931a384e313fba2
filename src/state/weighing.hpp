// The softmax of 64 rows at a time: how scores become weights and output, on tiles of scores in L1.
//
// A tile of scores is f32 [keys, 64]: S[j * 64 + i] is the score of query i and key j. Queries are lanes, so nothing here crosses lanes.
// `lanes` of the 64 exist; all may be computed, but results of lanes beyond are never read. The definition is SoftmaxState and Tally.
#pragma once

#include <cstdint>

namespace heed::state {

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

/// Row statistics of 64 rows, relative to their own maximum m: see tally.hpp.
struct TallyRows {
  float* m;         // [64] maximum score
  float* l;         // [64] sum of p,       p = exp(s - m)
  float* e;         // [64] sum of p (s - m)
  float* l2;        // [64] sum of p^2
  std::int64_t* n;  // [64] how many keys are seen
};

/// One step of the online softmax (Milakov & Gimelshein 2018, algorithm 3): m' = max(m, max_j S), rescale = exp(m - m'),
/// S <- P = exp(S - m'), l <- l rescale + sum_j P. Any number of keys. A row that has seen nothing keeps m = -inf, P = 0, rescale = 1.
void absorb(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale);
/// state <- state merged with part, in this order. Rows whose part has seen nothing keep their bits.
void merge(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes);
/// S <- exp(S - lse): the weights themselves. Rows with lse = -inf get 0.
void weigh(const float* lse, int keys, int lanes, float* s);
/// Adds a tile of scores (before absorb) to row statistics.
void tally(const float* s, int keys, int lanes, const TallyRows& tally);

}  // namespace heed::state
