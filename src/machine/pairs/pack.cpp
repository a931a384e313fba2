// Packing: queries, keys and values into pairs of bf16 parts, 32 columns at a time; and the way back of finished rows.
//
// Every element passes through a stage of [Parts][64 rows][32 columns] bf16, zero where there is none, whatever its dtype and strides.
// From there keys are copied, queries and values transposed in blocks of 16 x 16 pairs. Cost: about 3 instructions per 16 pairs and part.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/dtype.hpp"
#include "machine/pairs/lanes.hpp"
#include "machine/pairs/pairs.hpp"
#include "machine/simd/simd.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::pairs {
namespace {

constexpr int kColumns = 32;  // of a stage

template <int Parts>
struct Stage {
  alignas(64) std::uint16_t rows[Parts][kTile][kColumns];
};

/// 16 elements from column `column` on as f32; zero beyond `count`.
__m512 load(const Rows& row, int column, int count) {
  const __mmask16 mask = first_lanes(count);
  if (row.column_stride == 1) {
    if (row.dtype == DType::kF32) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(row.data) + column);
    const __m256i narrow = _mm256_maskz_loadu_epi16(mask, static_cast<const std::uint16_t*>(row.data) + column);
    if (row.dtype == DType::kF16) return _mm512_cvtph_ps(narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
  }
  alignas(64) std::array<float, 16> lanes{};
  for (int i = 0; i < std::min(count, 16); ++i) {
    const std::int64_t at = (column + i) * row.column_stride;
    float& lane = lanes[static_cast<std::size_t>(i)];
    if (row.dtype == DType::kF32)
      lane = static_cast<const float*>(row.data)[at];
    else if (row.dtype == DType::kF16)
      lane = f32_from(static_cast<const f16*>(row.data)[at]);
    else
      lane = f32_from(static_cast<const bf16*>(row.data)[at]);
  }
  return _mm512_load_ps(lanes.data());
}

/// Bits, as f32, from which on a number is too large: as a factor of scores, in a sum of values. No f16 is, but what is not finite.
constexpr std::uint32_t kLargeKey = 0x5600'0000U, kLargeValue = 0x6780'0000U;  // 2^45, 2^80

/// Lanes whose number the units do not take: compared by its magnitude's bits, 0 apart.
__mmask16 unusual_lanes(__m512 x, DType dtype, std::uint32_t large) {
  const std::uint32_t least = dtype == DType::kF32 ? 0x0D80'0000U : 0x0080'0000U;  // 2^-100, 2^-126
  const __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFF'FFFF));
  // 0 becomes 2^32 - 1 and passes the first comparison.
  const __m512i from_one = _mm512_sub_epi32(magnitude, _mm512_set1_epi32(1));
  return _mm512_cmplt_epu32_mask(from_one, _mm512_set1_epi32(static_cast<int>(least - 1))) |
         _mm512_cmpge_epu32_mask(magnitude, _mm512_set1_epi32(static_cast<int>(large)));
}

template <int Parts>
void split_row(__m512 low, __m512 high, Stage<Parts>& stage, int row) {
#pragma GCC unroll 3
  for (int part = 0; part < Parts; ++part) {
    const __m512i both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    _mm512_store_si512(stage.rows[part][row], both);
    low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(both)), 16)));
    high = _mm512_sub_ps(high, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1)), 16)));
  }
}

/// Columns [column, column + 32) of one row into row `to` of the stage. `usual_only`: what the units do not take becomes 0.
template <int Parts>
void stage_row(const Rows& row, int column, int columns, bool usual_only, Stage<Parts>& stage, int to) {
  if (Parts == 1 && row.column_stride == 1 && row.dtype == DType::kBF16) {
    const int count = std::min(columns - column, kColumns);
    __m512i bits = _mm512_maskz_loadu_epi16(static_cast<__mmask32>(count >= 32 ? ~0U : (1U << count) - 1),
                                            static_cast<const std::uint16_t*>(row.data) + column);
    if (usual_only) {
      const __m512i exponent = _mm512_and_si512(bits, _mm512_set1_epi16(0x7F80));
      const __mmask32 usual = _mm512_test_epi16_mask(exponent, exponent) &
                              _mm512_cmplt_epi16_mask(exponent, _mm512_set1_epi16(static_cast<short>(kLargeValue >> 16)));
      bits = _mm512_maskz_mov_epi16(usual, bits);
    }
    return _mm512_store_si512(stage.rows[0][to], bits);
  }
  __m512 low = load(row, column, columns - column), high = load(row, column + 16, columns - column - 16);
  if (usual_only) {
    low = _mm512_maskz_mov_ps(static_cast<__mmask16>(~unusual_lanes(low, row.dtype, kLargeValue)), low);
    high = _mm512_maskz_mov_ps(static_cast<__mmask16>(~unusual_lanes(high, row.dtype, kLargeValue)), high);
  }
  split_row<Parts>(low, high, stage, to);
}

