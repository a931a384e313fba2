// Few queries on many keys, any dtype: K and V in place, widened in registers, each row read once for all queries of its key head.
//
//   scores   vectors along D, one sum per key and query;   mix   vectors along Dv, O as rows [query, Dv']
//
// Bytes bind for f32; for 16 bits about 2 (D + Dv) (1 + queries) / lanes operations per key stand beside them.
#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "base/targets.hpp"
#include "machine/few.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/few.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#include "machine/simd/chain-inl.hpp"
#include "machine/simd/half-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;  // rows are padded to 16 (Plain)
using VF = hn::Vec<DF>;

/// Vectors of widened elements.
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
/// The first `count` lanes of the row's end; the others are 0, and nothing beyond is read. `before`: elements of the row before them.
template <class T>
HWY_INLINE VF load_some(const T* from, int count, [[maybe_unused]] int before) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (!std::is_same_v<T, float>) {
    const hn::Rebind<std::uint16_t, DF> bits;
    const auto some = hn::MaskedLoad(hn::FirstN(bits, static_cast<std::size_t>(count)), bits, reinterpret_cast<const std::uint16_t*>(from));
    const hn::Rebind<std::conditional_t<std::is_same_v<T, f16>, hwy::float16_t, hwy::bfloat16_t>, DF> narrow;
    return hn::PromoteTo(DF(), hn::BitCast(narrow, some));
  }
#endif
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  if constexpr (std::is_same_v<T, float>) return hn::MaskedLoad(hn::FirstN(DF(), static_cast<std::size_t>(count)), DF(), from);
#endif
#if HWY_TARGET != HWY_AVX3 && HWY_TARGET != HWY_SCALAR
  // The last whole vector of the row, moved down.
  using DN = std::conditional_t<std::is_same_v<T, float>, DF, hn::Rebind<std::uint16_t, DF>>;
  constexpr int kWidth = static_cast<int>(hn::MaxLanes(DF())), kBytes = kWidth * static_cast<int>(sizeof(T));
  if (kBytes <= 16 && before + count >= kWidth) {
    static constexpr auto kDown = [] {
      std::array<std::uint8_t, 32> places{};
      for (std::size_t i = 0; i < 32; ++i) places[i] = i < kBytes ? static_cast<std::uint8_t>(i) : 0x80;
      return places;
    }();
    const hn::Repartition<std::uint8_t, DN> bytes;
    const auto down = hn::LoadU(bytes, kDown.data() + (kWidth - count) * static_cast<int>(sizeof(T)));
    const auto* const end = reinterpret_cast<const hn::TFromD<DN>*>(from + count - kWidth);
    const auto some = hn::TableLookupBytesOr0(hn::BitCast(bytes, hn::LoadU(DN(), end)), down);
    if constexpr (std::is_same_v<T, float>) {
      return hn::BitCast(DF(), some);
    } else {
      const hn::Rebind<std::conditional_t<std::is_same_v<T, f16>, hwy::float16_t, hwy::bfloat16_t>, DF> narrow;
      return hn::PromoteTo(DF(), hn::BitCast(narrow, some));
    }
  }
#endif
  T buffer[16] = {};
  std::copy_n(from, count, buffer);
  return load(buffer);
}

/// Into L2: L1 has too few places for what is on its way from memory (docs/kernels.md).
HWY_INLINE void prefetch(const void* from) {
  __builtin_prefetch(from, 0, 2);
}

template <class T>
constexpr int kLine = 64 / static_cast<int>(sizeof(T));  // elements of a line of the cache

/// How far prefetching runs ahead, in elements: whole rows, by their bytes.
template <class T>
HWY_INLINE std::int64_t ahead_of(std::int64_t stride, int columns) {
  constexpr int kAheadBytes = 1 << 14;
  return std::max<std::int64_t>(8, kAheadBytes / (std::max(columns, 1) * static_cast<int>(sizeof(T)))) * stride;
}

