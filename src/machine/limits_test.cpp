// Limits: positive where the machine has the unit, 0 where it lacks it, ordered as caches are; the quick form is measured once.
#include <heed/limits.hpp>

#include <gtest/gtest.h>

#include <heed/available.hpp>

#include "base/cpu.hpp"

namespace heed {
namespace {

TEST(Limits, EveryUnitThatIsThereHasOne) {
  const Limits& limits = quick_limits(1);
  EXPECT_GT(limits.multiply_add, 0);
  EXPECT_GT(limits.exp, 0);
  for (const double bytes : {limits.l1, limits.l2, limits.l3, limits.dram}) EXPECT_GT(bytes, 0);
  EXPECT_EQ(limits.bf16_dot > 0, base::real_cpu().avx512_bf16);
  EXPECT_EQ(limits.matrix_unit > 0, base::real_cpu().amx_bf16);
}

TEST(Limits, OfAUnitIsItsOwn) {
  const Limits limits{.multiply_add = 1, .bf16_dot = 2, .matrix_unit = 3};
  EXPECT_EQ(limits.of(Unit::kMultiplyAdd), 1);
  EXPECT_EQ(limits.of(Unit::kBF16Dot), 2);
  EXPECT_EQ(limits.of(Unit::kMatrixUnit), 3);
  EXPECT_EQ(name_of(Unit::kMultiplyAdd), "f32 multiply-adds");
  EXPECT_EQ(name_of(Unit::kMatrixUnit), "matrix unit");
}

TEST(Limits, NoRateIsBeyondReason) {
  // Nothing is computed once for many rounds: an exp takes several multiply-adds, and DRAM is no faster than L1.
  const Limits& limits = quick_limits(1);
  EXPECT_LT(limits.exp, limits.multiply_add / 4);
  EXPECT_LT(limits.dram, limits.l1);
}

TEST(Limits, QuickOnesAreMeasuredOnce) {
  const Limits* const all = &quick_limits(0);
  EXPECT_EQ(all, &quick_limits(0));
  EXPECT_EQ(all, &quick_limits(available_threads()));
  EXPECT_EQ(all, &quick_limits(available_threads() + 100));
}

TEST(Limits, PretendingChangesNoMeasurement) {
  base::pretend_cpu(base::Cpu{.avx512_bf16 = true, .amx_bf16 = true});
  const Limits limits = measure_limits(1, Effort::kQuick);
  base::pretend_cpu({});
  EXPECT_EQ(limits.bf16_dot > 0, base::real_cpu().avx512_bf16);
  EXPECT_EQ(limits.matrix_unit > 0, base::real_cpu().amx_bf16);
}

}  // namespace
}  // namespace heed
