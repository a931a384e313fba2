// The words between the two products, on a tile of scores in L1: absorb, merge, weights, tally. Queries are lanes, so nothing here
// crosses lanes. Cost of absorb: two passes, about 18 operations per vector of scores.
//
// Numerics: float32 throughout; exp to 1.5 units in the last place; a row that has seen nothing has m = -inf and subtracts 0 instead,
// so that -inf - -inf never happens; NaN and +inf scores make their own row NaN.
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

using DF = hn::CappedTag<float, 64>;
using VF = hn::Vec<DF>;
using base::HWY_NAMESPACE::exp_of;
using base::HWY_NAMESPACE::exp_of_negative;

template <class Function>
HWY_INLINE void for_lanes(int lanes, Function&& function) {
  const int width = static_cast<int>(hn::Lanes(DF()));
  for (int lane = 0; lane < lanes; lane += width) function(lane);
}

HWY_INLINE VF minus_infinity() {
  return hn::Set(DF(), -std::numeric_limits<float>::infinity());
}

/// m itself, or 0 where it is -inf: what to subtract.
HWY_INLINE VF finite_base(VF m) {
  return hn::IfThenZeroElse(hn::Eq(m, minus_infinity()), m);
}

/// max over the keys of one vector of queries, starting from m.
HWY_INLINE VF column_maximum(const float* s, int keys, int lane, VF m) {
  const DF d;
  for (int j = 0; j < keys; ++j) m = hn::Max(hn::LoadU(d, s + std::int64_t{64} * j + lane), m);
  return m;
}

void Absorb(float* s, int keys, int lanes, float* state, float* rescale) {
  const DF d;
  float *const top = state, *const sums = state + 64;
  for_lanes(lanes, [&](int lane) {
    const VF before = hn::LoadU(d, top + lane);
    const VF m = column_maximum(s, keys, lane, before);
    const VF base = finite_base(m);
    VF sum = hn::Zero(d);
    for (int j = 0; j < keys; ++j) {
      const VF p = exp_of_negative(d, hn::Sub(hn::LoadU(d, s + std::int64_t{64} * j + lane), base));
      sum = hn::Add(sum, p);
      hn::StoreU(p, d, s + std::int64_t{64} * j + lane);
    }
    // m = before gives exactly 1, also for a row that has seen nothing (-inf - 0 would give 0).
    const VF shrink = hn::IfThenElse(hn::Eq(m, before), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(before, base)));
    hn::StoreU(shrink, d, rescale + lane);
    hn::StoreU(m, d, top + lane);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, sums + lane), shrink, sum), d, sums + lane);
  });
}

void Weigh(const float* lse, int keys, int lanes, float* s) {
  const DF d;
  for_lanes(lanes, [&](int lane) {
    const VF base = hn::LoadU(d, lse + lane);
    const auto nothing = hn::Eq(base, minus_infinity());
    for (int j = 0; j < keys; ++j) {
      hn::StoreU(hn::IfThenZeroElse(nothing, exp_of(d, hn::Sub(hn::LoadU(d, s + std::int64_t{64} * j + lane), base))), d,
                 s + std::int64_t{64} * j + lane);
    }
  });
}

/// Sums over some keys of one vector of queries, relative to `base`.
struct TallySums {
  VF l, e, l2, n;
};

HWY_INLINE TallySums tally_keys(const float* s, int first, int last, int lane, VF base) {
  const DF d;
  TallySums sums{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int j = first; j < last; ++j) {
    const VF score = hn::LoadU(d, s + std::int64_t{64} * j + lane);
    const VF x = hn::Sub(score, base);
    const VF p = exp_of_negative(d, x);
    sums.l = hn::Add(sums.l, p);
    sums.l2 = hn::MulAdd(p, p, sums.l2);
    sums.e = hn::Add(sums.e, hn::IfThenZeroElse(hn::Eq(p, hn::Zero(d)), hn::Mul(p, x)));  // 0 * -inf is not meant
    sums.n = hn::Add(sums.n, hn::IfThenZeroElse(hn::Eq(score, minus_infinity()), hn::Set(d, 1.0f)));
  }
  return sums;
}

/// Sixteen keys at a time: short chains of additions keep the statistics within their tolerance.
HWY_INLINE TallySums tally_tile(const float* s, int keys, int lane, VF base) {
  const DF d;
  TallySums all{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int first = 0; first < keys; first += 16) {
    const TallySums part = tally_keys(s, first, HWY_MIN(first + 16, keys), lane, base);
    all = {hn::Add(all.l, part.l), hn::Add(all.e, part.e), hn::Add(all.l2, part.l2), hn::Add(all.n, part.n)};
  }
  return all;
}

