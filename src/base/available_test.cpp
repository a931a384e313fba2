// Memory that can still be had is some, and no more than a machine can have.
#include "base/available.hpp"

#include <gtest/gtest.h>

namespace heed::base {
namespace {

TEST(Memory, ThereIsSome) {
  EXPECT_GT(available_memory(), 1 << 20);
#ifdef __linux__
  EXPECT_LT(available_memory(), 0x1p50);  // known there, so not infinite
#endif
}

}  // namespace
}  // namespace heed::base
