// scores_again: scores that left f32 although their numbers are finite, once more in double; and finite, which finds what to make again.
//
//   S[j, i] = of_score sum_c k[j, c] Qt[c, i]   where S is not finite
//
// A sum of products of f32 stays far inside double's range (2^16 products below 2^256), so order cannot matter to it. Cost: a tile's worth
// of products in double for each vector of scores that holds one not finite. Numerics: relative error 2^-53 a step; scores are rounded
// once to f32, which holds scores: formulas, census and L see the same. Checked: double_test.cpp.
#include <cstdint>
#include <limits>

#include "base/targets.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/double.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 64>;
using DD = hn::CappedTag<double, 64>;
using DHalf = hn::Rebind<float, DD>;  // as many floats as there are doubles in a vector
using VD = hn::Vec<DD>;

bool Finite(const float* s, int keys, int lanes) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  hn::Vec<DF> nothing[2] = {hn::Zero(d), hn::Zero(d)};  // 0, or NaN where anything is not finite
  for (int lane = 0; lane < lanes; lane += width) {
    const auto exist = hn::FirstN(d, static_cast<std::size_t>(lanes - lane));
    const bool all = lane + width <= lanes;
    for (int j = 0; j < keys; ++j) {
      auto score = hn::LoadU(d, s + std::int64_t{64} * j + lane);
      if (!all) score = hn::IfThenElseZero(exist, score);
      nothing[j & 1] = hn::MulAdd(score, hn::Zero(d), nothing[j & 1]);
    }
  }
  return hn::AllFalse(d, hn::IsNaN(hn::Add(nothing[0], nothing[1])));
}

/// Scores of one key and a vector of queries, rounded to f32.
HWY_INLINE hn::Vec<DHalf> score_in_double(const float* qt, const float* k, int dim, float of_score) {
  const DD d;
  const DHalf half;
  VD sum = hn::Zero(d);
  for (int c = 0; c < dim; ++c)
    sum = hn::MulAdd(hn::Set(d, static_cast<double>(k[c])), hn::PromoteTo(d, hn::LoadU(half, qt + std::int64_t{64} * c)), sum);
  sum = hn::Mul(sum, hn::Set(d, static_cast<double>(of_score)));
  // From half a unit above the largest f32 on it would be rounded to infinity.
  const VD size = hn::Abs(sum);
  const auto beyond = hn::And(hn::Ge(size, hn::Set(d, 0x1.ffffffp127)), hn::Lt(size, hn::Set(d, std::numeric_limits<double>::infinity())));
  // Narrowing stops at the largest f32 on some targets: infinity is made by doubling.
  const VD two = hn::IfThenElse(hn::Eq(size, hn::Set(d, std::numeric_limits<double>::infinity())), hn::Set(d, 2.0), hn::Set(d, 1.0));
  return hn::Mul(hn::DemoteTo(half, hn::IfThenElse(beyond, hn::Set(d, std::numeric_limits<double>::quiet_NaN()), sum)),
                 hn::DemoteTo(half, two));
}

void ScoresAgain(const float* qt, const Lines<float>& k, const Shape& shape, float of_score, float* s) {
  const DHalf half;
  const int width = static_cast<int>(hn::Lanes(half));
  for (int j = 0; j < shape.keys; ++j) {
    for (int lane = 0; lane < shape.lanes; lane += width) {
      float* const place = s + std::int64_t{64} * j + lane;
      const auto score = hn::LoadU(half, place);
      const auto lost = hn::IsNaN(hn::Mul(score, hn::Zero(half)));
      if (hn::AllFalse(half, lost)) continue;
      hn::StoreU(hn::IfThenElse(lost, score_in_double(qt + lane, k.data + j * k.stride, shape.dim, of_score), score), half, place);
    }
  }
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(Finite);
HWY_EXPORT(ScoresAgain);
bool scale(float factor, bool all, int keys, int lanes, float* s) {
  if (factor == 1) return all;
  for (int j = 0; j < keys; ++j) {
    for (int i = 0; i < lanes; ++i) s[j * kTile + i] *= factor;
  }
  return finite(s, keys, lanes);
}
bool finite(const float* s, int keys, int lanes) {
  return HWY_DYNAMIC_DISPATCH(Finite)(s, keys, lanes);
}
void scores_again(const float* qt, const Lines<float>& k, const Shape& shape, float of_score, float* s) {
  HWY_DYNAMIC_DISPATCH(ScoresAgain)(qt, k, shape, of_score, s);
}
}  // namespace heed::machine
#endif
