// scores: S[j, i] = sum_c k[j, c] Qt[c, i]. [keys, 64] from [D, 64] and [keys, D]. Flops 2 keys lanes D; reads K in place.
// Whether all are finite is told from the sums as they are stored, without another pass over them.
#include <cstdint>

#include "base/targets.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/scores.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "machine/simd/outer-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

using DF = Outer<float>::D;

/// 0, or NaN once a sum was not finite.
struct Looked {
  hn::Vec<DF> even, odd;
  HWY_INLINE hn::Vec<DF> take(hn::Vec<DF> sum, int row) {
    auto& nothing = row % 2 == 0 ? even : odd;
    nothing = hn::MulAdd(sum, hn::Zero(DF()), nothing);
    return sum;
  }
};

bool Scores(const float* qt, const Lines<float>& k, const Shape& shape, float* s) {
  Looked look{hn::Zero(DF()), hn::Zero(DF())};
  outer(Outer<float>{.a = k.data, .a_k = 1, .a_m = k.stride, .b = qt, .count = shape.dim, .c = s, .rescale = nullptr}, shape.keys,
        shape.lanes, look);
  return hn::AllFalse(DF(), hn::IsNaN(hn::Add(look.even, look.odd)));
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(Scores);
bool scores(const float* qt, const Lines<float>& k, const Shape& shape, float* s) {
  return HWY_DYNAMIC_DISPATCH(Scores)(qt, k, shape, s);
}
}  // namespace heed::machine
#endif
