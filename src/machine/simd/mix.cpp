// mix: O[c, i] <- O[c, i] rescale[i] + sum_j v[j, c] P[j, i]. [Dv, 64] from [keys, Dv] and [keys, 64]. Flops 2 keys lanes Dv; reads V
// in place. mix_careful is the same sum over the seen places alone, for tiles where V holds NaN or Inf behind the mask.
// blend: O <- a O + b O', the merge of two parts.
#include <cstdint>

#include "base/targets.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/mix.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "machine/simd/outer-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

void Mix(const float* p, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes, const float* rescale, float* o) {
  outer({.a = v, .a_k = v_stride, .a_m = 1, .b = p, .count = keys, .c = o, .rescale = rescale}, value_dim, lanes);
}

void MixCareful(const float* p, const std::uint8_t* seen, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                const float* rescale, float* o) {
  const DF d;
  const hn::Rebind<std::uint8_t, DF> d8;
  const hn::RebindToSigned<DF> di;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int c = 0; c < value_dim; ++c) {
    for (int lane = 0; lane < lanes; lane += width) {
      float* const place = o + c * 64 + lane;
      hn::Vec<DF> sum[1][1] = {{hn::Zero(d)}}, sums[1][1] = {{hn::Zero(d)}};
      for (int j = 0; j < keys; ++j) {
        end_chain(d, j, sum, sums);  // as Mix does: rows that see no harm keep their bits
        const auto visible = hn::RebindMask(d, hn::Ne(hn::PromoteTo(di, hn::LoadU(d8, seen + j * 64 + lane)), hn::Zero(di)));
        const auto more = hn::MulAdd(hn::Set(d, v[j * v_stride + c]), hn::LoadU(d, p + j * 64 + lane), sum[0][0]);
        sum[0][0] = hn::IfThenElse(visible, more, sum[0][0]);
      }
      if constexpr (kChain != 0) sum[0][0] = hn::Add(sums[0][0], sum[0][0]);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, place), hn::LoadU(d, rescale + lane), sum[0][0]), d, place);
    }
  }
}

void Blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int lane = 0; lane < lanes; lane += width) {
    const auto of_o = hn::LoadU(d, a + lane), of_part = hn::LoadU(d, b + lane);
    for (std::int64_t c = 0; c < value_dim; ++c) {
      float* const place = o + c * 64 + lane;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, part + c * 64 + lane), of_part, hn::Mul(hn::LoadU(d, place), of_o)), d, place);
    }
  }
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(Mix);
HWY_EXPORT(MixCareful);
HWY_EXPORT(Blend);
void mix(const float* p, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes, const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(Mix)(p, v, v_stride, value_dim, keys, lanes, rescale, o);
}
void mix_careful(const float* p, const std::uint8_t* seen, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                 const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(MixCareful)(p, seen, v, v_stride, value_dim, keys, lanes, rescale, o);
}
void blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes) {
  HWY_DYNAMIC_DISPATCH(Blend)(o, a, part, b, value_dim, lanes);
}
}  // namespace heed::machine
#endif
