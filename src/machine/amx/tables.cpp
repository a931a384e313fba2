// The two products on the matrix unit, word by word: C [rows, 64 lanes] in blocks of 32 x 32, four tiles, one chain each over all
// products of parts, smallest first. The meaning and the test of the phrase, and what census uses.
#include "machine/amx/amx.hpp"

#include <algorithm>

#include "machine/amx/tiles.hpp"
#include "machine/pairs/pairs.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::amx {
namespace {

using pairs::PartPair;
constexpr std::int64_t kLine = kTile * 4;  // bytes of a row of scores, weights or queries

/// C[row .. row + 16 or 32, lane .. lane + 32] = sum of products; `two`: both tiles of rows exist.
template <std::size_t Count, std::array<PartPair, Count> Parts>
void block(const Matrices& m, int row, bool two, int lane) {
  zero<0>();
  zero<1>();
  zero<2>();
  zero<3>();
  for (const PartPair part : Parts) {
    const std::uint16_t* a = m.a + part.a * m.a_part + row * m.a_row;
    const std::uint32_t* b = m.b + part.b * m.b_part + lane;
    for (int k = 0; k < m.depth; ++k, a += 32, b += 16 * kTile) {
      load<6>(b, kLine);
      load<7>(b + 16, kLine);
      load_stream<4>(a, m.a_row * 2);
      multiply<0, 4, 6>();
      multiply<1, 4, 7>();
      if (!two) continue;
      load_stream<5>(a + 16 * m.a_row, m.a_row * 2);
      multiply<2, 5, 6>();
      multiply<3, 5, 7>();
    }
  }
  float* const c = m.c + row * kTile + lane;
  store<0>(c, kLine);
  store<1>(c + 16, kLine);
  if (!two) return;
  store<2>(c + 16 * kTile, kLine);
  store<3>(c + 16 * kTile + 16, kLine);
}

/// rows: a multiple of 16.
template <std::size_t Count, std::array<PartPair, Count> Parts>
void product(const Matrices& m, int rows, int lanes) {
  configure();
  for (int lane = 0; lane < lanes; lane += 32) {
    for (int row = 0; row < rows; row += 32) block<Count, Parts>(m, row, row + 16 < rows, lane);
  }
  release();
}

template <int Parts>
Operand keys(const Rows& rows, int count, int dim, void* buffer) {
  const bool in_place = Parts == 1 && rows.dtype == DType::kBF16 && rows.column_stride == 1 && dim % 32 == 0 && count == kTile;
  return in_place ? Operand{rows.data, rows.row_stride} : pairs::pack_keys<Parts>(rows, count, dim, buffer);
}

template <int Parts>
bool scores(const void* q, const Operand& k, const Shape& shape, float* s) {
  const auto [dim, count, lanes] = shape;
  constexpr auto kParts = pairs::score_products<Parts>();
  const pairs::Queries queries = pairs::queries_of(q, dim);
  product<kParts.size(), kParts>({.a = static_cast<const std::uint16_t*>(k.data),
                                  .a_row = k.stride,
                                  .a_part = pairs::key_part(dim),
                                  .b = queries.pairs,
                                  .b_part = queries.part,
                                  .depth = pairs::padded_dim(dim) / 32,
                                  .c = s},
                                 kTile, lanes);
  const __m512 scale = _mm512_set1_ps(queries.scale);
  for (int j = 0; j < count; ++j) {
    for (int lane = 0; lane < lanes; lane += 16)
      _mm512_storeu_ps(s + j * kTile + lane, _mm512_mul_ps(_mm512_loadu_ps(s + j * kTile + lane), scale));
  }
  return true;
}

template <int Parts>
void mix(const void* p, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  const auto [value_dim, count, lanes] = shape;
  constexpr auto kParts = pairs::mix_products<Parts>();
  alignas(64) float sum[32 * kTile];  // of 32 columns of V at a time
  const int columns = pairs::padded_value_dim(value_dim);
  for (int column = 0; column < columns; column += 32) {
    const int rows = std::min(32, columns - column);
    product<kParts.size(), kParts>({.a = static_cast<const std::uint16_t*>(v.data) + column * v.stride,
                                    .a_row = v.stride,
                                    .a_part = pairs::value_part(value_dim),
                                    .b = static_cast<const std::uint32_t*>(p),
                                    .b_part = pairs::kWeightPart,
                                    .depth = (count + 31) / 32,
                                    .c = sum},
                                   rows, lanes);
    for (int c = 0; c < std::min(rows, value_dim - column); ++c) {
      for (int lane = 0; lane < lanes; lane += 16) {
        float* const place = o + std::int64_t{column + c} * kTile + lane;
        _mm512_storeu_ps(place,
                         _mm512_fmadd_ps(_mm512_loadu_ps(place), _mm512_loadu_ps(rescale + lane), _mm512_loadu_ps(sum + c * kTile + lane)));
      }
    }
  }
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
template <int Parts>
constexpr Phrase phrase_by_parts() {
  return {.similarity = "dot", .weighing = "softmax", .absorb = pairs::absorb<Parts>, .fold = fold<Parts>, .bytes = phrase_bytes<Parts>};
}

}  // namespace

constexpr Similarity kSimilarities[3] = {dot_by_parts<1>(), dot_by_parts<2>(), dot_by_parts<3>()};
constexpr Mixing kMixings[3] = {mixing_by_parts<1>(), mixing_by_parts<2>(), mixing_by_parts<3>()};
// The first is the whole; where the similarity is another's, the softmax alone.
constexpr Phrase kPhrases[3][2] = {{phrase_by_parts<1>(), {.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<1>}},
                                   {phrase_by_parts<2>(), {.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<2>}},
                                   {phrase_by_parts<3>(), {.similarity = "", .weighing = "softmax", .absorb = pairs::absorb<3>}}};

}  // namespace heed::machine::amx
HEED_PAIRS_END
#endif
