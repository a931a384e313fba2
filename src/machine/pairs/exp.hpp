// exp for weights that become pairs. -inf and what is below 2^-126 give 0. Only between HEED_PAIRS_BEGIN and HEED_PAIRS_END.
//
// Two of them: to a bf16 weight an error of 1e-4 is nothing, so its exp takes distances in units of log 2, a polynomial of degree 3,
// and sets the exponent by integers: 3 multiply-adds, 4 additions, a shift and a comparison, which leaves the ports that a product needs
// as free as can be. The other is the simd kernel's.
#pragma once

#include "machine/pairs/target.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::pairs {

inline constexpr float kLog2E = 1.44269504088896341f;
inline constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, in the low bits

/// 2^t, relative error 1e-4. NaN stays NaN if its lowest nine bits are 0, as in those that instructions make and `modify` leaves.
inline __m512 coarse_exp2(__m512 t) {
  const __m512 magic = _mm512_set1_ps(kMagic);
  const __mmask16 large = _mm512_cmp_ps_mask(t, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
  const __m512 shifted = _mm512_add_ps(t, magic);
  const __m512 f = _mm512_sub_ps(t, _mm512_sub_ps(shifted, magic));
  __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.05500892922282219f), f, _mm512_set1_ps(0.24221095442771912f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.6932829022407532f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  return _mm512_castsi512_ps(_mm512_maskz_add_epi32(large, _mm512_castps_si512(p), exponent));
}

/// exp(x), relative error 1.5 units in the last place; any NaN stays NaN.
inline __m512 fine_exp(__m512 x) {
  const __m512 magic = _mm512_set1_ps(kMagic);
  const __mmask16 large = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.3365447f), _CMP_NLT_UQ);
  const __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(kLog2E), magic), magic);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860682030941723e-6f), r);
  __m512 p = _mm512_set1_ps(0.00138145429082f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.00836874824017f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.04166839271783f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.16666519641876f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.49999994039535f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_maskz_scalef_ps(large, _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f)), n);
}

/// exp(x) for a weight of so many parts. `Unit`: x comes in units in which this exp is cheapest, kUnit to 1. The distance x of a score from
/// its row's reference is always a difference of two rounded numbers, never fused with the scaling: so the largest has the weight 1
/// however large it is, and none overflows.
template <int Parts>
struct Weight {
  static constexpr float kUnit = Parts == 1 ? kLog2E : 1.0f;
  static __m512 of_units(__m512 x) {
    if constexpr (Parts == 1) return coarse_exp2(x);
    return fine_exp(x);
  }
  static __m512 of(__m512 x) { return of_units(Parts == 1 ? _mm512_mul_ps(x, _mm512_set1_ps(kUnit)) : x); }
};

}  // namespace heed::machine::pairs
HEED_PAIRS_END
#endif
