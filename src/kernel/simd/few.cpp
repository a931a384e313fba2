// Few queries on many keys, any dtype: K and V in place, widened in registers, each row read once for all queries of its key head.
//
//   scores   vectors along D, one sum per key and query;   mix   vectors along Dv, O as rows [query, Dv']
//
// Bytes bind for f32; for 16 bits about 2 (D + Dv) (1 + queries) / lanes operations per key stand beside them.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernel/few.hpp"
#include "kernel/simd/simd.hpp"
#include "kernel/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/simd/few.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#include "kernel/simd/chain-inl.hpp"
#include "kernel/simd/half-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;  // rows are padded to 16
using VF = hn::Vec<DF>;

/// Vectors of widened elements; the last of a row by way of a buffer, so that nothing beyond it is read.
HWY_INLINE VF load(const float* from) {
  return hn::LoadU(DF(), from);
}
HWY_INLINE VF load(const f16* from) {
  return load_half(DF(), from);
}
HWY_INLINE VF load(const bf16* from) {
  const hn::Rebind<hwy::bfloat16_t, DF> narrow;
  return hn::PromoteTo(DF(), hn::LoadU(narrow, reinterpret_cast<const hwy::bfloat16_t*>(from)));
}
template <class T>
HWY_INLINE VF load_some(const T* from, int count) {
  T buffer[16] = {};
  std::copy_n(from, count, buffer);
  return load(buffer);
}

constexpr int kAhead = 64;  // rows that prefetching runs ahead

/// Into L2: L1 has too few places for what is on its way from memory (docs/kernels.md).
HWY_INLINE void prefetch(const void* from) {
  __builtin_prefetch(from, 0, 2);
}

/// Scores of one key; their sum.
template <int R, class T>
HWY_INLINE float score_key(const float* q, std::int64_t q_row, const T* k, std::int64_t stride, int dim, float* s) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  VF sum[1][R], sums[1][R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) sum[0][r] = sums[0][r] = hn::Zero(d);
  int c = 0;
  for (; c + width <= dim; c += width) {
    end_chain(d, c / width, sum, sums);
    prefetch(k + c + kAhead * stride);
    const VF row = load(k + c);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[0][r] = hn::MulAdd(row, hn::LoadU(d, q + r * q_row + c), sum[0][r]);
  }
  if (c < dim) {
    const VF row = load_some(k + c, dim - c);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[0][r] = hn::MulAdd(row, hn::LoadU(d, q + r * q_row + c), sum[0][r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    if constexpr (kChain != 0) sum[0][r] = hn::Add(sums[0][r], sum[0][r]);
    s[r] = hn::GetLane(hn::SumOfLanes(d, sum[0][r]));
  }
  float all = s[0];
#pragma GCC unroll 4
  for (int r = 1; r < R; ++r) all += s[r];
  return all;
}

/// Whether all are finite, and not so large that it is in doubt.
template <class T>
HWY_INLINE bool few_scores(const float* q, std::int64_t q_row, const T* k, std::int64_t stride, int dim, int keys, int lanes, float* s) {
  float nothing = 0;  // becomes NaN where a score is not finite
  for (int key = 0; key < keys; ++key) {
    const T* const row = k + key * stride;
    float* const to = s + key * 64;
    int first = 0;
    for (; first + 4 <= lanes; first += 4) nothing += 0.0f * score_key<4>(q + first * q_row, q_row, row, stride, dim, to + first);
    for (; first + 2 <= lanes; first += 2) nothing += 0.0f * score_key<2>(q + first * q_row, q_row, row, stride, dim, to + first);
    if (first < lanes) nothing += 0.0f * score_key<1>(q + first * q_row, q_row, row, stride, dim, to + first);
  }
  return nothing == 0;
}

/// Columns [column, column + N vectors) of R queries.
template <int R, int N, class T>
HWY_INLINE void mix_block(const float* p, const T* v, std::int64_t stride, int count, int keys, const float* rescale, float* o,
                          std::int64_t o_row) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  VF sum[R][N], sums[R][N];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[r][n] = sums[r][n] = hn::Zero(d);
  }
  for (int j = 0; j < keys; ++j) {
    end_chain(d, j, sum, sums);
    const T* const row = v + j * stride;
    VF values[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      prefetch(row + n * width + kAhead * stride);
      values[n] = (n + 1) * width <= count ? load(row + n * width) : load_some(row + n * width, count - n * width);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const VF weight = hn::Set(d, p[j * 64 + r]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(values[n], weight, sum[r][n]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      if constexpr (kChain != 0) sum[r][n] = hn::Add(sums[r][n], sum[r][n]);
      float* const at = o + r * o_row + n * width;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, at), hn::Set(d, rescale[r]), sum[r][n]), d, at);
    }
  }
}

template <int R, class T>
HWY_INLINE void mix_rows(const float* p, const T* v, std::int64_t stride, int value_dim, int keys, const float* rescale, float* o,
                         std::int64_t o_row) {
  const int width = static_cast<int>(hn::Lanes(DF()));
  int column = 0;
  for (; column + 4 * width <= value_dim; column += 4 * width)
    mix_block<R, 4>(p, v + column, stride, 4 * width, keys, rescale, o + column, o_row);
  for (; column < value_dim; column += width)
    mix_block<R, 1>(p, v + column, stride, std::min(width, value_dim - column), keys, rescale, o + column, o_row);
}

