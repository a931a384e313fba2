// How long a chain of additions may be. Fused multiply-adds round once per term, and a whole sum is one chain. Where multiplication and
// addition round apart, a sum is one of short chains, kept in a second set of sums that lies in memory: an addition, a load and a store
// for each kChain terms (of floats; doubles are one chain always). With random signs about half the error of one long chain at 64 terms;
// laws at the levels SSE4 and SCALAR judge it.
#if defined(HEED_SIMD_CHAIN_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_SIMD_CHAIN_INL
#undef HEED_SIMD_CHAIN_INL
#else
#define HEED_SIMD_CHAIN_INL
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

template <class F>
inline constexpr int kChainOf = HWY_NATIVE_FMA || sizeof(F) == 8 ? 0 : 8;  // terms; 0: all of them
inline constexpr int kChain = kChainOf<float>;

/// Before term k: where a chain ends, sums += sum, which starts anew.
template <class D, int M, int N>
HWY_INLINE void end_chain(D d, int k, hwy::HWY_NAMESPACE::Vec<D> (&sum)[M][N], hwy::HWY_NAMESPACE::Vec<D> (&sums)[M][N]) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int kTerms = kChainOf<hn::TFromD<D>>;
  if constexpr (kTerms != 0) {
    if (k % kTerms != 0) return;
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) {
        sums[m][n] = hn::Add(sums[m][n], sum[m][n]);
        sum[m][n] = hn::Zero(d);
      }
    }
  }
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