void Tally(const float* s, int keys, int lanes, const TallyRows& tally) {
  const DF d;
  for_lanes(lanes, [&](int lane) {
    const VF before = hn::LoadU(d, tally.m + lane);
    const VF m = column_maximum(s, keys, lane, before);
    const TallySums tile = tally_tile(s, keys, lane, finite_base(m));
    // Everything so far moves from the old maximum to the new: p by r, p (s - m) also by the distance.
    const auto first = hn::Eq(before, minus_infinity());
    const VF distance = hn::IfThenZeroElse(hn::Or(first, hn::Eq(m, before)), hn::Sub(before, m));
    const VF r = hn::IfThenZeroElse(first, exp_of_negative(d, distance));
    const VF step = hn::IfThenZeroElse(hn::Eq(r, hn::Zero(d)), distance);  // 0 * -inf is not meant
    const VF l_before = hn::LoadU(d, tally.l + lane);
    hn::StoreU(hn::MulAdd(r, hn::MulAdd(step, l_before, hn::LoadU(d, tally.e + lane)), tile.e), d, tally.e + lane);
    hn::StoreU(hn::MulAdd(r, l_before, tile.l), d, tally.l + lane);
    hn::StoreU(hn::MulAdd(hn::Mul(r, r), hn::LoadU(d, tally.l2 + lane), tile.l2), d, tally.l2 + lane);
    hn::StoreU(m, d, tally.m + lane);
    const int width = static_cast<int>(hn::Lanes(d));
    HWY_ALIGN float counts[64];
    hn::StoreU(tile.n, d, counts);
    for (int i = 0; i < width; ++i) tally.n[lane + i] += static_cast<std::int64_t>(counts[i]);
  });
}

void Merge(float* state, const float* part, int lanes, float* a, float* b) {
  const DF d;
  for_lanes(lanes, [&](int lane) {
    const VF m_state = hn::LoadU(d, state + lane), m_part = hn::LoadU(d, part + lane);
    const VF l_state = hn::LoadU(d, state + 64 + lane), l_part = hn::LoadU(d, part + 64 + lane);
    // A row of NaN scores has m = -inf as well, but a sum that is NaN.
    const auto nothing = hn::And(hn::Eq(m_part, minus_infinity()), hn::Eq(l_part, hn::Zero(d)));
    const VF m = hn::Max(m_state, m_part);
    const VF base = finite_base(m);
    const VF of_state = hn::IfThenElse(hn::Eq(m, m_state), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(m_state, base)));
    const VF of_part = hn::IfThenElse(hn::Eq(m, m_part), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(m_part, base)));
    hn::StoreU(hn::IfThenElse(nothing, hn::Set(d, 1.0f), of_state), d, a + lane);
    hn::StoreU(hn::IfThenElse(nothing, hn::Set(d, -0.0f), of_part), d, b + lane);
    hn::StoreU(hn::IfThenElse(nothing, l_state, hn::MulAdd(l_part, of_part, hn::Mul(l_state, of_state))), d, state + 64 + lane);
    hn::StoreU(m, d, state + lane);
  });
}

}  // namespace heed::state::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::state {

using base::kTile;

HWY_EXPORT(Absorb);
HWY_EXPORT(Weigh);
HWY_EXPORT(Tally);
HWY_EXPORT(Merge);

void tally(const float* s, int keys, int lanes, const TallyRows& rows) {
  HWY_DYNAMIC_DISPATCH(Tally)(s, keys, lanes, rows);
}

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

void start(float* state, const float* sinks) {
  for (int i = 0; i < kTile; ++i) {
    state[i] = sinks == nullptr ? kMinusInfinity : sinks[i];
    state[kTile + i] = state[i] == kMinusInfinity ? 0.0f : 1.0f;
  }
}

std::uint64_t begun(const float* state, int lanes) {
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) found |= static_cast<std::uint64_t>(state[i] != kMinusInfinity) << i;
  return found;
}

void finish(const float* state, int lanes, float* divisor, float* lse) {
  for (int i = 0; i < lanes; ++i) {
    const float m = state[i], l = state[kTile + i];
    divisor[i] = l == 0.0f ? 1.0f : l;
    if (lse != nullptr) lse[i] = l == 0.0f ? kMinusInfinity : m + std::log(l);
  }
}

constexpr Weighing kWeighings[] = {
    {.name = "softmax",
     .text = "exp(s - L)",
     .lines = 2,
     .sinks = true,
     .start = start,
     .absorb = [](float* s, int keys, int lanes, float* state,
                  float* rescale) { HWY_DYNAMIC_DISPATCH(Absorb)
                                    (s, keys, lanes, state, rescale); },
     .merge = [](float* state, const float* part, int lanes, float* a, float* b) { HWY_DYNAMIC_DISPATCH(Merge)
                                                                                   (state, part, lanes, a, b); },
     .begun = begun,
     .finish = finish,
     .weights = [](float* s, int keys, int lanes, const float* lse) { HWY_DYNAMIC_DISPATCH(Weigh)
                                                                      (lse, keys, lanes, s); }},
};

}  // namespace

std::span<const Weighing> weighings() {
  return kWeighings;
}

const Weighing& softmax() {
  return kWeighings[0];
}

}  // namespace heed::state
#endif