/// Keys as rows of T, and what belongs to them.
template <class T>
struct FewKeys {
  const float* q;
  std::int64_t q_row;
  const T* k;
  std::int64_t stride;
  int dim, keys;
  std::int64_t ahead;  ///< 0: others have asked for the rows
};

#if HWY_TARGET != HWY_SCALAR
using D4 = hn::CappedTag<float, 4>;

/// The blocks of 128 bits of a vector, added up.
template <class D>
HWY_INLINE auto halved(D /*d*/, hn::Vec<D> x) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return x;
  } else {
    const hn::Half<D> half;
    return halved(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  }
}

/// The sums of four vectors, each in the same order of its lanes.
HWY_INLINE hn::Vec<D4> sums_of_four(VF a, VF b, VF c, VF d) {
  const DF f;
  const hn::Repartition<std::uint64_t, DF> wide;
  const auto ab = hn::BitCast(wide, hn::Add(hn::InterleaveLower(f, a, b), hn::InterleaveUpper(f, a, b)));
  const auto cd = hn::BitCast(wide, hn::Add(hn::InterleaveLower(f, c, d), hn::InterleaveUpper(f, c, d)));
  const VF all = hn::Add(hn::BitCast(f, hn::InterleaveLower(wide, ab, cd)), hn::BitCast(f, hn::InterleaveUpper(wide, ab, cd)));
  return halved(f, all);
}
#endif

/// sums[8] <- the sums of eight vectors; their sum.
HWY_INLINE float sums_of(const VF (&v)[1][8], float* sums) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 8; ++i) sums[i] = hn::GetLane(v[0][i]);
#else
  const D4 d;
  hn::StoreU(sums_of_four(v[0][0], v[0][1], v[0][2], v[0][3]), d, sums);
  hn::StoreU(sums_of_four(v[0][4], v[0][5], v[0][6], v[0][7]), d, sums + 4);
#endif
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Scores of 8 / R keys from `key` on for R queries: a vector of keys serves R, one of queries 8 / R. Their sum.
template <int R, class T>
HWY_INLINE float score_block(const FewKeys<T>& of, int key, float* s) {
  constexpr int kKeys = 8 / R;
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  VF sum[1][8], sums[1][8];
  const T* rows[kKeys];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) sum[0][i] = sums[0][i] = hn::Zero(d);
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; ++j) rows[j] = of.k + std::min(key + j, of.keys - 1) * of.stride;
  const auto add = [&](int c, const auto& row_of) HWY_ATTR {
    end_chain(d, c / width, sum, sums);
    VF query[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) query[r] = hn::LoadU(d, of.q + r * of.q_row + c);
#pragma GCC unroll 8
    for (int j = 0; j < kKeys; ++j) {
      const VF row = row_of(rows[j] + c);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sum[0][j * R + r] = hn::MulAdd(row, query[r], sum[0][j * R + r]);
    }
  };
  int c = 0;
  for (; c + width <= of.dim; c += width) {
    if (of.ahead != 0 && c % kLine<T> == 0) {
#pragma GCC unroll 8
      for (int j = 0; j < kKeys; ++j) prefetch(rows[j] + c + of.ahead);
    }
    add(c, [](const T* from) HWY_ATTR { return load(from); });
  }
  if (c < of.dim) add(c, [&](const T* from) HWY_ATTR { return load_some(from, of.dim - c, c); });
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    if constexpr (kChain != 0) sum[0][i] = hn::Add(sums[0][i], sum[0][i]);
  }
  float all[8];
  const float nothing = 0.0f * sums_of(sum, all);
  for (int j = 0; j < std::min(kKeys, of.keys - key); ++j) std::memcpy(s + (key + j) * 64, all + j * R, R * sizeof(float));
  return nothing;
}

template <int R, class T>
HWY_INLINE float score_rows(FewKeys<T> of, int first, float* s) {
  of.q += first * of.q_row;
  if (first != 0) of.ahead = 0;
  float nothing = 0;
  for (int key = 0; key < of.keys; key += 8 / R) nothing += score_block<R>(of, key, s + first);
  return nothing;
}

