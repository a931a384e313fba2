// The 16-bit floats: exhaustively there and back, and every midpoint between neighbours, against arithmetic in f64.
#include "base/dtype.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace heed {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// The value that a pattern means, from the definition.
double meaning(std::uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? std::nan("") : sign * kInf;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

template <class Half>
struct Format;
template <>
struct Format<f16> {
  static constexpr int kExponentBits = 5;
  template <class T>
  static std::uint16_t narrow(T value) {
    return f16_from(value).bits;
  }
};
template <>
struct Format<bf16> {
  static constexpr int kExponentBits = 8;
  template <class T>
  static std::uint16_t narrow(T value) {
    return bf16_from(value).bits;
  }
};

template <class Half>
class DTypeTest : public testing::Test {};
using Halves = testing::Types<f16, bf16>;
TYPED_TEST_SUITE(DTypeTest, Halves);

TYPED_TEST(DTypeTest, EveryPatternWidensToItsMeaningAndComesBack) {
  using F = Format<TypeParam>;
  for (int pattern = 0; pattern < 65536; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const double expected = meaning(bits, F::kExponentBits);
    const float widened = f32_from(TypeParam{bits});
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(widened)) << pattern;
      ASSERT_TRUE(std::isnan(f32_from(TypeParam{F::narrow(widened)}))) << pattern;
      ASSERT_TRUE(std::isnan(f32_from(TypeParam{F::narrow(static_cast<double>(widened))}))) << pattern;
      continue;
    }
    ASSERT_EQ(static_cast<double>(widened), expected) << pattern;
    ASSERT_EQ(F::narrow(widened), bits);
    ASSERT_EQ(F::narrow(expected), bits);
  }
}

// Between neighbours a < b the midpoint goes to the even pattern, and the nearest f64 on either side of it to its own side. The pair
// past the largest finite value is judged as if the exponent went on: its midpoint goes to infinity.
TYPED_TEST(DTypeTest, MidpointsRoundToEvenAndTheirNeighboursToTheNearest) {
  using F = Format<TypeParam>;
  const int infinity = ((1 << F::kExponentBits) - 1) << (15 - F::kExponentBits);
  const double beyond = std::ldexp(1.0, 1 << (F::kExponentBits - 1));
  for (int pattern = 0; pattern < infinity; ++pattern) {
    const double low = meaning(static_cast<std::uint16_t>(pattern), F::kExponentBits);
    const double high = pattern + 1 == infinity ? beyond : meaning(static_cast<std::uint16_t>(pattern + 1), F::kExponentBits);
    const double middle = low + (high - low) / 2;
    const int even = pattern % 2 == 0 ? pattern : pattern + 1;
    ASSERT_EQ(F::narrow(middle), even);
    ASSERT_EQ(F::narrow(-middle), even | 0x8000);
    ASSERT_EQ(F::narrow(std::nextafter(middle, 0.0)), pattern);
    ASSERT_EQ(F::narrow(std::nextafter(middle, kInf)), pattern + 1);
    const auto single = static_cast<float>(middle);  // exact: an f32 holds every midpoint
    ASSERT_EQ(F::narrow(single), even);
    ASSERT_EQ(F::narrow(std::nextafter(single, 0.0F)), pattern);
    ASSERT_EQ(F::narrow(std::nextafter(single, std::numeric_limits<float>::infinity())), pattern + 1);
  }
}

TYPED_TEST(DTypeTest, ExtremesOfF64) {
  using F = Format<TypeParam>;
  const auto infinity = static_cast<std::uint16_t>(((1 << F::kExponentBits) - 1) << (15 - F::kExponentBits));
  EXPECT_EQ(F::narrow(1e300), infinity);
  EXPECT_EQ(F::narrow(-1e300), infinity | 0x8000);
  EXPECT_EQ(F::narrow(kInf), infinity);
  EXPECT_EQ(F::narrow(1e-300), 0);
  EXPECT_EQ(F::narrow(-1e-300), 0x8000);
  EXPECT_EQ(F::narrow(std::numeric_limits<double>::denorm_min()), 0);
  EXPECT_EQ(F::narrow(static_cast<double>(std::numeric_limits<float>::max())), infinity);
}

// Its only fraction bit lies where both narrow formats cut.
TYPED_TEST(DTypeTest, ANaNOfLowBitsStaysANaN) {
  const auto low = std::bit_cast<float>(0x7F80'0001U);
  EXPECT_TRUE(std::isnan(f32_from(TypeParam{Format<TypeParam>::narrow(low)})));
  EXPECT_TRUE(std::isnan(f32_from(TypeParam{Format<TypeParam>::narrow(-low)})));
}

TEST(RoundToOdd, KeepsExactValuesAndMarksTheRest) {
  EXPECT_EQ(f32_to_odd(1.5), 1.5F);
  EXPECT_EQ(f32_to_odd(1.0 + 0x1p-40), std::nextafter(1.0F, 2.0F));
  EXPECT_EQ(f32_to_odd(1.0 - 0x1p-40), std::nextafter(1.0F, 0.0F));
  EXPECT_EQ(f32_to_odd(1e300), std::numeric_limits<float>::max());
  EXPECT_EQ(f32_to_odd(-1e-300), -std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(std::isnan(f32_to_odd(std::nan(""))));
}

TEST(Dtype, NanAndFiniteByBitsAreThoseOfTheNumber) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const f16 half{static_cast<std::uint16_t>(bits)};
    const bf16 brain{static_cast<std::uint16_t>(bits)};
    ASSERT_EQ(is_nan(half), std::isnan(f32_from(half))) << bits;
    ASSERT_EQ(is_nan(brain), std::isnan(f32_from(brain))) << bits;
    ASSERT_EQ(is_finite(half), std::isfinite(f32_from(half))) << bits;
    ASSERT_EQ(is_finite(brain), std::isfinite(f32_from(brain))) << bits;
  }
  EXPECT_TRUE(is_nan(std::nan("")) && is_nan(std::nanf("")) && !is_nan(1.0) && !is_nan(HUGE_VALF));
}

}  // namespace
}  // namespace heed
