#include <heed/spelling.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace heed {
namespace {

TEST(Spelling, CountsEachKindOfSlipOnce) {
  EXPECT_EQ(slips("causal", "causal"), 0U);
  EXPECT_EQ(slips("cusal", "causal"), 1U);    // an insertion
  EXPECT_EQ(slips("caausal", "causal"), 1U);  // a deletion
  EXPECT_EQ(slips("cansal", "causal"), 1U);   // an exchange
  EXPECT_EQ(slips("cuasal", "causal"), 1U);   // a swap of neighbours
  EXPECT_EQ(slips("acuslaa", "causal"), 3U);
  EXPECT_EQ(slips("kitten", "sitting"), 3U);
}

TEST(Spelling, SlipsOfAnEmptyWordAreTheOthersLetters) {
  EXPECT_EQ(slips("", ""), 0U);
  EXPECT_EQ(slips("", "abc"), 3U);
  EXPECT_EQ(slips("abc", ""), 3U);
}

TEST(Spelling, NearestByTypingSlips) {
  const std::vector<std::string> names{"causal", "chunked", "exp", "abs", "length", "longformer"};
  EXPECT_EQ(nearest("cusal", names), "causal");
  EXPECT_EQ(nearest("casual", names), "causal");
  EXPECT_EQ(nearest("Causal", names), "causal");
  EXPECT_EQ(nearest("lenght", names), "length");
  EXPECT_EQ(nearest("ex", names), "exp");
  EXPECT_EQ(nearest("asb", names), "abs");
  EXPECT_EQ(nearest("longfromer", names), "longformer");
  EXPECT_EQ(nearest("--tread", std::vector<std::string>{"--t", "--table", "--threads"}), "--threads");
  for (const char* far : {"x", "foo", "csl", "window", "", "sb"}) EXPECT_EQ(nearest(far, names), "") << far;
  EXPECT_EQ(nearest(std::string(1000, 'a'), names), "");
}

}  // namespace
}  // namespace heed
