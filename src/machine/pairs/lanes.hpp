// Small pieces of AVX-512 that packing, softmax and both units share. Only for code between HEED_PAIRS_BEGIN and HEED_PAIRS_END.
#pragma once

#include "machine/pairs/target.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::pairs {

/// A mask of the first `count` of 16 lanes, none for count <= 0.
inline __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : count <= 0 ? 0 : (1U << count) - 1);
}

/// 16 x 16 words of 32 bits, transposed.
inline void transpose(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4 g + n] now holds, in its four quarters, columns n, n + 4, n + 8, n + 12 of rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int n = 0; n < 4; ++n) {
    const __m512i low = _mm512_shuffle_i32x4(r[n], r[n + 4], 0x88), high = _mm512_shuffle_i32x4(r[n], r[n + 4], 0xDD);
    const __m512i low2 = _mm512_shuffle_i32x4(r[n + 8], r[n + 12], 0x88), high2 = _mm512_shuffle_i32x4(r[n + 8], r[n + 12], 0xDD);
    t[n] = _mm512_shuffle_i32x4(low, low2, 0x88);
    t[n + 8] = _mm512_shuffle_i32x4(low, low2, 0xDD);
    t[n + 4] = _mm512_shuffle_i32x4(high, high2, 0x88);
    t[n + 12] = _mm512_shuffle_i32x4(high, high2, 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

/// Pairs (even[i], odd[i]) of the nearest bf16.
inline __m512i pairs_of(__m512 even, __m512 odd) {
  const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
                                              3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(interleave, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even)));
}

/// What a pair leaves of the numbers it was made of.
inline void take_away(__m512i pairs, __m512& even, __m512& odd) {
  even = _mm512_sub_ps(even, _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)));
  odd = _mm512_sub_ps(odd, _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U)))));
}

}  // namespace heed::machine::pairs
HEED_PAIRS_END
#endif
