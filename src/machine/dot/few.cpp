// Few queries on many keys, bf16: K and V in place, each row read once for all queries of its key head (at most kFewLanes).
//
//   scores   vectors along D: 16 sums (keys x queries) at a time, added up by one tree of shuffles
//   mix      vectors along Dv: two rows of V are interleaved into pairs, O as rows [query, Dv'] in the order that leaves the columns
//
// Bytes bind: 2 (D + Dv) per key, against about 60 vector operations at D = Dv = 128 and four queries. Denormals count as 0: queries so
// large that this could be felt in a score, and rows so small that it could be felt in O, go to the careful words.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "machine/dot/dot.hpp"
#include "machine/few.hpp"
#include "machine/pairs/exp.hpp"
#include "machine/pairs/lanes.hpp"
#include "machine/pairs/pairs.hpp"
#include "machine/simd/simd.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::dot {
namespace {

constexpr int kAhead = 64;  // rows that prefetching runs ahead, into L2: L1 has too few places for what is on its way (docs/kernels.md)

__mmask32 first_halves(int count) {
  return static_cast<__mmask32>(count >= 32 ? ~0U : (1U << count) - 1);
}

void load_queries(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q) {
  static_cast<float*>(q)[0] = scale;
  auto* const to = reinterpret_cast<bf16*>(static_cast<float*>(q) + 16);
  std::memset(to, 0, sizeof(bf16) * kFewLanes * static_cast<std::size_t>(padded(dim)));
  for (int i = 0; i < count; ++i) {
    const auto* const from = static_cast<const bf16*>(rows.data) + slots[i];
    if (rows.column_stride == 1)
      std::memcpy(to + i * padded(dim), from, sizeof(bf16) * static_cast<std::size_t>(dim));
    else
      for (int c = 0; c < dim; ++c) to[i * padded(dim) + c] = from[c * rows.column_stride];
  }
}

/// Denormals of K times numbers up to 2^64 cannot be felt.
std::uint64_t large(const Rows& rows, int count, int columns) {
  std::uint64_t found = 0;
  for (int row = 0; row < count; ++row) {
    constexpr short kLarge = 0x5F80;  // 2^64
    const auto* const from = static_cast<const bf16*>(rows.data) + row * rows.row_stride;
    __mmask32 any = 0;
    if (rows.column_stride == 1) {
      for (int c = 0; c < columns; c += 32) {
        const __m512i bits = _mm512_maskz_loadu_epi16(first_halves(columns - c), from + c);
        any |= _mm512_cmpge_epu16_mask(_mm512_and_si512(bits, _mm512_set1_epi16(0x7FFF)), _mm512_set1_epi16(kLarge));
      }
    } else {
      for (int c = 0; c < columns; ++c) any |= (from[c * rows.column_stride].bits & 0x7FFFU) >= kLarge;
    }
    found |= static_cast<std::uint64_t>(any != 0) << row;
  }
  return found;
}

Operand rows_of(const Rows& rows, int count, int columns, void* buffer) {
  return few_rows<bf16>(rows, count, columns, buffer);
}

/// The sums of 16 vectors.
[[gnu::always_inline]] inline __m512 sums_of(const __m512 (&v)[16]) {
  __m512 t[8], u[4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) t[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(t[2 * i]), b = _mm512_castps_pd(t[2 * i + 1]);
    u[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  const __m512 x = _mm512_add_ps(_mm512_shuffle_f32x4(u[0], u[1], 0x88), _mm512_shuffle_f32x4(u[0], u[1], 0xDD));
  const __m512 y = _mm512_add_ps(_mm512_shuffle_f32x4(u[2], u[3], 0x88), _mm512_shuffle_f32x4(u[2], u[3], 0xDD));
  return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
}

/// A tile of keys, its queries (rows of padded(D)), and where its scores go.
struct FewKeys {
  const bf16* q;
  Operand k;
  Shape shape;
  __m512 scale;
  float* s;
};

/// Scores of 16 / R keys from `key` on for queries [first, first + R); returned as well.
template <int R>
__m512 score_block(const FewKeys& of, int key, int first) {
  const auto [dim, keys, lanes] = of.shape;
  const Operand k = of.k;
  constexpr int kKeys = 16 / R;
  __m512 sum[16];
#pragma GCC unroll 16
  for (auto& lane : sum) lane = _mm512_setzero_ps();
  const std::uint16_t* rows[kKeys];
#pragma GCC unroll 16
  for (int j = 0; j < kKeys; ++j) rows[j] = static_cast<const std::uint16_t*>(k.data) + std::min(key + j, keys - 1) * k.stride;
  for (int c = 0; c < dim; c += 32) {
    const __mmask32 mask = first_halves(dim - c);
    __m512bh query[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) query[r] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(of.q + (first + r) * padded(dim) + c));
#pragma GCC unroll 16
    for (int j = 0; j < kKeys; ++j) {
      _mm_prefetch(reinterpret_cast<const char*>(rows[j] + c + kAhead * k.stride), _MM_HINT_T1);
      const auto row = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, rows[j] + c));
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sum[j * R + r] = _mm512_dpbf16_ps(sum[j * R + r], row, query[r]);
    }
  }
  alignas(64) float all[16];
  const __m512 scores = _mm512_mul_ps(sums_of(sum), of.scale);
  _mm512_store_ps(all, scores);
  for (int j = 0; j < std::min(kKeys, keys - key); ++j) std::memcpy(of.s + (key + j) * kTile + first, all + j * R, R * sizeof(float));
  return scores;
}

