// The words between the two products, on a tile of scores in L1: absorb, merge, weights; tally in double (in f32: tally.cpp). Queries are
// lanes, so nothing here crosses lanes. Cost of absorb: two passes, about 18 operations per vector of scores.
//
// Numerics: float32 throughout, or double throughout (of f64 tensors, and for rows whose sums leave f32); exp to 1.5 units in the last
// place; a row that has seen nothing has m = -inf and subtracts 0 instead, so that -inf - -inf never happens; NaN and +inf scores make
// their own row NaN.
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/targets.hpp"
#include "base/tile.hpp"
#include "state/weighing.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "state/softmax.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "base/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::state::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using base::HWY_NAMESPACE::exp_of;
using base::HWY_NAMESPACE::exp_of_negative;

/// Vectors of F, float or double.
template <class F>
using Lanes = hn::CappedTag<F, 64>;
template <class F>
using Numbers = hn::Vec<Lanes<F>>;

template <class F, class Function>
HWY_INLINE void for_lanes(int lanes, Function&& function) {
  const int width = static_cast<int>(hn::Lanes(Lanes<F>()));
  for (int lane = 0; lane < lanes; lane += width) function(lane);
}

template <class F>
HWY_INLINE Numbers<F> minus_infinity() {
  return hn::Set(Lanes<F>(), -std::numeric_limits<F>::infinity());
}

/// m itself, or 0 where it is -inf: what to subtract.
template <class F>
HWY_INLINE Numbers<F> finite_base(Numbers<F> m) {
  return hn::IfThenZeroElse(hn::Eq(m, minus_infinity<F>()), m);
}

/// max over the keys of one vector of queries, starting from m.
template <class F>
HWY_INLINE Numbers<F> column_maximum(const F* s, int keys, int lane, Numbers<F> m) {
  const Lanes<F> d;
  for (int j = 0; j < keys; ++j) m = hn::Max(hn::LoadU(d, s + std::int64_t{64} * j + lane), m);
  return m;
}

template <class F>
void absorb_tile(F* s, int keys, int lanes, F* state, F* rescale) {
  using V = Numbers<F>;
  const Lanes<F> d;
  F *const top = state, *const sums = state + 64;
  for_lanes<F>(lanes, [&](int lane) {
    const V before = hn::LoadU(d, top + lane);
    const V m = column_maximum(s, keys, lane, before);
    const V base = finite_base<F>(m);
    V sum = hn::Zero(d);
    for (int j = 0; j < keys; ++j) {
      const V p = exp_of_negative(d, hn::Sub(hn::LoadU(d, s + std::int64_t{64} * j + lane), base));
      sum = hn::Add(sum, p);
      hn::StoreU(p, d, s + std::int64_t{64} * j + lane);
    }
    // m = before gives exactly 1, also for a row that has seen nothing (-inf - 0 would give 0).
    const V shrink = hn::IfThenElse(hn::Eq(m, before), hn::Set(d, F{1}), exp_of_negative(d, hn::Sub(before, base)));
    hn::StoreU(shrink, d, rescale + lane);
    hn::StoreU(m, d, top + lane);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, sums + lane), shrink, sum), d, sums + lane);
  });
}

template <class F>
void weigh_tile(const F* lse, int keys, int lanes, F* s) {
  const Lanes<F> d;
  for_lanes<F>(lanes, [&](int lane) {
    const auto base = hn::LoadU(d, lse + lane);
    const auto nothing = hn::Eq(base, minus_infinity<F>());
    for (int j = 0; j < keys; ++j) {
      F* const place = s + std::int64_t{64} * j + lane;
      hn::StoreU(hn::IfThenZeroElse(nothing, exp_of(d, hn::Sub(hn::LoadU(d, place), base))), d, place);
    }
  });
}

/// Sums over some keys of one vector of queries, relative to `base`.
template <class F>
struct TallySums {
  Numbers<F> l, e, l2, n;
};

template <class F>
HWY_INLINE TallySums<F> tally_keys(const F* s, int first, int last, int lane, Numbers<F> base) {
  const Lanes<F> d;
  TallySums<F> sums{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int j = first; j < last; ++j) {
    const auto score = hn::LoadU(d, s + std::int64_t{64} * j + lane);
    const auto x = hn::Sub(score, base);
    const auto p = exp_of_negative(d, x);
    sums.l = hn::Add(sums.l, p);
    sums.l2 = hn::MulAdd(p, p, sums.l2);
    sums.e = hn::Add(sums.e, hn::IfThenZeroElse(hn::Eq(p, hn::Zero(d)), hn::Mul(p, x)));  // 0 * -inf is not meant
    sums.n = hn::Add(sums.n, hn::IfThenZeroElse(hn::Eq(score, minus_infinity<F>()), hn::Set(d, F{1})));
  }
  return sums;
}

