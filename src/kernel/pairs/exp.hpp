// exp for weights that become pairs. NaN stays NaN, -inf and what is below 2^-126 give 0. Only between HEED_PAIRS_BEGIN and _END.
#pragma once

#include "kernel/pairs/target.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::kernel::pairs {

inline constexpr float kLog2E = 1.44269504088896341f;

/// exp(x), x <= 0. Relative error 3e-6 for one part, 1.5 ulp for more.
template <int Parts>
inline __m512 exp_of_negative(__m512 x) {
  const __m512 magic = _mm512_set1_ps(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  const __mmask16 large = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.3365447f), _CMP_NLT_UQ);
  const __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(kLog2E), magic), n = _mm512_sub_ps(shifted, magic);
  if constexpr (Parts == 1) {
    const __m512 f = _mm512_fmsub_ps(x, _mm512_set1_ps(kLog2E), n);
    __m512 p = _mm512_set1_ps(0.009582852944731712f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.055906426161527634f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24024099111557007f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.6931241750717163f));
    return _mm512_maskz_scalef_ps(large, _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f)), n);
  } else {
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
}

}  // namespace heed::kernel::pairs
HEED_PAIRS_END
#endif
