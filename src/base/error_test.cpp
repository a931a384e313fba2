// The error's sentence holds the parts that are there, and no others.
#include <heed/error.hpp>

#include <gtest/gtest.h>

namespace heed {
namespace {

TEST(Error, SaysThePartsThatAreThere) {
  EXPECT_STREQ(Error({"wrong shape", "tensor k", "[1, 2]", "[2, 1]"}).what(), "tensor k: wrong shape; expected [1, 2]; found [2, 1]");
  EXPECT_STREQ(Error({.what = "nothing to merge"}).what(), "nothing to merge");
  EXPECT_STREQ(Error({.what = "no such row", .found = "7"}).what(), "no such row; found 7");
  EXPECT_EQ(Error({"wrong shape", "tensor k", "[1, 2]", "[2, 1]"}).parts().expected, "[1, 2]");
}

}  // namespace
}  // namespace heed
