// Weighing: how the scores of 64 rows become weights, and what divides the output. A row of the table is one way; each has its definition
// in double beside it (softmax.hpp).
//
// A tile of scores is f32 [keys, 64] (f64 where scores are held in double): S[j * 64 + i] is the score of query i and key j. Queries are
// lanes, so nothing here crosses lanes. `lanes` of the 64 exist; all may be computed, but results of lanes beyond are never read. `state`
// is f32 [lines, 64], what is kept of the scores seen so far; O belongs to the mixing, which is told the factors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace heed::state {

template <class F>
struct TallyRowsOf;

/// F: float, or double of f64 tensors and for rows whose sums leave f32.
template <class F>
struct WeighingOf {
  std::string_view name, text;  ///< "softmax", "exp(s - L)"
  int lines;                    ///< of 64 numbers, in a state
  bool sinks;                   ///< has start states other than the identity
  /// state <- the identity, or where `sinks` (64 logits, -inf: none) is given the states that have absorbed them.
  void (*start)(F* state, const F* sinks);
  /// S <- P, not normalised; rescale: the factor of what is mixed already. Any number of keys.
  void (*absorb)(F* s, int keys, int lanes, F* state, F* rescale);
  /// state <- state merged with part, in this order; O <- a O + b O'. Where part has seen nothing: a = 1, b = -0, which moves no bit of O
  /// (O' is +0 there).
  void (*merge)(F* state, const F* part, int lanes, F* a, F* b);
  /// Bit i: row i has seen a key, whose score may have been NaN.
  std::uint64_t (*begun)(const F* state, int lanes);
  /// What O is divided by, 1 for a row that has seen nothing, NaN for one of NaN; and L (null: not wanted), -inf for such a row.
  void (*finish)(const F* state, int lanes, F* divisor, F* lse);
  /// S <- exp(S - L), normalised. Rows with L = -inf get 0.
  void (*weights)(F* s, int keys, int lanes, const F* lse);
  /// absorb() and tally() of the same scores at the price of one exp: the bits of both. `state` and `tally` have absorbed the same keys
  /// until now, no sink among them. Null: one after the other.
  void (*absorb_and_tally)(F* s, int keys, int lanes, F* state, const TallyRowsOf<F>& tally, F* rescale) = nullptr;
};
using Weighing = WeighingOf<float>;
using DoubleWeighing = WeighingOf<double>;

/// The weighings; the first is what a problem has that names none.
[[nodiscard]] std::span<const Weighing> weighings();

/// softmax: state [m, l]: the maximum of the scores seen so far and the sum of exp(s - m); O = sum exp(s - m) v.
[[nodiscard]] const Weighing& softmax();
/// The same way in double.
[[nodiscard]] const DoubleWeighing& in_double(const Weighing& weighing);

/// Row statistics of 64 rows, relative to their own maximum m: see tally.hpp.
template <class F>
struct TallyRowsOf {
  F* m;             // [64] maximum score
  double* l;        // [64] sum of p,       p = exp(s - m)
  F* e;             // [64] sum of p (s - m)
  F* l2;            // [64] sum of p^2
  std::int64_t* n;  // [64] how many keys are seen
};
using TallyRows = TallyRowsOf<float>;
using DoubleTallyRows = TallyRowsOf<double>;
/// Adds a tile of scores (before absorb) to row statistics.
void tally(const float* s, int keys, int lanes, const TallyRows& tally);
void tally(const double* s, int keys, int lanes, const DoubleTallyRows& tally);
/// absorb_and_tally of softmax.
void softmax_and_tally(float* s, int keys, int lanes, float* state, const TallyRows& tally, float* rescale);

/// What makes weights of the scores of 64 rows: P = exp(S - base) share; see norm.hpp.
struct NormRows {
  const float *base, *share;  // [64]
};
inline constexpr int kReceived = 16;  ///< parts of a sum over queries
/// received[j][..] += parts of sum_i P[j, i], kReceived of them; pooled[i] = sum_j P[j, i] where it is not null, of at most 16 keys.
/// P = exp(S - base) share, no S above its `base`. Lanes beyond `lanes` must hold -inf.
void receive(const float* s, int keys, int lanes, const NormRows& norms, float* received, float* pooled);

}  // namespace heed::state
