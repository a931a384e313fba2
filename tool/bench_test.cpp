// Lists of sizes: a row for each, and the exponent with which the time grows.
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

TEST_F(ToolTest, BenchOfAListHasARowEachAndAnExponent) {
  const auto found =
      json({"bench", "--t", "64,128,256", "--heads", "1", "--d", "8,16,32", "--repeat", "1", "--threads", "1", "--mask", "causal"});
  EXPECT_EQ(found.at("over"), "t");
  ASSERT_EQ(found.at("rows").size(), 3u);
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(found.at("rows")[row].at("problem").at("queries"), 64 << row);
    EXPECT_EQ(found.at("rows")[row].at("problem").at("dim"), 8 << row);
    EXPECT_GT(found.at("rows")[row].at("classic").at("seconds").get<double>(), 0);
  }
  EXPECT_TRUE(found.at("exponent").is_number());
  EXPECT_TRUE(found.at("classic_exponent").is_number());
  EXPECT_TRUE(json({"bench", "--t", "64,128", "--repeat", "1", "--d", "8", "--alone"}).at("classic_exponent").is_null());
  EXPECT_TRUE(json({"bench", "--t", "64,64", "--repeat", "1", "--d", "8", "--alone"}).at("exponent").is_null());
}

TEST_F(ToolTest, BenchOfAListDrawsItsGrowth) {
  const Ran ran = heed({"bench", "--t", "64,128", "--heads", "1", "--d", "8", "--repeat", "1", "--threads", "1"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  for (const char* part : {"time grows with t to the power ", "classic's to the power ", "●", "○", "both axes logarithmic"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part;
  const Ran wrong = heed({"bench", "--t", "64,128", "--d", "8,16,32"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("lists of different lengths"), std::string::npos) << wrong.err;
}

TEST_F(ToolTest, APictureSaysWhereItIsSampled) {
  const Ran ran = heed({"draw", "--mask", "q % 3 == 0 & k % 2 == 0", "--tq", "4000", "--tk", "4000"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("; sampled, 256 places a cell"), std::string::npos) << ran.out;
  // A sixth of the places is seen everywhere: sampled without regard to the period, each cell is "some".
  EXPECT_EQ(ran.out.find("█\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("│░░░░░░░░"), std::string::npos) << ran.out;
  EXPECT_EQ(heed({"draw", "--mask", "causal", "--tq", "300", "--tk", "300"}).out.find("sampled"), std::string::npos);
}

}  // namespace
}  // namespace heed::tool::test
