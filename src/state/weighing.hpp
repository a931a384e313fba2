// Weighing: how the scores of 64 rows become weights, and what divides the output. A row of the table is one way; each has its definition
// in double beside it (softmax.hpp).
//
// A tile of scores is f32 [keys, 64]: S[j * 64 + i] is the score of query i and key j. Queries are lanes, so nothing here crosses lanes.
// `lanes` of the 64 exist; all may be computed, but results of lanes beyond are never read. `state` is f32 [lines, 64], what is kept of
// the scores seen so far; O belongs to the mixing, which is told the factors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace heed::state {

struct Weighing {
  std::string_view name, text;  ///< "softmax", "exp(s - L)"
  int lines;                    ///< of 64 numbers, in a state
  bool sinks;                   ///< has start states other than the identity
  /// state <- the identity, or where `sinks` (64 logits, -inf: none) is given the states that have absorbed them.
  void (*start)(float* state, const float* sinks);
  /// S <- P, not normalised; rescale: the factor of what is mixed already. Any number of keys.
  void (*absorb)(float* s, int keys, int lanes, float* state, float* rescale);
  /// state <- state merged with part, in this order; O <- a O + b O'. Where part has seen nothing: a = 1, b = -0, which moves no bit of O
  /// (O' is +0 there).
  void (*merge)(float* state, const float* part, int lanes, float* a, float* b);
  /// Bit i: row i has seen a key, whose score may have been NaN.
  std::uint64_t (*begun)(const float* state, int lanes);
  /// What O is divided by, 1 for a row that has seen nothing, NaN for one of NaN; and L (null: not wanted), -inf for such a row.
  void (*finish)(const float* state, int lanes, float* divisor, float* lse);
  /// S <- exp(S - L), normalised. Rows with L = -inf get 0.
  void (*weights)(float* s, int keys, int lanes, const float* lse);
};

/// The weighings; the first is what a problem has that names none.
[[nodiscard]] std::span<const Weighing> weighings();

/// softmax: state [m, l]: the maximum of the scores seen so far and the sum of exp(s - m); O = sum exp(s - m) v.
[[nodiscard]] const Weighing& softmax();

/// Row statistics of 64 rows, relative to their own maximum m: see tally.hpp.
struct TallyRows {
  float* m;         // [64] maximum score
  float* l;         // [64] sum of p,       p = exp(s - m)
  float* e;         // [64] sum of p (s - m)
  float* l2;        // [64] sum of p^2
  std::int64_t* n;  // [64] how many keys are seen
};
/// Adds a tile of scores (before absorb) to row statistics.
void tally(const float* s, int keys, int lanes, const TallyRows& tally);

/// The running softmax of 64 rows in double, for rows whose sums leave f32.
struct DoubleRows {
  double* m;  // [64]
  double* l;  // [64]
  double* o;  // [Dv, 64]
};

}  // namespace heed::state
