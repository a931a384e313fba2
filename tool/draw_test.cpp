// Drawing a mask takes no longer than people wait, whatever the mask and however large: tiles are counted, or sampled and said so.
#include <chrono>

#include "test_support.hpp"

namespace heed::tool::test {
namespace {

TEST_F(ToolTest, TilesOfPatternsAreSampledWhereTheyAreTooMany) {
  const auto drawn = [&](const std::string& mask, const std::string& size) {
    const Ran ran = heed({"draw", "--mask", mask, "--tq", size, "--tk", size});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.out;
  };
  const auto start = std::chrono::steady_clock::now();
  const std::string pattern = drawn("(q * k) % 7 == 0", "50000");
  EXPECT_NE(pattern.find("611,524 tiles of 64 x 64; of a sample of 1,024: 0.0 % empty, 100.0 % partial, 0.0 % full"), std::string::npos)
      << pattern;
  EXPECT_NE(drawn("(q * k) % 100003 == 7", "200000").find("of a sample of 1,024: "), std::string::npos);
  EXPECT_NE(drawn("(q * q + k * k) % 9973 == 5", "1000000").find("of a sample of 1,024: "), std::string::npos);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 60);
  EXPECT_NE(drawn("causal", "50000").find("611,524 tiles of 64 x 64: 305,371 empty, 782 partial, 305,371 full"), std::string::npos);
  EXPECT_NE(drawn("(q * k) % 7 == 0", "640").find("100 tiles of 64 x 64: 0 empty, 100 partial, 0 full"), std::string::npos);
}

TEST_F(ToolTest, WhatHasNoValueIsRefusedInPicturesOfAnySize) {
  for (const char* size : {"640", "20000"}) {
    const Ran ran = heed({"draw", "--mask", "q % (k - 300) == 0", "--tq", size, "--tk", size});
    EXPECT_EQ(ran.status, 2) << size << ran.out;
  }
  const Ran unaligned = heed({"draw", "--mask", "(q * k) % 7 == 0", "--tq", "50000", "--tk", "60000"});
  EXPECT_EQ(unaligned.status, 2);
  EXPECT_NE(unaligned.err.find("align"), std::string::npos) << unaligned.err;
}

}  // namespace
}  // namespace heed::tool::test