bool few_scores(const void* q, const Operand& k, const Shape& shape, float* s) {
  const auto* const head = static_cast<const float*>(q);
  const FewKeys of{.q = reinterpret_cast<const bf16*>(head + 16), .k = k, .shape = shape, .scale = _mm512_set1_ps(head[0]), .s = s};
  __m512 nothing = _mm512_setzero_ps();  // becomes NaN where a score is not finite
  const auto look = [&](__m512 scores) { nothing = _mm512_fmadd_ps(scores, _mm512_setzero_ps(), nothing); };
  if (shape.lanes == 1) {
    for (int key = 0; key < shape.keys; key += 16) look(score_block<1>(of, key, 0));
  } else if (shape.lanes == 2) {
    for (int key = 0; key < shape.keys; key += 8) look(score_block<2>(of, key, 0));
  } else {
    for (int key = 0; key < shape.keys; key += 4) {
      for (int first = 0; first < shape.lanes; first += 4) look(score_block<4>(of, key, first));
    }
  }
  return _mm512_cmp_ps_mask(nothing, nothing, _CMP_UNORD_Q) == 0;
}

/// The softmax with 16 / W keys of W lanes to a vector, W = 4 or 8: see Weighing::absorb.
template <int W>
struct FewSoftmax {
  static constexpr int kKeys = 16 / W;

