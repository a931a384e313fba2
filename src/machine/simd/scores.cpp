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

bool Scores(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float* s) {
  Looked look{hn::Zero(DF()), hn::Zero(DF())};
  outer(Outer<float>{.a = k, .a_k = 1, .a_m = k_stride, .b = qt, .count = dim, .c = s, .rescale = nullptr}, keys, lanes, look);
  return hn::AllFalse(DF(), hn::IsNaN(hn::Add(look.even, look.odd)));
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(Scores);
bool scores(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float* s) {
  return HWY_DYNAMIC_DISPATCH(Scores)(qt, k, k_stride, dim, keys, lanes, s);
}
}  // namespace heed::machine
#endif