/// Whether all are finite, and not so large that it is in doubt. Three queries are taken as four: the last is 0.
template <class T>
HWY_INLINE bool few_scores(const FewKeys<T>& of, int lanes, float* s) {
  float nothing = 0;  // becomes NaN where a score is not finite
  int first = 0;
  for (; lanes - first > 2; first += 4) nothing += score_rows<4>(of, first, s);
  if (lanes - first == 2) nothing += score_rows<2>(of, first, s);
  if (lanes - first == 1) nothing += score_rows<1>(of, first, s);
  return nothing == 0;
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kAcrossFew = 4;  // vectors of V that four queries share: 16 sums take half of 32 registers
#else
constexpr int kAcrossFew = 2;
#endif

/// Values as rows of T, and the weights.
template <class T>
struct FewValues {
  const float* p;
  const T* v;
  std::int64_t stride;
  int value_dim, keys;
  const float* rescale;
  float* o;
  std::int64_t o_row, ahead;
};

/// Columns [column, column + N vectors) of R queries; of the last vector what is there.
template <int R, int N, bool Whole, class T>
HWY_INLINE void mix_block(const FewValues<T>& of, int column) {
  const DF d;
  const int width = static_cast<int>(hn::Lanes(d));
  VF sum[R][N], sums[R][N];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[r][n] = sums[r][n] = hn::Zero(d);
  }
  const std::int64_t ahead = column % kLine<T> == 0 ? of.ahead : 0;
  const T* row = of.v + column;
  for (int j = 0; j < of.keys; ++j, row += of.stride) {
    end_chain(d, j, sum, sums);
    if (ahead != 0) {
      for (int c = 0; c < N * width; c += kLine<T>) prefetch(row + c + ahead);
    }
    VF values[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      values[n] = Whole ? load(row + n * width) : load_some(row + n * width, of.value_dim - column - n * width, column + n * width);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const VF weight = hn::Set(d, of.p[j * 64 + r]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(values[n], weight, sum[r][n]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      if constexpr (kChain != 0) sum[r][n] = hn::Add(sums[r][n], sum[r][n]);
      float* const at = of.o + r * of.o_row + column + n * width;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, at), hn::Set(d, of.rescale[r]), sum[r][n]), d, at);
    }
  }
}

template <int R, class T>
HWY_INLINE void mix_rows(FewValues<T> of, int first) {
  of.p += first;
  of.rescale += first;
  of.o += first * of.o_row;
  if (first != 0) of.ahead = 0;
  const int width = static_cast<int>(hn::Lanes(DF()));
  int column = 0;
  for (; column + kAcrossFew * width <= of.value_dim; column += kAcrossFew * width) mix_block<R, kAcrossFew, true>(of, column);
  if constexpr (kAcrossFew == 4) {
    if (column + 2 * width <= of.value_dim) {
      mix_block<R, 2, true>(of, column);
      column += 2 * width;
    }
  }
  for (; column + width <= of.value_dim; column += width) mix_block<R, 1, true>(of, column);
  if (column < of.value_dim) mix_block<R, 1, false>(of, column);
}

template <class T>
HWY_INLINE void few_mix(const FewValues<T>& of, int lanes) {
  int first = 0;
  for (; lanes - first > 2; first += 4) mix_rows<4>(of, first);
  if (lanes - first == 2) mix_rows<2>(of, first);
  if (lanes - first == 1) mix_rows<1>(of, first);
}

bool FewScores(const float* q, DType dtype, const Operand& k, const Shape& shape, float* s) {
  return base::by_dtype(dtype, [&](auto type) HWY_ATTR {
    using T = decltype(type);
    const FewKeys<T> of{.q = q,
                        .q_row = Plain::row(shape.dim),
                        .k = static_cast<const T*>(k.data),
                        .stride = k.stride,
                        .dim = shape.dim,
                        .keys = shape.keys,
                        .ahead = ahead_of<T>(k.stride, shape.dim)};
    return few_scores(of, shape.lanes, s);
  });
}

