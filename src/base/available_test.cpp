// Memory that can still be had is some, and no more than a machine can have; cores are what the process is bound to.
#include <heed/available.hpp>

#include <gtest/gtest.h>
#ifdef __linux__
#include <sched.h>
#endif

namespace heed {
namespace {

TEST(Available, ThereIsMemory) {
  EXPECT_GT(available_memory(), 1 << 20);
#ifdef __linux__
  EXPECT_LT(available_memory(), 0x1p50);  // known there, so not infinite
#endif
}

TEST(Available, ThreadsAreTheCoresOfThisProcess) {
  EXPECT_GE(available_threads(), 1);
#ifdef __linux__
  cpu_set_t cores;
  ASSERT_EQ(sched_getaffinity(0, sizeof cores, &cores), 0);
  EXPECT_EQ(available_threads(), CPU_COUNT(&cores));
#endif
}

}  // namespace
}  // namespace heed