template <class T>
HWY_INLINE void few_mix(const float* p, const T* v, std::int64_t stride, int value_dim, int keys, int lanes, const float* rescale, float* o,
                        std::int64_t o_row) {
  int first = 0;
  for (; first + 4 <= lanes; first += 4) mix_rows<4>(p + first, v, stride, value_dim, keys, rescale + first, o + first * o_row, o_row);
  for (; first + 2 <= lanes; first += 2) mix_rows<2>(p + first, v, stride, value_dim, keys, rescale + first, o + first * o_row, o_row);
  if (first < lanes) mix_rows<1>(p + first, v, stride, value_dim, keys, rescale + first, o + first * o_row, o_row);
}

bool FewScores(const float* q, std::int64_t q_row, DType dtype, const void* k, std::int64_t stride, int dim, int keys, int lanes,
               float* s) {
  if (dtype == DType::kF32) return few_scores(q, q_row, static_cast<const float*>(k), stride, dim, keys, lanes, s);
  if (dtype == DType::kF16) return few_scores(q, q_row, static_cast<const f16*>(k), stride, dim, keys, lanes, s);
  return few_scores(q, q_row, static_cast<const bf16*>(k), stride, dim, keys, lanes, s);
}

void FewMix(const float* p, DType dtype, const void* v, std::int64_t stride, int value_dim, int keys, int lanes, const float* rescale,
            float* o, std::int64_t o_row) {
  if (dtype == DType::kF32) return few_mix(p, static_cast<const float*>(v), stride, value_dim, keys, lanes, rescale, o, o_row);
  if (dtype == DType::kF16) return few_mix(p, static_cast<const f16*>(v), stride, value_dim, keys, lanes, rescale, o, o_row);
  few_mix(p, static_cast<const bf16*>(v), stride, value_dim, keys, lanes, rescale, o, o_row);
}

}  // namespace heed::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::kernel {
HWY_EXPORT(FewScores);
HWY_EXPORT(FewMix);
namespace simd {
namespace {

struct Plain {
  static std::int64_t row(int value_dim) { return (value_dim + 15) / 16 * 16; }
  static std::int64_t place(int column) { return column; }
};

template <class T>
constexpr DType kDType = std::is_same_v<T, float> ? DType::kF32
                         : std::is_same_v<T, f16> ? DType::kF16
                                                  : DType::kBF16;

constexpr int kHead = 16;  // floats before the queries: what the finished score is multiplied by

template <class T>
Sizes few_sizes(int dim, int value_dim) {
  return {.queries = sizeof(float) * (kHead + kFewLanes * static_cast<std::size_t>(Plain::row(dim))),
          .keys = sizeof(T) * kTile * static_cast<std::size_t>(dim),
          .values = sizeof(T) * kTile * static_cast<std::size_t>(value_dim),
          .weights = 0,
          .output = sizeof(float) * kFewLanes * static_cast<std::size_t>(Plain::row(value_dim))};
}

template <class T>
void few_queries(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q) {
  const ScaleSplit split(scale);
  static_cast<float*>(q)[0] = split.of_score;
  auto* const to = static_cast<float*>(q) + kHead;
  std::fill_n(to, kFewLanes * Plain::row(dim), 0.0f);
  for (int i = 0; i < count; ++i) {
    Rows row = rows.from(slots[i]);
    row.row_stride = 0;
    widen(row, 1, dim, to + i * Plain::row(dim));
    for (int c = 0; c < dim; ++c) to[i * Plain::row(dim) + c] *= split.of_query;
  }
}

template <class T>
bool few_scores(const void* q, const Operand& k, int dim, int keys, int lanes, float* s) {
  const auto* const head = static_cast<const float*>(q);
  const bool all = HWY_DYNAMIC_DISPATCH(FewScores)(head + kHead, Plain::row(dim), kDType<T>, k.data, k.stride, dim, keys, lanes, s);
  if (head[0] == 1) return all;
  scale_scores(head[0], keys, lanes, s);
  return finite(s, keys, lanes);
}

template <class T>
void few_mix(const void* p, const Operand& v, int value_dim, int keys, int lanes, const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(FewMix)
  (static_cast<const float*>(p), kDType<T>, v.data, v.stride, value_dim, keys, lanes, rescale, o, Plain::row(value_dim));
}

void few_absorb(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale, void*) {
  absorb(s, keys, lanes, state, rescale);
}

template <class T>
constexpr Products few_products_of() {
  return {.name = "simd, few queries",
          .most_lanes = kFewLanes,
          .query_tiles = 1,
          .sizes = few_sizes<T>,
          .unusual_queries = nullptr,
          .unusual_keys = nullptr,
          .unusual_values = nullptr,
          .load_queries = few_queries<T>,
          .keys = few_rows<T>,
          .values = few_rows<T>,
          .scores = few_scores<T>,
          .absorb = few_absorb,
          .mix = few_mix<T>,
          .merge = few_merge<Plain>,
          .adopt = few_adopt<Plain>,
          .suspects = few_suspects<Plain, false>,
          .overflown = few_overflown<Plain>,
          .finish = few_finish<Plain>,
          .clean_values = few_clean<T>};
}

}  // namespace

const Products& few_products(DType dtype) {
  static constexpr Products kF32 = few_products_of<float>(), kF16 = few_products_of<f16>(), kBF16 = few_products_of<bf16>();
  return dtype == DType::kF32 ? kF32 : dtype == DType::kF16 ? kF16 : kBF16;
}

}  // namespace simd
}  // namespace heed::kernel
#endif
