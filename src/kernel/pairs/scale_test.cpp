// Which scales machines of bf16 pairs leave to others: those that could take a bounded product beyond f32.
#include <gtest/gtest.h>

#include "kernel/pairs/pairs.hpp"

namespace heed::kernel::pairs {
namespace {

bool declines(double scale) {
  const Plan plan(Problem{.queries = 4, .keys = 4, .dim = 4, .value_dim = 4, .scale = scale});
  return !scale_declines(plan.body()).empty();
}

TEST(PairsScale, AllButHuge) {
  for (const double scale : {0.0, 1.0, -0.3, 0x1p-21, -1e-37, -0x1p20}) EXPECT_FALSE(declines(scale)) << scale;
  for (const double scale : {0x1.1p20, 0x1p21, -3e37}) EXPECT_TRUE(declines(scale)) << scale;
}

}  // namespace
}  // namespace heed::kernel::pairs
