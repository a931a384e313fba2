// The two products by VDPBF16PS, one matrix loop: C[m, i] <- C[m, i] rescale[i] + sum_k a(m, k) B[k, i], k over pairs, i over 64 lanes.
//
// a is read pair by pair and broadcast, B in whole vectors: keys against queries make the scores, values against weights the mix.
// 6 x 4 accumulators: each step costs 6 broadcasts and 4 loads for 24 dot products. Each element is one chain over all products of
// parts, smallest first, from 0; what was there before is added last. Whatever the block, the bits are the same.
// Flops 4 per pair and lane.
#include "machine/dot/dot.hpp"

#include <cstring>

#include "machine/pairs/pairs.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::dot {
namespace {

using pairs::PartPair;

constexpr int kAcross = 4, kDown = 6;

struct Outer {
  const std::uint16_t* a;
  std::int64_t a_row, a_part;  // in bf16
  const std::uint32_t* b;
  std::int64_t b_part;  // in pairs
  int count;            // of pairs
  float* c;
  float scale;           // of the scores; 1 for the mix
  const float* rescale;  // null: C is not read
};

template <std::size_t Count, std::array<PartPair, Count> Parts, int M, int N>
void block(const Outer& o, int row, int lane) {
  __m512 sum[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[m][n] = _mm512_setzero_ps();
  }
  for (const PartPair part : Parts) {
    const std::uint16_t* a = o.a + part.a * o.a_part + row * o.a_row;
    const std::uint32_t* b = o.b + part.b * o.b_part + lane;
    for (int k = 0; k < o.count; ++k, a += 2, b += kTile) {
      __m512bh right[N];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) right[n] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + n * 16));
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        int pair;
        std::memcpy(&pair, a + m * o.a_row, sizeof pair);
        const auto left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sum[m][n] = _mm512_dpbf16_ps(sum[m][n], left, right[n]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      float* const place = o.c + (row + m) * kTile + lane + n * 16;
      if (o.rescale != nullptr)
        sum[m][n] = _mm512_fmadd_ps(_mm512_loadu_ps(place), _mm512_loadu_ps(o.rescale + lane + n * 16), sum[m][n]);
      else
        sum[m][n] = _mm512_mul_ps(sum[m][n], _mm512_set1_ps(o.scale));
      _mm512_storeu_ps(place, sum[m][n]);
    }
  }
}

template <std::size_t Count, std::array<PartPair, Count> Parts, int N>
void strip(const Outer& o, int rows, int lane) {
  int row = 0;
  for (; row + kDown <= rows; row += kDown) block<Count, Parts, kDown, N>(o, row, lane);
  for (; row + 4 <= rows; row += 4) block<Count, Parts, 4, N>(o, row, lane);
  for (; row + 2 <= rows; row += 2) block<Count, Parts, 2, N>(o, row, lane);
  if (row < rows) block<Count, Parts, 1, N>(o, row, lane);
}

template <std::size_t Count, std::array<PartPair, Count> Parts>
void outer(const Outer& o, int rows, int lanes) {
  int lane = 0;
  for (; lane + 48 < lanes; lane += 64) strip<Count, Parts, kAcross>(o, rows, lane);
  for (; lane + 16 < lanes; lane += 32) strip<Count, Parts, 2>(o, rows, lane);
  if (lane < lanes) strip<Count, Parts, 1>(o, rows, lane);
}

template <int Parts>
Operand keys(const Rows& rows, int count, int dim, void* buffer) {
  if (Parts == 1 && rows.dtype == DType::kBF16 && rows.column_stride == 1 && dim % 2 == 0) return {rows.data, rows.row_stride};
  return pairs::pack_keys<Parts>(rows, count, dim, buffer);
}

template <int Parts>
bool scores(const void* q, const Operand& k, const Shape& shape, float* s) {
  constexpr auto kParts = pairs::score_products<Parts>();
  const pairs::Queries queries = pairs::queries_of(q, shape.dim);
  outer<kParts.size(), kParts>({.a = static_cast<const std::uint16_t*>(k.data),
                                .a_row = k.stride,
                                .a_part = pairs::key_part(shape.dim),
                                .b = queries.pairs,
                                .b_part = queries.part,
                                .count = (shape.dim + 1) / 2,
                                .c = s,
                                .scale = queries.scale,
                                .rescale = nullptr},
                               shape.keys, shape.lanes);
  return true;
}

template <int Parts>
void mix(const void* p, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  constexpr auto kParts = pairs::mix_products<Parts>();
  outer<kParts.size(), kParts>({.a = static_cast<const std::uint16_t*>(v.data),
                                .a_row = v.stride,
                                .a_part = pairs::value_part(shape.dim),
                                .b = static_cast<const std::uint32_t*>(p),
                                .b_part = pairs::kWeightPart,
                                .count = (shape.keys + 1) / 2,
                                .c = o,
                                .scale = 1,
                                .rescale = rescale},
                               shape.dim, shape.lanes);
}

template <int Parts>
constexpr Similarity dot_by_parts() {
  Similarity dot = pairs::dot_in_common<Parts>();
  dot.keys = keys<Parts>;
  dot.scores = scores<Parts>;
  return dot;
}
template <int Parts>
constexpr Mixing mixing_by_parts() {
  Mixing mixing = pairs::mixing_in_common<Parts>();
  mixing.mix = mix<Parts>;
  return mixing;
}

}  // namespace

constexpr Similarity kSimilarities[3] = {dot_by_parts<1>(), dot_by_parts<2>(), dot_by_parts<3>()};
constexpr Mixing kMixings[3] = {mixing_by_parts<1>(), mixing_by_parts<2>(), mixing_by_parts<3>()};
constexpr Phrase kPhrases[3] = {{.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<1>},
                                {.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<2>},
                                {.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<3>}};

}  // namespace heed::machine::dot
HEED_PAIRS_END
#endif
