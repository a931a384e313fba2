// tally: row statistics of a tile of scores; and softmax_and_tally, which is softmax's absorb and it at the price of one exp.
//
// Queries are lanes. Sums over 16 keys run in f32, then the sum of weights in double, so that it normalises them (state/norm.hpp); the
// other sums in f32. Cost of tally per vector of scores: the maximum, exp and seven operations; beside absorb those seven alone.
// Checked: softmax_rows_test.cpp.
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/targets.hpp"
#include "state/weighing.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "state/tally.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/contrib/math/math-inl.h>

#include "base/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::state::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 64>;
using VF = hn::Vec<DF>;
using base::HWY_NAMESPACE::exp_of_negative;
using DD = hn::CappedTag<double, 64>;
using DHalf = hn::Rebind<float, DD>;  // as many floats as there are doubles in a vector
using VD = hn::Vec<DD>;

constexpr int kFewKeys = 16, kMostChunks = 4;  // of a tile

HWY_INLINE VF nothing() {
  return hn::Set(DF(), -std::numeric_limits<float>::infinity());
}

/// What a tile says of its rows, relative to their new maximum.
struct TileTally {
  alignas(64) float before[64];          // the maximum until now
  alignas(64) float l[kMostChunks][64];  // sums of weights over 16 keys
  int chunks = 0;
};

/// Sums over the keys of one vector of queries; S <- P and their sum for absorb.
struct Sums {
  VF all, e, l2, n;
};

/// Absorbs where S is not const.
template <class Score>
HWY_INLINE Sums tally_keys(Score* s, int keys, int lane, VF base, TileTally& tile) {
  const DF d;
  const VF least = hn::Set(d, -88.0f);  // below exp(x) is 0, and 0 * -inf is not meant
  Sums sums{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int chunk = 0;
  for (int first = 0; first < keys; first += kFewKeys, ++chunk) {
    VF l = hn::Zero(d), e = hn::Zero(d), l2 = hn::Zero(d);
    for (int j = first; j < HWY_MIN(first + kFewKeys, keys); ++j) {
      Score* const at = s + std::int64_t{64} * j + lane;
      const VF score = hn::LoadU(d, at);
      const VF x = hn::Sub(score, base);
      const VF p = exp_of_negative(d, x);
      l = hn::Add(l, p);
      l2 = hn::MulAdd(p, p, l2);
      e = hn::MulAdd(p, hn::Max(x, least), e);
      sums.n = hn::Add(sums.n, hn::IfThenZeroElse(hn::Eq(score, nothing()), hn::Set(d, 1.0f)));
      if constexpr (!std::is_const_v<Score>) {
        sums.all = hn::Add(sums.all, p);
        hn::StoreU(p, d, at);
      }
    }
    hn::StoreU(l, d, tile.l[chunk] + lane);
    sums.e = hn::Add(sums.e, e);
    sums.l2 = hn::Add(sums.l2, l2);
  }
  tile.chunks = chunk;
  return sums;
}

/// l <- l exp(before - after) + the tile's sums, in double.
HWY_INLINE void add_weights(const TileTally& tile, const float* after, int lanes, double* l) {
  const DD d;
  const DHalf half;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int lane = 0; lane < lanes; lane += width) {
    const auto old = hn::LoadU(half, tile.before + lane), top = hn::LoadU(half, after + lane);
    VD sum = hn::LoadU(d, l + lane);
    if (!hn::AllTrue(half, hn::Eq(old, top))) {
      const VD from = hn::PromoteTo(d, old), to = hn::PromoteTo(d, top);
      const auto stays = hn::Or(hn::Eq(from, to), hn::Eq(from, hn::Set(d, -std::numeric_limits<double>::infinity())));
      sum = hn::IfThenElse(stays, sum, hn::Mul(sum, hn::Exp(d, hn::IfThenZeroElse(stays, hn::Sub(from, to)))));
    }
    for (int chunk = 0; chunk < tile.chunks; ++chunk) sum = hn::Add(sum, hn::PromoteTo(d, hn::LoadU(half, tile.l[chunk] + lane)));
    hn::StoreU(sum, d, l + lane);
  }
}

template <class Score>
HWY_INLINE void tally_tile(Score* s, int keys, int lanes, float* state, const TallyRows& tally, float* rescale) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  TileTally tile;
  for (int lane = 0; lane < lanes; lane += width) {
    const VF before = hn::LoadU(d, tally.m + lane);
    VF m = before;
    for (int j = 0; j < keys; ++j) m = hn::Max(hn::LoadU(d, s + std::int64_t{64} * j + lane), m);
    const VF base = hn::IfThenZeroElse(hn::Eq(m, nothing()), m);
    const Sums sums = tally_keys(s, keys, lane, base, tile);
    // Everything so far moves from the old maximum to the new: p by r, p (s - m) also by the distance.
    const auto first = hn::Eq(before, nothing());
    const VF distance = hn::IfThenZeroElse(hn::Or(first, hn::Eq(m, before)), hn::Sub(before, m));
    const VF moved = exp_of_negative(d, distance);
    const VF r = hn::IfThenZeroElse(first, moved);
    const VF step = hn::IfThenZeroElse(hn::Eq(r, hn::Zero(d)), distance);  // 0 * -inf is not meant
    HWY_ALIGN float l_before[64];
    for (int i = 0; i < width; ++i) l_before[i] = static_cast<float>(tally.l[lane + i]);
    const VF e = hn::MulAdd(step, hn::LoadU(d, l_before), hn::LoadU(d, tally.e + lane));
    hn::StoreU(hn::MulAdd(r, e, sums.e), d, tally.e + lane);
    hn::StoreU(hn::MulAdd(hn::Mul(r, r), hn::LoadU(d, tally.l2 + lane), sums.l2), d, tally.l2 + lane);
    hn::StoreU(before, d, tile.before + lane);
    hn::StoreU(m, d, tally.m + lane);
    HWY_ALIGN float counts[64];
    hn::StoreU(sums.n, d, counts);
    for (int i = 0; i < width; ++i) tally.n[lane + i] += static_cast<std::int64_t>(counts[i]);
    if constexpr (std::is_const_v<Score>) continue;
    // As Absorb has it: the maximum until now gives exactly 1, also for a row that has seen nothing.
    const VF shrink = hn::IfThenElse(hn::Eq(m, before), hn::Set(d, 1.0f), exp_of_negative(d, hn::Sub(before, base)));
    hn::StoreU(shrink, d, rescale + lane);
    hn::StoreU(m, d, state + lane);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, state + 64 + lane), shrink, sums.all), d, state + 64 + lane);
  }
  add_weights(tile, tally.m, lanes, tally.l);
}

void Tally(const float* s, int keys, int lanes, const TallyRows& tally) {
  tally_tile(s, keys, lanes, nullptr, tally, nullptr);
}
void SoftmaxAndTally(float* s, int keys, int lanes, float* state, const TallyRows& tally, float* rescale) {
  tally_tile(s, keys, lanes, state, tally, rescale);
}

}  // namespace heed::state::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::state {
HWY_EXPORT(Tally);
HWY_EXPORT(SoftmaxAndTally);
void tally(const float* s, int keys, int lanes, const TallyRows& rows) {
  HWY_DYNAMIC_DISPATCH(Tally)(s, keys, lanes, rows);
}
void softmax_and_tally(float* s, int keys, int lanes, float* state, const TallyRows& rows, float* rescale) {
  HWY_DYNAMIC_DISPATCH(SoftmaxAndTally)(s, keys, lanes, state, rows, rescale);
}
}  // namespace heed::state
#endif