/// Sixteen keys at a time: short chains of additions keep the statistics within their tolerance.
template <class F>
HWY_INLINE TallySums<F> sums_of_tile(const F* s, int keys, int lane, Numbers<F> base) {
  const Lanes<F> d;
  TallySums<F> all{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int first = 0; first < keys; first += 16) {
    const TallySums<F> part = tally_keys(s, first, HWY_MIN(first + 16, keys), lane, base);
    all = {hn::Add(all.l, part.l), hn::Add(all.e, part.e), hn::Add(all.l2, part.l2), hn::Add(all.n, part.n)};
  }
  return all;
}

template <class F>
void tally_tile(const F* s, int keys, int lanes, const TallyRowsOf<F>& tally) {
  using V = Numbers<F>;
  const Lanes<F> d;
  for_lanes<F>(lanes, [&](int lane) {
    const V before = hn::LoadU(d, tally.m + lane);
    const V m = column_maximum(s, keys, lane, before);
    const TallySums<F> tile = sums_of_tile(s, keys, lane, finite_base<F>(m));
    // Everything so far moves from the old maximum to the new: p by r, p (s - m) also by the distance.
    const auto first = hn::Eq(before, minus_infinity<F>());
    const V distance = hn::IfThenZeroElse(hn::Or(first, hn::Eq(m, before)), hn::Sub(before, m));
    const V r = hn::IfThenZeroElse(first, exp_of_negative(d, distance));
    const V step = hn::IfThenZeroElse(hn::Eq(r, hn::Zero(d)), distance);  // 0 * -inf is not meant
    const V l_before = hn::LoadU(d, tally.l + lane);
    hn::StoreU(hn::MulAdd(r, hn::MulAdd(step, l_before, hn::LoadU(d, tally.e + lane)), tile.e), d, tally.e + lane);
    hn::StoreU(hn::MulAdd(r, l_before, tile.l), d, tally.l + lane);
    hn::StoreU(hn::MulAdd(hn::Mul(r, r), hn::LoadU(d, tally.l2 + lane), tile.l2), d, tally.l2 + lane);
    hn::StoreU(m, d, tally.m + lane);
    const int width = static_cast<int>(hn::Lanes(d));
    HWY_ALIGN F counts[64];
    hn::StoreU(tile.n, d, counts);
    for (int i = 0; i < width; ++i) tally.n[lane + i] += static_cast<std::int64_t>(counts[i]);
  });
}

template <class F>
void merge_rows(F* state, const F* part, int lanes, F* a, F* b) {
  using V = Numbers<F>;
  const Lanes<F> d;
  for_lanes<F>(lanes, [&](int lane) {
    const V m_state = hn::LoadU(d, state + lane), m_part = hn::LoadU(d, part + lane);
    const V l_state = hn::LoadU(d, state + 64 + lane), l_part = hn::LoadU(d, part + 64 + lane);
    // A row of NaN scores has m = -inf as well, but a sum that is NaN.
    const auto nothing = hn::And(hn::Eq(m_part, minus_infinity<F>()), hn::Eq(l_part, hn::Zero(d)));
    const V m = hn::Max(m_state, m_part);
    const V base = finite_base<F>(m);
    const V of_state = hn::IfThenElse(hn::Eq(m, m_state), hn::Set(d, F{1}), exp_of_negative(d, hn::Sub(m_state, base)));
    const V of_part = hn::IfThenElse(hn::Eq(m, m_part), hn::Set(d, F{1}), exp_of_negative(d, hn::Sub(m_part, base)));
    hn::StoreU(hn::IfThenElse(nothing, hn::Set(d, F{1}), of_state), d, a + lane);
    hn::StoreU(hn::IfThenElse(nothing, hn::Set(d, F{-0.0}), of_part), d, b + lane);
    hn::StoreU(hn::IfThenElse(nothing, l_state, hn::MulAdd(l_part, of_part, hn::Mul(l_state, of_state))), d, state + 64 + lane);
    hn::StoreU(m, d, state + lane);
  });
}