  /// W lanes in every part of a vector.
  static __m512 everywhere(const float* lanes) {
    if constexpr (W == 4) return _mm512_broadcast_f32x4(_mm_loadu_ps(lanes));
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(lanes));
  }
  /// Keys from `key` on; `beyond` where there is none.
  static __m512 load(const float* s, int key, int keys, __m512 beyond) {
    const float* const at = s + key * kTile;
    if (key + kKeys <= keys) {
      if constexpr (W == 4) {
        const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(at)), _mm_loadu_ps(at + kTile), 1);
        const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(at + 2 * kTile)), _mm_loadu_ps(at + 3 * kTile), 1);
        return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
      }
      return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(at)), _mm256_loadu_ps(at + kTile), 1);
    }
    alignas(64) float lanes[16];
    _mm512_store_ps(lanes, beyond);
    for (int j = key; j < keys; ++j) std::memcpy(lanes + (j - key) * W, s + j * kTile, W * sizeof(float));
    return _mm512_load_ps(lanes);
  }
  /// op over the parts of a vector, in every part.
  template <class Op>
  static __m512 over_parts(__m512 x, const Op& op) {
    x = op(x, _mm512_shuffle_f32x4(x, x, 0x4E));
    if constexpr (W == 4) x = op(x, _mm512_shuffle_f32x4(x, x, 0xB1));
    return x;
  }
  /// Pairs (P[key], P[key + 1]) of each lane from the vectors of kKeys keys.
  static void put(__m512 weights, int key, std::uint32_t* p) {
    const __m256i narrow = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weights));
    if constexpr (W == 4) {
      const __m256i order = _mm256_set_epi16(15, 11, 14, 10, 13, 9, 12, 8, 7, 3, 6, 2, 5, 1, 4, 0);
      const __m256i pairs = _mm256_permutexvar_epi16(order, narrow);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + key / 2 * kTile), _mm256_castsi256_si128(pairs));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + (key / 2 + 1) * kTile), _mm256_extracti128_si256(pairs, 1));
    } else {
      const __m256i order = _mm256_set_epi16(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + key / 2 * kTile), _mm256_permutexvar_epi16(order, narrow));
    }
  }

  static void absorb(const float* s, int keys, float* state, float* rescale, std::uint32_t* p) {
    const __m512 nothing = _mm512_set1_ps(-INFINITY), before = everywhere(state);
    __m512 m = before;
    for (int key = 0; key < keys; key += kKeys) m = _mm512_max_ps(load(s, key, keys, nothing), m);
    m = over_parts(m, [](__m512 a, __m512 b) { return _mm512_max_ps(a, b); });
    const __m512 base = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(m, nothing, _CMP_NEQ_UQ), m);
    // Keys are summed by their number modulo 4, and then in one order, whatever W: a row's bits do not tell how many others there are.
    __m512 sum = _mm512_setzero_ps(), sum2 = _mm512_setzero_ps();
    const auto weigh = [&](int key, __m512& to) {
      if (key >= keys) return;
      const __m512 weights = pairs::fine_exp(_mm512_sub_ps(load(s, key, keys, nothing), base));
      to = _mm512_add_ps(to, weights);
      put(weights, key, p);
    };
    for (int key = 0; key < keys; key += 4) {
      weigh(key, sum);
      if constexpr (W == 8) weigh(key + 2, sum2);
    }
    if constexpr (W == 8) sum = _mm512_add_ps(sum, sum2);
    sum = over_parts(sum, [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); });
    const __m512 shrink =
        _mm512_mask_mov_ps(pairs::fine_exp(_mm512_sub_ps(before, base)), _mm512_cmp_ps_mask(m, before, _CMP_EQ_OQ), _mm512_set1_ps(1.0f));
    const __mmask16 lanes = static_cast<__mmask16>((1U << W) - 1);
    _mm512_mask_storeu_ps(rescale, lanes, shrink);
    _mm512_mask_storeu_ps(state, lanes, m);
    _mm512_mask_storeu_ps(state + kTile, lanes, _mm512_fmadd_ps(everywhere(state + kTile), shrink, sum));
  }
};

void few_absorb(float* s, int keys, int lanes, float* state, float* rescale, void* p) {
  auto* const pairs = static_cast<std::uint32_t*>(p);
  if (lanes <= 4)
    FewSoftmax<4>::absorb(s, keys, state, rescale, pairs);
  else
    FewSoftmax<8>::absorb(s, keys, state, rescale, pairs);
}

/// A tile of values, its weights in pairs, and O (rows of padded(Dv)).
struct FewValues {
  const std::uint32_t* p;
  Operand v;
  Shape shape;
  const float* rescale;
  float* o;
};

