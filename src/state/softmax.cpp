// The words between the two products, on a tile of scores in L1: absorb, weigh, tally, merge. Queries are lanes, so nothing here
// crosses lanes. Cost of absorb: two passes, about 18 operations per vector of scores.
//
// Numerics: float32 throughout; exp to 1.5 units in the last place; a row that has seen nothing has m = -inf and subtracts 0 instead,
// so that -inf - -inf never happens; NaN and +inf scores make their own row NaN.
#include <cstdint>
#include <limits>

#include "base/targets.hpp"
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

void Absorb(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale) {
  const DF d;
  for_lanes(lanes, [&](int lane) {
    const VF before = hn::LoadU(d, state.m + lane);
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
    hn::StoreU(m, d, state.m + lane);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, state.l + lane), shrink, sum), d, state.l + lane);
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

void Merge(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes) {
  const DF d;
  for_lanes(lanes, [&](int lane) {
    const VF m_state = hn::LoadU(d, state.m + lane), m_part = hn::LoadU(d, part.m + lane);
    // A row of NaN scores has m = -inf as well, but a sum that is NaN.
    const auto nothing = hn::And(hn::Eq(m_part, minus_infinity()), hn::Eq(hn::LoadU(d, part.l + lane), hn::Zero(d)));
    const VF m = hn::Max(m_state, m_part);
    const VF base = finite_base(m);
    const VF a = hn::IfThenElse(hn::Eq(m, m_state), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(m_state, base)));
    const VF b = hn::IfThenElse(hn::Eq(m, m_part), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(m_part, base)));
    const auto join = [&](const float* with, float* into) {
      const VF old = hn::LoadU(d, into + lane);
      hn::StoreU(hn::IfThenElse(nothing, old, hn::MulAdd(hn::LoadU(d, with + lane), b, hn::Mul(old, a))), d, into + lane);
    };
    join(part.l, state.l);
    for (int c = 0; c < value_dim; ++c) join(part.o + c * 64, state.o + c * 64);
    hn::StoreU(m, d, state.m + lane);
  });
}

}  // namespace heed::state::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::state {
HWY_EXPORT(Absorb);
HWY_EXPORT(Weigh);
HWY_EXPORT(Tally);
HWY_EXPORT(Merge);
void absorb(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale) {
  HWY_DYNAMIC_DISPATCH(Absorb)(s, keys, lanes, state, rescale);
}
void weigh(const float* lse, int keys, int lanes, float* s) {
  HWY_DYNAMIC_DISPATCH(Weigh)(lse, keys, lanes, s);
}
void tally(const float* s, int keys, int lanes, const TallyRows& rows) {
  HWY_DYNAMIC_DISPATCH(Tally)(s, keys, lanes, rows);
}
void merge(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes) {
  HWY_DYNAMIC_DISPATCH(Merge)(state, part, value_dim, lanes);
}
}  // namespace heed::state
#endif
