// Pairs: what units that multiply pairs of bf16 and add in f32 have in common (AVX-512's dot, AMX's tiles): the form of their operands,
// the split of wider numbers into bf16 parts, and the softmax that leaves its weights as pairs.
//
//   queries   float scale, then [Parts][D' / 2][64] pairs: (q[i][2c], q[i][2c + 1]) of lane i
//   keys      rows of bf16 in place, or [Parts][64][D']
//   values    [Parts][Dv'][64]: column c of V for 64 keys, so that two keys are a pair
//   weights   [Parts][32][64] pairs: (P[2j][i], P[2j + 1][i])
//
// D' is D rounded up to 32, Dv' is Dv rounded up to 16; what is beyond is 0. One Part for bf16. f16 is exactly the sum of two bf16, f32 of
// three: x = h + m + l, each the nearest bf16 of what is left (Dekker's splitting; Henry, Tang & Heinecke 2019, "Leveraging the bfloat16
// artificial intelligence datatype for higher-precision computations"). Of the products of parts those that f32 can feel are taken,
// smallest first: 4 of f16's scores, 3 of its mix, 6 of 9 for f32: as exact as f32 multiply-adds (docs/kernels.md). The units flush
// denormals and a split needs room below: numbers below 2^-126 (bf16) or 2^-100 (f32), 0 apart, are `unusual`. So are keys and queries
// from 2^45 on and values from 2^80 on, and what is not finite: D <= 2^16 products of the others, scaled by up to 2^20, and sums over
// up to 2^39 keys, of weights up to exp(5.5) (amx), stay in f32. Constants: what a row gets cannot depend on how many keys there are.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "machine/machine.hpp"
#include "machine/pairs/target.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine::pairs {

constexpr int padded_dim(int dim) {
  return (dim + 31) / 32 * 32;
}
constexpr int padded_value_dim(int value_dim) {
  return (value_dim + 15) / 16 * 16;
}

struct PartPair {
  int a, b;
};
template <int Parts>
constexpr auto score_products() {
  if constexpr (Parts == 1)
    return std::array{PartPair{0, 0}};
  else if constexpr (Parts == 2)
    return std::array{PartPair{1, 1}, PartPair{1, 0}, PartPair{0, 1}, PartPair{0, 0}};
  else
    return std::array{PartPair{2, 0}, PartPair{0, 2}, PartPair{1, 1}, PartPair{1, 0}, PartPair{0, 1}, PartPair{0, 0}};
}
template <int Parts>
constexpr auto mix_products() {
  if constexpr (Parts == 2)
    return std::array{PartPair{1, 0}, PartPair{0, 1}, PartPair{0, 0}};  // weights need 12 bits
  else
    return score_products<Parts>();
}

// What the operands look like.
struct Queries {
  float scale;
  const std::uint32_t* pairs;
  std::int64_t part;  ///< pairs from part to part
};
[[nodiscard]] inline Queries queries_of(const void* q, int dim) {
  const auto* const words = static_cast<const std::uint32_t*>(q);
  return {static_cast<const float*>(q)[0], words + 16, std::int64_t{padded_dim(dim)} / 2 * kTile};
}
[[nodiscard]] inline std::int64_t key_part(int dim) {
  return std::int64_t{kTile} * padded_dim(dim);
}
[[nodiscard]] inline std::int64_t value_part(int value_dim) {
  return std::int64_t{kTile} * padded_value_dim(value_dim);
}
inline constexpr std::int64_t kWeightPart = std::int64_t{kTile} / 2 * kTile;

template <int Parts>
Similarity::Sizes dot_sizes(int dim);  // plain code (sizes.cpp); what follows is compiled for the units
template <int Parts>
Mixing::Sizes mix_sizes(int value_dim);
std::uint64_t unusual(const Rows& rows, int count, int columns);  ///< queries or keys
std::uint64_t unusual_values(const Rows& rows, int count, int columns);
template <int Parts>
void load_queries(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q);
template <int Parts>
Operand pack_keys(const Rows& rows, int count, int dim, void* buffer);
template <int Parts>
Operand pack_values(const Rows& rows, int count, int value_dim, void* buffer);
template <int Parts>
void absorb(float* s, int keys, int lanes, float* state, float* rescale, void* p);
/// Mixing::put.
template <int Parts>
void put(const float* p, int keys, int lanes, void* weights);
/// Rows with NaN, and rows so small that flushed products could be felt: something seen, but no |O| above 2^-100.
std::uint64_t suspects(const float* o, std::uint64_t begun, int value_dim, int lanes);
/// O, divided, transposed and rounded by vectors where rows are contiguous.
void finish(const float* o, const float* divisor, int value_dim, int first, int lanes, const OutputRows& out);

/// How many parts a number of this dtype has.
constexpr int parts_of(DType dtype) {
  return dtype == DType::kBF16 ? 1 : dtype == DType::kF16 ? 2 : 3;
}

/// Products of parts for one of the definition: the mean of scores and mix.
[[nodiscard]] inline double products_per_one(DType dtype) {
  const auto mean = [](const auto& scores, const auto& mix) { return static_cast<double>(scores.size() + mix.size()) / 2; };
  if (parts_of(dtype) == 1) return mean(score_products<1>(), mix_products<1>());
  return parts_of(dtype) == 2 ? mean(score_products<2>(), mix_products<2>()) : mean(score_products<3>(), mix_products<3>());
}

// What both machines fill alike; keys, scores and mix are their own.
template <int Parts>
constexpr Similarity dot_in_common() {
  return {.name = "dot",
          .text = "scale q . k",
          .sizes = dot_sizes<Parts>,
          .unusual_queries = unusual,
          .unusual_keys = unusual,
          .load = load_queries<Parts>,
          .keys = pack_keys<Parts>,
          .scores = nullptr};
}
template <int Parts>
constexpr Mixing mixing_in_common() {
  return {.sizes = mix_sizes<Parts>,
          .unusual = unusual_values,
          .values = pack_values<Parts>,
          .put = put<Parts>,
          .mix = nullptr,
          .blend = machine::blend,
          .adopt = simd::adopt,
          .suspects = suspects,
          .overflown = simd::infinite_lanes,
          .finish = finish};
}

/// Why scores cannot be scaled after the product; empty when they can.
std::string scale_declines(double scale);

}  // namespace heed::machine::pairs
