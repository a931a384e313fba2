// receive: a tile of scores becomes weights, which are summed along both axes and forgotten: what keys receive, what rows of a map hold.
//
//   received[j] += sum_i exp(S[j, i] - base[i]) share[i]          pooled[i] = sum_j of the same
//
// Cost per vector of scores: a load, exp and two multiply-adds; per key one addition. A sum across a vector per key would cost as much as
// one more exp: the kReceived parts of each key's sum stay apart, for the caller to add up after some tiles.
// Numerics: f32; every part of a sum over 64 queries is a chain of at most 16 additions.
// Checked: softmax_rows_test.cpp.
#include <cstdint>
#include <limits>

#include "base/targets.hpp"
#include "state/weighing.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "state/receive.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "base/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::state::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 64>;
using VF = hn::Vec<DF>;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kTogether = 4;  // vectors of a row at a time
#else
inline constexpr int kTogether = 2;
#endif

/// exp(x), x <= 0, to 1.5 units in the last place; NaN for NaN whose lowest bits are 0, as of those that instructions make. As
/// exp_of_negative, but the power of two goes into the exponent by an addition of integers: two operations less.
HWY_INLINE VF weight_of(VF x) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  const VF magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number, in the low bits
  const VF shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341f), magic);
  const VF n = hn::Sub(shifted, magic);
  const VF p = base::HWY_NAMESPACE::exp_of_rest(d, x, n);
  const VF power = hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3365447f)), power);
}

/// kTogether vectors of queries.
template <bool Pooled>
HWY_INLINE void receive_keys(const float* s, int keys, int lane, const NormRows& norms, float* received, float* pooled) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  VF base[kTogether], share[kTogether], sum[kTogether];
#pragma GCC unroll 4
  for (int n = 0; n < kTogether; ++n) {
    base[n] = hn::LoadU(d, norms.base + lane + n * width);
    share[n] = hn::LoadU(d, norms.share + lane + n * width);
    sum[n] = hn::Zero(d);
  }
  for (int j = 0; j < keys; ++j) {
    VF row = hn::Zero(d);
#pragma GCC unroll 4
    for (int n = 0; n < kTogether; ++n) {
      const VF p = weight_of(hn::Sub(hn::LoadU(d, s + std::int64_t{64} * j + lane + n * width), base[n]));
      row = hn::MulAdd(p, share[n], row);
      if constexpr (Pooled) sum[n] = hn::MulAdd(p, share[n], sum[n]);
    }
    float* const parts = received + std::int64_t{kReceived} * j;
    hn::StoreU(hn::Add(hn::LoadU(d, parts), row), d, parts);
  }
  if constexpr (Pooled) {
#pragma GCC unroll 4
    for (int n = 0; n < kTogether; ++n) hn::StoreU(sum[n], d, pooled + lane + n * width);
  }
}

void Receive(const float* s, int keys, int lanes, const NormRows& norms, float* received, float* pooled) {
  const int width = static_cast<int>(hn::Lanes(DF())) * kTogether;
  for (int lane = 0; lane < lanes; lane += width) {
    if (pooled != nullptr)
      receive_keys<true>(s, keys, lane, norms, received, pooled);
    else
      receive_keys<false>(s, keys, lane, norms, received, pooled);
  }
}

}  // namespace heed::state::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::state {
HWY_EXPORT(Receive);
void receive(const float* s, int keys, int lanes, const NormRows& norms, float* received, float* pooled) {
  HWY_DYNAMIC_DISPATCH(Receive)(s, keys, lanes, norms, received, pooled);
}
}  // namespace heed::state
#endif