/// O of queries [first, first + R), columns [column, column + 64).
template <int R>
void mix_block(const FewValues& of, int column, int first) {
  const auto [value_dim, keys, lanes] = of.shape;
  const Operand v = of.v;
  const std::int64_t o_row = padded(value_dim);
  const __mmask32 low = first_halves(value_dim - column), high = first_halves(std::max(0, value_dim - column - 32));
  __m512 sum[R][4];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) sum[r][n] = _mm512_setzero_ps();
  }
  const auto* row = static_cast<const std::uint16_t*>(v.data) + column;
  for (int j = 0; j < keys; j += 2, row += 2 * v.stride) {
    const std::uint16_t* const next = row + v.stride;
    const __mmask32 odd = j + 1 < keys ? ~0U : 0U;
    for (const std::uint16_t* const ahead : {row + kAhead * v.stride, next + kAhead * v.stride}) {
      _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
      _mm_prefetch(reinterpret_cast<const char*>(ahead + 32), _MM_HINT_T1);
    }
    const __m512i a0 = _mm512_maskz_loadu_epi16(low, row), a1 = _mm512_maskz_loadu_epi16(low & odd, next);
    const __m512i b0 = _mm512_maskz_loadu_epi16(high, row + 32), b1 = _mm512_maskz_loadu_epi16(high & odd, next + 32);
    const __m512bh values[4] = {
        reinterpret_cast<__m512bh>(_mm512_unpacklo_epi16(a0, a1)), reinterpret_cast<__m512bh>(_mm512_unpackhi_epi16(a0, a1)),
        reinterpret_cast<__m512bh>(_mm512_unpacklo_epi16(b0, b1)), reinterpret_cast<__m512bh>(_mm512_unpackhi_epi16(b0, b1))};
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const auto weight = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(of.p[j / 2 * kTile + first + r])));
#pragma GCC unroll 4
      for (int n = 0; n < 4; ++n) sum[r][n] = _mm512_dpbf16_ps(sum[r][n], values[n], weight);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const __m512 factor = _mm512_set1_ps(of.rescale[first + r]);
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) {
      if (n >= 2 && column + 32 >= value_dim) break;
      float* const at = of.o + (first + r) * o_row + column + 16 * n;
      _mm512_storeu_ps(at, _mm512_fmadd_ps(_mm512_loadu_ps(at), factor, sum[r][n]));
    }
  }
}

/// Mixing::put.
template <int W>
void put(const float* p, int keys, std::uint32_t* weights) {
  for (int key = 0; key < keys; key += FewSoftmax<W>::kKeys)
    FewSoftmax<W>::put(FewSoftmax<W>::load(p, key, keys, _mm512_setzero_ps()), key, weights);
}
void few_put(const float* p, int keys, int lanes, void* weights) {
  if (lanes <= 4)
    put<4>(p, keys, static_cast<std::uint32_t*>(weights));
  else
    put<8>(p, keys, static_cast<std::uint32_t*>(weights));
}

void few_mix(const void* p, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  const FewValues of{.p = static_cast<const std::uint32_t*>(p), .v = v, .shape = shape, .rescale = rescale, .o = o};
  for (int column = 0; column < shape.dim; column += 64) {
    int first = 0;
    for (; first + 4 <= shape.lanes; first += 4) mix_block<4>(of, column, first);
    for (; first + 2 <= shape.lanes; first += 2) mix_block<2>(of, column, first);
    if (first < shape.lanes) mix_block<1>(of, column, first);
  }
}

/// Where the interleaving of bytes within quarters leaves a column.
struct Interleaved {
  static std::int64_t row(int value_dim) { return padded(value_dim); }
  static std::int64_t place(int column) {
    const int within = column % 32, quarter = within / 8, i = within % 8;
    return column - within + (i < 4 ? 4 * quarter + i : 16 + 4 * quarter + i - 4);
  }
};

}  // namespace

constexpr Similarity kFewDot{.name = "dot",
                             .text = "scale q . k",
                             .sizes = few_sizes,
                             .unusual_queries = large,
                             .unusual_keys = nullptr,
                             .load = load_queries,
                             .keys = rows_of,
                             .scores = few_scores};
constexpr Mixing kFewMixing{.sizes = few_mix_sizes,
                            .unusual = nullptr,
                            .values = rows_of,
                            .put = few_put,
                            .mix = few_mix,
                            .blend = few_blend<Interleaved>,
                            .adopt = few_adopt<Interleaved>,
                            .suspects = few_suspects<Interleaved, true>,
                            .overflown = few_overflown<Interleaved>,
                            .finish = few_finish<Interleaved>,
                            .clean = few_clean<bf16>};
constexpr Phrase kFewPhrase{.similarity = "", .weighing = "softmax", .absorb = few_absorb, .merge = few_merge};

}  // namespace heed::machine::dot
HEED_PAIRS_END
#endif
