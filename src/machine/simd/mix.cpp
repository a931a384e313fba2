// mix: O[c, i] <- O[c, i] rescale[i] + sum_j v[j, c] P[j, i]. [Dv, 64] from [keys, Dv] and [keys, 64]. Flops 2 keys lanes Dv; reads V
// in place. mix_careful is the same sum over the seen places alone, for tiles where V holds NaN or Inf behind the mask.
// blend: O <- a O + b O', the merge of two parts.
#include <cstdint>

#include "base/targets.hpp"
#include "machine/double.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/mix.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "machine/simd/outer-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

HWY_INLINE Outer<float> mixed(const float* p, const Lines<float>& v, const Shape& shape, const float* rescale, float* o) {
  return {.a = v.data, .a_k = v.stride, .a_m = 1, .b = p, .count = shape.keys, .c = o, .rescale = rescale};
}

void Mix(const float* p, const Lines<float>& v, const Shape& shape, const float* rescale, float* o) {
  outer(mixed(p, v, shape, rescale, o), shape.dim, shape.lanes);
}

void MixCareful(const float* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const float* rescale, float* o) {
  outer_of_seen(mixed(p, v, shape, rescale, o), seen, shape.dim, shape.lanes);
}

template <class F>
void blend_rows(F* o, const F* a, const F* part, const F* b, int value_dim, int lanes) {
  const typename Outer<F>::D d;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int lane = 0; lane < lanes; lane += width) {
    const auto of_o = hn::LoadU(d, a + lane), of_part = hn::LoadU(d, b + lane);
    for (std::int64_t c = 0; c < value_dim; ++c) {
      F* const place = o + c * 64 + lane;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, part + c * 64 + lane), of_part, hn::Mul(hn::LoadU(d, place), of_o)), d, place);
    }
  }
}
void Blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes) {
  blend_rows(o, a, part, b, value_dim, lanes);
}
void BlendDouble(double* o, const double* a, const double* part, const double* b, int value_dim, int lanes) {
  blend_rows(o, a, part, b, value_dim, lanes);
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(Mix);
HWY_EXPORT(MixCareful);
HWY_EXPORT(Blend);
HWY_EXPORT(BlendDouble);
void mix(const float* p, const Lines<float>& v, const Shape& shape, const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(Mix)(p, v, shape, rescale, o);
}
void mix_careful(const float* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(MixCareful)(p, seen, v, shape, rescale, o);
}
void blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes) {
  HWY_DYNAMIC_DISPATCH(Blend)(o, a, part, b, value_dim, lanes);
}
void blend(double* o, const double* a, const double* part, const double* b, int value_dim, int lanes) {
  HWY_DYNAMIC_DISPATCH(BlendDouble)(o, a, part, b, value_dim, lanes);
}
}  // namespace heed::machine
#endif