void FewMix(const float* p, DType dtype, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  base::by_dtype(dtype, [&](auto type) HWY_ATTR {
    using T = decltype(type);
    const FewValues<T> of{.p = p,
                          .v = static_cast<const T*>(v.data),
                          .stride = v.stride,
                          .value_dim = shape.dim,
                          .keys = shape.keys,
                          .rescale = rescale,
                          .o = o,
                          .o_row = Plain::row(shape.dim),
                          .ahead = ahead_of<T>(v.stride, shape.dim)};
    few_mix(of, shape.lanes);
  });
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(FewScores);
HWY_EXPORT(FewMix);
namespace simd {
namespace {

template <class T>
constexpr DType kDType = std::is_same_v<T, float> ? DType::kF32
                         : std::is_same_v<T, f16> ? DType::kF16
                                                  : DType::kBF16;

constexpr int kHead = 16;  // floats before the queries: what the finished score is multiplied by

template <class T>
Similarity::Sizes few_sizes(int dim) {
  return {.queries = sizeof(float) * (kHead + kFewLanes * static_cast<std::size_t>(Plain::row(dim))),
          .keys = sizeof(T) * kTile * static_cast<std::size_t>(dim)};
}

template <class T>
Mixing::Sizes few_mix_sizes(int value_dim) {
  return {.values = sizeof(T) * kTile * static_cast<std::size_t>(value_dim),
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
bool few_scores(const void* q, const Operand& k, const Shape& shape, float* s) {
  const auto* const head = static_cast<const float*>(q);
  const bool all = HWY_DYNAMIC_DISPATCH(FewScores)(head + kHead, kDType<T>, k, shape, s);
  return scale(head[0], all, shape.keys, shape.lanes, s);
}

template <class T>
void few_mix(const void* p, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  HWY_DYNAMIC_DISPATCH(FewMix)(static_cast<const float*>(p), kDType<T>, v, shape, rescale, o);
}

void few_absorb(float* s, int keys, int lanes, float* state, float* rescale, void*) {
  state::softmax().absorb(s, keys, lanes, state, rescale);
}

template <class T>
constexpr Similarity few_dot() {
  return {.name = "dot",
          .text = "scale q . k",
          .sizes = few_sizes<T>,
          .unusual_queries = nullptr,
          .unusual_keys = nullptr,
          .load = few_queries<T>,
          .keys = few_rows<T>,
          .scores = few_scores<T>};
}

template <class T>
constexpr Mixing few_mixing_of() {
  return {.sizes = few_mix_sizes<T>,
          .unusual = nullptr,
          .values = few_rows<T>,
          .mix = few_mix<T>,
          .blend = few_blend<Plain>,
          .adopt = few_adopt<Plain>,
          .suspects = few_suspects<Plain, false>,
          .overflown = few_overflown<Plain>,
          .finish = few_finish<Plain>,
          .clean = few_clean<T>};
}

}  // namespace

std::span<const Similarity> few_similarities(DType dtype) {
  static constexpr Similarity kF32[] = {few_dot<float>()}, kF16[] = {few_dot<f16>()}, kBF16[] = {few_dot<bf16>()};
  return dtype == DType::kF32 ? kF32 : dtype == DType::kF16 ? kF16 : kBF16;
}

const Mixing& few_mixing(DType dtype) {
  static constexpr Mixing kF32 = few_mixing_of<float>(), kF16 = few_mixing_of<f16>(), kBF16 = few_mixing_of<bf16>();
  return dtype == DType::kF32 ? kF32 : dtype == DType::kF16 ? kF16 : kBF16;
}

std::span<const Phrase> few_phrases(DType) {
  static constexpr Phrase kPhrases[] = {{.similarity = "", .weighing = "softmax", .absorb = few_absorb, .merge = few_merge}};
  return kPhrases;
}

}  // namespace simd
}  // namespace heed::machine
#endif