template <int Parts>
void clear_rows(Stage<Parts>& stage, int first) {
  for (int part = 0; part < Parts; ++part) {
    for (int row = first; row < kTile; ++row) _mm512_store_si512(stage.rows[part][row], _mm512_setzero_si512());
  }
}

__mmask32 first_halves(int count) {
  return static_cast<__mmask32>(count >= 32 ? ~0U : (1U << count) - 1);
}

/// Whether rows of bf16 hold a denormal (exponent 0, fraction not) or a number from `large` on, NaN among them: by the least magnitude
/// but 0 and by the largest.
bool holds_unusual(const Rows& rows, int count, int columns, std::uint32_t large) {
  __m512i least = _mm512_set1_epi16(-1), largest = _mm512_setzero_si512();
  for (int row = 0; row < count; ++row) {
    const auto* const at = static_cast<const std::uint16_t*>(rows.data) + row * rows.row_stride;
    for (int column = 0; column < columns; column += 32) {
      const __m512i bits = _mm512_maskz_loadu_epi16(first_halves(columns - column), at + column);
      const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi16(0x7FFF));
      least = _mm512_min_epu16(least, _mm512_sub_epi16(magnitude, _mm512_set1_epi16(1)));  // 0 becomes the largest
      largest = _mm512_max_epu16(largest, magnitude);
    }
  }
  return (_mm512_cmplt_epu16_mask(least, _mm512_set1_epi16(0x007F)) |
          _mm512_cmpge_epu16_mask(largest, _mm512_set1_epi16(static_cast<short>(large >> 16)))) != 0;
}

std::uint64_t unusual_rows(const Rows& rows, int count, int columns, std::uint32_t large) {
  if (rows.dtype == DType::kBF16 && rows.column_stride == 1 && !holds_unusual(rows, count, columns, large)) return 0;
  std::uint64_t found = 0;
  for (int row = 0; row < count; ++row) {
    unsigned any = 0;
    for (int column = 0; column < columns; column += 16)
      any |= unusual_lanes(load(rows.from(row), column, columns - column), rows.dtype, large);
    found |= static_cast<std::uint64_t>(any != 0) << row;
  }
  return found;
}

}  // namespace

std::uint64_t unusual(const Rows& rows, int count, int columns) {
  return unusual_rows(rows, count, columns, kLargeKey);
}
std::uint64_t unusual_values(const Rows& rows, int count, int columns) {
  return unusual_rows(rows, count, columns, kLargeValue);
}

template <int Parts>
void load_queries(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q) {
  static_cast<float*>(q)[0] = scale;
  auto* const pairs = static_cast<std::uint32_t*>(q) + 16;
  Stage<Parts> stage;
  clear_rows(stage, count);
  for (int column = 0; column < padded_dim(dim); column += kColumns) {
    for (int i = 0; i < count; ++i) stage_row<Parts>(rows.from(slots[i]), column, dim, false, stage, i);
    for (int part = 0; part < Parts; ++part) {
      std::uint32_t* const to = pairs + part * (std::int64_t{padded_dim(dim)} / 2 * kTile) + std::int64_t{column} / 2 * kTile;
      for (int lane = 0; lane < kTile; lane += 16) {
        __m512i block[16];
        for (int i = 0; i < 16; ++i) block[i] = _mm512_load_si512(stage.rows[part][lane + i]);
        transpose(block);
        for (int pair = 0; pair < 16; ++pair) _mm512_storeu_si512(to + std::int64_t{pair} * kTile + lane, block[pair]);
      }
    }
  }
}

template <int Parts>
Operand pack_keys(const Rows& rows, int count, int dim, void* buffer) {
  auto* const keys = static_cast<std::uint16_t*>(buffer);
  const std::int64_t columns = padded_dim(dim);
  Stage<Parts> stage;
  clear_rows(stage, count);
  for (int column = 0; column < columns; column += kColumns) {
    for (int j = 0; j < count; ++j) stage_row<Parts>(rows.from(j), column, dim, false, stage, j);
    for (int part = 0; part < Parts; ++part) {
      for (int j = 0; j < kTile; ++j)
        std::memcpy(keys + part * key_part(dim) + j * columns + column, stage.rows[part][j], sizeof stage.rows[part][j]);
    }
  }
  return {buffer, columns};
}

