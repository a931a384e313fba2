#include <heed/units.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace heed {
namespace {

TEST(Units, ScaleToTheFirstUnitThatFits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1.7 * 1024 * 1024), "1.7 MiB");
  EXPECT_EQ(bytes_text(0x1p70), "1048576.0 PiB");
  EXPECT_EQ(flop_text(999), "999 FLOP");
  EXPECT_EQ(flop_text(1.82433e9), "1.8 GFLOP");
  EXPECT_EQ(bytes_text(std::numeric_limits<double>::infinity()), "inf PiB");
}

TEST(Units, OfTimes) {
  EXPECT_EQ(seconds_text(12.3e-6), "12 us");
  EXPECT_EQ(seconds_text(14.44e-3), "14.4 ms");
  EXPECT_EQ(seconds_text(4.1), "4.10 s");
  EXPECT_EQ(seconds_text(119.9), "119.90 s");
  EXPECT_EQ(seconds_text(200), "3 min 20 s");
  EXPECT_EQ(seconds_text(3600.0 * 1234), "1,234 h 0 min");
  EXPECT_EQ(seconds_text(1e300), "277,777,777,777 h 46 min");
}

TEST(Units, OfCountsAndShares) {
  EXPECT_EQ(count_text(224), "224");
  EXPECT_EQ(count_text(2224), "2,224");
  EXPECT_EQ(count_text(-1234567), "-1,234,567");
  EXPECT_EQ(percent_text(0.2634), "26.3 %");
}

}  // namespace
}  // namespace heed
