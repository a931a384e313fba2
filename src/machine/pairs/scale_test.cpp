// Which scales machines of bf16 pairs leave to others: those that could take a bounded product beyond f32.
#include <gtest/gtest.h>

#include "machine/pairs/pairs.hpp"

namespace heed::machine::pairs {
namespace {

bool declines(double scale) {
  return !scale_declines(scale).empty();
}

TEST(PairsScale, AllButHuge) {
  for (const double scale : {0.0, 1.0, -0.3, 0x1p-21, -1e-37, -0x1p20}) EXPECT_FALSE(declines(scale)) << scale;
  for (const double scale : {0x1.1p20, 0x1p21, -3e37}) EXPECT_TRUE(declines(scale)) << scale;
}

}  // namespace
}  // namespace heed::machine::pairs
