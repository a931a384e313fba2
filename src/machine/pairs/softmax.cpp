// absorb, leaving the weights as pairs of bf16 parts, and put, which makes such pairs of weights in f32. The meaning of Weighing::absorb;
// the maximum is exact, sums are of unrounded weights.
//
// Cost per 16 scores: 1 maximum, 11 or 13 operations of exp (exp.hpp), 1 sum, 1 rounding per part.
#include <limits>

#include "machine/pairs/exp.hpp"
#include "machine/pairs/lanes.hpp"
#include "machine/pairs/pairs.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::pairs {
namespace {

/// Weights of two keys, as pairs of parts.
template <int Parts>
void put_pairs(__m512 even, __m512 odd, std::uint32_t* p) {
#pragma GCC unroll 3
  for (int part = 0; part < Parts; ++part) {
    const __m512i both = pairs_of(even, odd);
    _mm512_storeu_si512(p + part * kWeightPart, both);
    if (part + 1 < Parts) take_away(both, even, odd);
  }
}

}  // namespace

template <int Parts>
void absorb(float* s, int keys, int lanes, float* state, float* rescale, void* p) {
  float *const top = state, *const total = state + kTile;
  auto* const pairs = static_cast<std::uint32_t*>(p);
  const __m512 infinity = _mm512_set1_ps(std::numeric_limits<float>::infinity()), zero = _mm512_setzero_ps();
  for (int lane = 0; lane < lanes; lane += 16) {
    const float* const column = s + lane;
    const __m512 before = _mm512_loadu_ps(top + lane);
    __m512 m = before, m2 = before;
    int j = 0;
    for (; j + 2 <= keys; j += 2) {
      m = _mm512_max_ps(_mm512_loadu_ps(column + std::int64_t{j} * kTile), m);
      m2 = _mm512_max_ps(_mm512_loadu_ps(column + std::int64_t{j + 1} * kTile), m2);
    }
    if (j < keys) m = _mm512_max_ps(_mm512_loadu_ps(column + std::int64_t{j} * kTile), m);
    m = _mm512_max_ps(m, m2);
    const __m512 base = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(m, _mm512_sub_ps(zero, infinity), _CMP_NEQ_UQ), m);
    const auto weight = [&](int key) {
      return Weight<Parts>::of(_mm512_sub_ps(_mm512_loadu_ps(column + std::int64_t{key} * kTile), base));
    };
    __m512 sum = zero, sum2 = zero;
    for (j = 0; j + 2 <= keys; j += 2) {
      const __m512 even = weight(j);
      const __m512 odd = weight(j + 1);
      sum = _mm512_add_ps(sum, even);
      sum2 = _mm512_add_ps(sum2, odd);
      put_pairs<Parts>(even, odd, pairs + std::int64_t{j} / 2 * kTile + lane);
    }
    if (j < keys) {
      const __m512 even = weight(j);
      sum = _mm512_add_ps(sum, even);
      put_pairs<Parts>(even, zero, pairs + std::int64_t{j} / 2 * kTile + lane);
      j += 2;
    }
    for (; j < kTile; j += 2) put_pairs<Parts>(zero, zero, pairs + std::int64_t{j} / 2 * kTile + lane);
    // m = before gives exactly 1, also for a row that has seen nothing.
    const __m512 shrink =
        _mm512_mask_mov_ps(fine_exp(_mm512_sub_ps(before, base)), _mm512_cmp_ps_mask(m, before, _CMP_EQ_OQ), _mm512_set1_ps(1.0f));
    _mm512_storeu_ps(rescale + lane, shrink);
    _mm512_storeu_ps(top + lane, m);
    _mm512_storeu_ps(total + lane, _mm512_fmadd_ps(_mm512_loadu_ps(total + lane), shrink, _mm512_add_ps(sum, sum2)));
  }
}

template <int Parts>
void put(const float* p, int keys, int lanes, void* weights) {
  auto* const pairs = static_cast<std::uint32_t*>(weights);
  const auto row = [&](int j, int lane) { return j < keys ? _mm512_loadu_ps(p + std::int64_t{j} * kTile + lane) : _mm512_setzero_ps(); };
  for (int lane = 0; lane < lanes; lane += 16) {
    for (int j = 0; j < kTile; j += 2) put_pairs<Parts>(row(j, lane), row(j + 1, lane), pairs + std::int64_t{j} / 2 * kTile + lane);
  }
}

template void put<1>(const float*, int, int, void*);
template void put<2>(const float*, int, int, void*);
template void put<3>(const float*, int, int, void*);
template void absorb<1>(float*, int, int, float*, float*, void*);
template void absorb<2>(float*, int, int, float*, float*, void*);
template void absorb<3>(float*, int, int, float*, float*, void*);

}  // namespace heed::machine::pairs
HEED_PAIRS_END
#endif
