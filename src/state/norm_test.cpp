// Norm: what makes weights of the scores of a row, with and without a sink.
#include "state/norm.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace heed::state {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Tally tally_of(const std::vector<float>& scores) {
  Tally tally;
  for (const float score : scores) tally = Tally::merged(tally, {.m = score, .l = 1, .e = 0, .l2 = 1, .n = 1});
  return tally;
}

TEST(Norm, WeightsSumToWhatTheSinkLeaves) {
  for (const std::vector<float>& scores : {std::vector<float>{0}, {1, 2, 3}, {-3e4F, -3e4F - 1}, {3e38F, 3e38F, -3e38F}, {5, -kInf}}) {
    std::vector<float> seen = scores;
    std::erase(seen, -kInf);
    for (const float sink : {-kInf, 0.0F, 2.5F, 3e4F, -3e38F}) {
      const Norm norm = Norm::of(tally_of(seen), sink);
      EXPECT_TRUE(norm.known());
      double sum = 0;
      for (const float score : seen)
        sum += std::exp(static_cast<double>(score) - static_cast<double>(norm.base)) * static_cast<double>(norm.share);
      const double left =
          sink == -kInf ? 0 : std::exp(static_cast<double>(sink) - static_cast<double>(norm.base)) * static_cast<double>(norm.share);
      EXPECT_NEAR(sum + left, 1, 0x1p-22) << sink;
    }
  }
}

TEST(Norm, OfNothingAndOfNaN) {
  EXPECT_EQ(Norm::of({}, -kInf).base, -kInf);
  EXPECT_TRUE(Norm::of({}, -kInf).known());
  EXPECT_EQ(Norm::of({}, 3).base, 3);
  EXPECT_EQ(Norm::of({}, 3).share, 1);
  Tally broken = tally_of({1, 2});
  broken.l = std::nan("");
  EXPECT_TRUE(std::isnan(Norm::of(broken, 0).base));
  EXPECT_TRUE(Norm::of(broken, 0).known());
  EXPECT_FALSE(Norm::unknown().known());
}

}  // namespace
}  // namespace heed::state
