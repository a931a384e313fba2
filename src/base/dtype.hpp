// Scalar conversions between the floats of 16, 32 and 64 bits, by bit pattern.
//
// f16  = 1 sign, 5 exponent, 10 fraction bits: largest 65504, smallest denormal 2^-24.
// bf16 = 1 sign, 8 exponent,  7 fraction bits: the upper half of an f32.
// Widening is exact. Narrowing rounds once, to nearest with ties to even; past the largest finite value comes infinity; a NaN stays a
// NaN. From f64 the way leads through an f32 rounded to odd: its last bit remembers that something was cut off, so that the second
// rounding decides as if it saw all bits (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008, theorem 1).
// All branches are selects, so loops over these functions vectorise.
// Checked in dtype_test.cpp: all 65536 patterns there and back, every midpoint between neighbours and one bit beside it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include <heed/tensor.hpp>

namespace heed {

[[nodiscard]] inline float f32_from(bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

[[nodiscard]] inline float f32_from(f16 value) {
  const std::uint32_t magnitude = value.bits & 0x7FFFU;
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
  const std::uint32_t bias = magnitude < 0x7C00U ? 0x3800'0000U : 0x7000'0000U;  // (127 - 15) << 23; twice that for inf and NaN
  const std::uint32_t normal = (magnitude << 13) + bias;
  const auto denormal = std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
  return std::bit_cast<float>((magnitude < 0x0400U ? denormal : normal) | sign);
}

[[nodiscard]] inline bf16 bf16_from(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = (bits >> 16) | 0x0040U;
  return {static_cast<std::uint16_t>((bits & 0x7FFF'FFFFU) > 0x7F80'0000U ? quiet : rounded)};
}

[[nodiscard]] inline f16 f16_from(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  // From 2^-14 on: round away 13 fraction bits; a carry out of 65504 arrives at infinity by itself.
  const std::uint32_t normal = (magnitude - 0x3800'0000U + 0x0FFFU + ((magnitude >> 13) & 1U)) >> 13;
  // Below: in [0.5, 1) an f32 counts in steps of 2^-24, as f16 denormals do, so adding 0.5 rounds.
  const std::uint32_t denormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F00'0000U;
  const std::uint32_t special = magnitude > 0x7F80'0000U ? 0x7E00U | ((magnitude >> 13) & 0x01FFU) : 0x7C00U;
  const std::uint32_t finite = magnitude < 0x3880'0000U ? denormal : normal;
  const std::uint32_t result = magnitude < 0x4780'0000U ? finite : special;  // 2^16
  return {static_cast<std::uint16_t>(result | ((bits >> 16) & 0x8000U))};
}

/// Towards zero, with the last bit set when anything was cut off.
[[nodiscard]] inline float f32_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto widened = static_cast<double>(nearest);
  const auto bits = std::bit_cast<std::uint32_t>(nearest);
  const std::uint32_t truncated = std::fabs(widened) > std::fabs(value) ? bits - 1U : bits;
  const bool inexact = widened < value || widened > value;  // false for NaN
  return std::bit_cast<float>(inexact ? truncated | 1U : bits);
}

[[nodiscard]] inline bf16 bf16_from(double value) {
  return bf16_from(f32_to_odd(value));
}
[[nodiscard]] inline f16 f16_from(double value) {
  return f16_from(f32_to_odd(value));
}

[[nodiscard]] inline bool is_nan(double value) {
  return value != value;
}
[[nodiscard]] inline bool is_nan(float value) {
  return value != value;
}
[[nodiscard]] inline bool is_nan(bf16 value) {
  return (value.bits & 0x7FFFU) > 0x7F80U;
}
[[nodiscard]] inline bool is_nan(f16 value) {
  return (value.bits & 0x7FFFU) > 0x7C00U;
}
[[nodiscard]] inline bool is_finite(float value) {
  return std::isfinite(value);
}
[[nodiscard]] inline bool is_finite(bf16 value) {
  return (value.bits & 0x7F80U) != 0x7F80U;
}
[[nodiscard]] inline bool is_finite(f16 value) {
  return (value.bits & 0x7C00U) != 0x7C00U;
}

}  // namespace heed
