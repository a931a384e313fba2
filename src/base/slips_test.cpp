#include "base/slips.hpp"

#include <gtest/gtest.h>

namespace heed::base {
namespace {

TEST(Slips, CountsEachKindOnce) {
  EXPECT_EQ(slips("causal", "causal"), 0U);
  EXPECT_EQ(slips("cusal", "causal"), 1U);    // an insertion
  EXPECT_EQ(slips("caausal", "causal"), 1U);  // a deletion
  EXPECT_EQ(slips("cansal", "causal"), 1U);   // an exchange
  EXPECT_EQ(slips("cuasal", "causal"), 1U);   // a swap of neighbours
  EXPECT_EQ(slips("acuslaa", "causal"), 3U);
  EXPECT_EQ(slips("kitten", "sitting"), 3U);
}

TEST(Slips, OfAnEmptyWordAreTheOthersLetters) {
  EXPECT_EQ(slips("", ""), 0U);
  EXPECT_EQ(slips("", "abc"), 3U);
  EXPECT_EQ(slips("abc", ""), 3U);
}

}  // namespace
}  // namespace heed::base