template <int Parts>
Operand pack_values(const Rows& rows, int count, int value_dim, void* buffer) {
  auto* const values = static_cast<std::uint16_t*>(buffer);
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34,
                                       2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  Stage<Parts> stage;
  clear_rows(stage, count);
  for (int column = 0; column < value_dim; column += kColumns) {
    for (int j = 0; j < count; ++j) stage_row<Parts>(rows.from(j), column, value_dim, true, stage, j);
    for (int part = 0; part < Parts; ++part) {
      std::uint16_t* const to = values + part * value_part(value_dim) + std::int64_t{column} * kTile;
      for (int key = 0; key < kTile; key += 32) {  // 16 pairs of keys: lanes of the result
        __m512i left[16], right[16];
        for (int pair = 0; pair < 16; ++pair) {
          const __m512i even = _mm512_load_si512(stage.rows[part][key + 2 * pair]),
                        odd = _mm512_load_si512(stage.rows[part][key + 2 * pair + 1]);
          left[pair] = _mm512_permutex2var_epi16(even, low, odd);
          right[pair] = _mm512_permutex2var_epi16(even, high, odd);
        }
        transpose(left);
        for (int c = 0; c < 16; ++c) _mm512_storeu_si512(to + std::int64_t{c} * kTile + key, left[c]);
        if (column + 16 >= padded_value_dim(value_dim)) continue;
        transpose(right);
        for (int c = 0; c < 16; ++c) _mm512_storeu_si512(to + std::int64_t{16 + c} * kTile + key, right[c]);
      }
    }
  }
  return {buffer, kTile};
}

std::uint64_t suspects(const float* sums, std::uint64_t begun, int value_dim, int lanes) {
  std::uint64_t found = 0;
  for (int lane = 0; lane < lanes; lane += 16) {
    __m512 largest = _mm512_setzero_ps();
    __mmask16 nan = 0;
    for (int c = 0; c < value_dim; ++c) {
      const __m512 o = _mm512_loadu_ps(sums + std::int64_t{c} * kTile + lane);
      largest = _mm512_max_ps(_mm512_abs_ps(o), largest);
      nan |= _mm512_cmp_ps_mask(o, o, _CMP_UNORD_Q);
    }
    const __mmask16 small = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(0x1p-100f), _CMP_LE_OQ);
    const auto seen = static_cast<__mmask16>(begun >> lane);
    found |= static_cast<std::uint64_t>((nan | (small & seen)) & first_lanes(lanes - lane)) << lane;
  }
  return found;
}

namespace {
/// bf16_from of 16 numbers: to nearest, ties to even; denormals stay, which the instruction for this would flush.
__m256i nearest_bf16(__m512i bits) {
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(_mm512_castsi512_ps(bits), _mm512_castsi512_ps(bits), _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x0040'0000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
}
}  // namespace

void finish(const float* o, const float* divisors, int value_dim, int first, int lanes, const OutputRows& out) {
  if (out.column_stride != 1 || out.dtype == DType::kF16) return machine::finish(o, divisors, value_dim, first, lanes, out);
  for (int lane = first; lane < first + lanes; lane += 16) {
    const int count = std::min(16, first + lanes - lane);
    const __m512 divisor = _mm512_mask_loadu_ps(_mm512_set1_ps(1.0f), first_lanes(count), divisors + lane);
    for (int column = 0; column < value_dim; column += 16) {
      const __mmask16 mask = first_lanes(value_dim - column);
      __m512i block[16];
      for (int c = 0; c < 16; ++c) {
        const float* const from = o + (std::int64_t{column} + c) * kTile + lane;
        block[c] = column + c < value_dim ? _mm512_castps_si512(_mm512_div_ps(_mm512_maskz_loadu_ps(first_lanes(count), from), divisor))
                                          : _mm512_setzero_si512();
      }
      transpose(block);
      for (int i = 0; i < count; ++i) {
        const std::int64_t at = (lane - first + i) * out.row_stride + column;
        if (out.dtype == DType::kF32) {
          _mm512_mask_storeu_ps(static_cast<float*>(out.data) + at, mask, _mm512_castsi512_ps(block[i]));
        } else {
          _mm256_mask_storeu_epi16(static_cast<bf16*>(out.data) + at, mask, nearest_bf16(block[i]));
        }
      }
    }
  }
}

template void load_queries<1>(const Rows&, const std::int64_t*, int, int, float, void*);
template void load_queries<2>(const Rows&, const std::int64_t*, int, int, float, void*);
template void load_queries<3>(const Rows&, const std::int64_t*, int, int, float, void*);
template Operand pack_keys<1>(const Rows&, int, int, void*);
template Operand pack_keys<2>(const Rows&, int, int, void*);
template Operand pack_keys<3>(const Rows&, int, int, void*);
template Operand pack_values<1>(const Rows&, int, int, void*);
template Operand pack_values<2>(const Rows&, int, int, void*);
template Operand pack_values<3>(const Rows&, int, int, void*);

}  // namespace heed::machine::pairs
HEED_PAIRS_END
#endif