void Absorb(float* s, int keys, int lanes, float* state, float* rescale) {
  absorb_tile(s, keys, lanes, state, rescale);
}
void AbsorbDouble(double* s, int keys, int lanes, double* state, double* rescale) {
  absorb_tile(s, keys, lanes, state, rescale);
}
void Weigh(const float* lse, int keys, int lanes, float* s) {
  weigh_tile(lse, keys, lanes, s);
}
void WeighDouble(const double* lse, int keys, int lanes, double* s) {
  weigh_tile(lse, keys, lanes, s);
}
void TallyDouble(const double* s, int keys, int lanes, const DoubleTallyRows& tally) {
  tally_tile(s, keys, lanes, tally);
}
void Merge(float* state, const float* part, int lanes, float* a, float* b) {
  merge_rows(state, part, lanes, a, b);
}
void MergeDouble(double* state, const double* part, int lanes, double* a, double* b) {
  merge_rows(state, part, lanes, a, b);
}

}  // namespace heed::state::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::state {

using base::kTile;

HWY_EXPORT(Absorb);
HWY_EXPORT(AbsorbDouble);
HWY_EXPORT(Weigh);
HWY_EXPORT(WeighDouble);
HWY_EXPORT(TallyDouble);
HWY_EXPORT(Merge);
HWY_EXPORT(MergeDouble);

void tally(const double* s, int keys, int lanes, const DoubleTallyRows& rows) {
  HWY_DYNAMIC_DISPATCH(TallyDouble)(s, keys, lanes, rows);
}

namespace {

void absorb(float* s, int keys, int lanes, float* state, float* rescale) {
  HWY_DYNAMIC_DISPATCH(Absorb)(s, keys, lanes, state, rescale);
}
void absorb(double* s, int keys, int lanes, double* state, double* rescale) {
  HWY_DYNAMIC_DISPATCH(AbsorbDouble)(s, keys, lanes, state, rescale);
}
void merge(float* state, const float* part, int lanes, float* a, float* b) {
  HWY_DYNAMIC_DISPATCH(Merge)(state, part, lanes, a, b);
}
void merge(double* state, const double* part, int lanes, double* a, double* b) {
  HWY_DYNAMIC_DISPATCH(MergeDouble)(state, part, lanes, a, b);
}
void weights(float* s, int keys, int lanes, const float* lse) {
  HWY_DYNAMIC_DISPATCH(Weigh)(lse, keys, lanes, s);
}
void weights(double* s, int keys, int lanes, const double* lse) {
  HWY_DYNAMIC_DISPATCH(WeighDouble)(lse, keys, lanes, s);
}

template <class F>
constexpr F kMinusInfinity = -std::numeric_limits<F>::infinity();

template <class F>
void start(F* state, const F* sinks) {
  for (int i = 0; i < kTile; ++i) {
    state[i] = sinks == nullptr ? kMinusInfinity<F> : sinks[i];
    state[kTile + i] = state[i] == kMinusInfinity<F> ? F{0} : F{1};
  }
}

template <class F>
std::uint64_t begun(const F* state, int lanes) {
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) found |= static_cast<std::uint64_t>(state[i] != kMinusInfinity<F>) << i;
  return found;
}

template <class F>
void finish(const F* state, int lanes, F* divisor, F* lse) {
  for (int i = 0; i < lanes; ++i) {
    const F m = state[i], l = state[kTile + i];
    divisor[i] = l == F{0} ? F{1} : l;
    if (lse != nullptr) lse[i] = l == F{0} ? kMinusInfinity<F> : m + std::log(l);
  }
}

template <class F>
constexpr auto kAbsorbAndTally = static_cast<void (*)(F*, int, int, F*, const TallyRowsOf<F>&, F*)>(nullptr);
template <>
constexpr auto kAbsorbAndTally<float> = softmax_and_tally;

template <class F>
constexpr WeighingOf<F> kWeighings[] = {{.name = "softmax",
                                         .text = "exp(s - L)",
                                         .lines = 2,
                                         .sinks = true,
                                         .start = start<F>,
                                         .absorb = absorb,
                                         .merge = merge,
                                         .begun = begun<F>,
                                         .finish = finish<F>,
                                         .weights = weights,
                                         .absorb_and_tally = kAbsorbAndTally<F>}};

}  // namespace

std::span<const Weighing> weighings() {
  return kWeighings<float>;
}

const Weighing& softmax() {
  return kWeighings<float>[0];
}

const DoubleWeighing& in_double(const Weighing& weighing) {
  return kWeighings<double>[&weighing - kWeighings<float>];
}

}  // namespace heed::state
#endif
