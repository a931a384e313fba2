// Tally: a monoid, and its entropy and effective number of keys against the direct formulas.
#include "state/tally.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace heed::state {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Tally of(float score) {
  return score == -kInf ? Tally{} : Tally{.m = score, .l = 1, .e = 0, .l2 = 1, .n = 1};
}

Tally of(const std::vector<float>& scores) {
  Tally tally;
  for (const float score : scores) tally = Tally::merged(tally, of(score));
  return tally;
}

std::vector<float> draw(int count, std::uint64_t seed, float spread) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> scores(static_cast<std::size_t>(count));
  for (float& score : scores) score = normal(random);
  return scores;
}

struct Direct {
  double maximum = -HUGE_VAL, entropy = 0, effective = 0;
};

Direct direct(const std::vector<float>& scores) {
  Direct row;
  double sum = 0, squares = 0;
  for (const float score : scores) row.maximum = std::max(row.maximum, static_cast<double>(score));
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - row.maximum);
  for (const float score : scores) {
    const double p = std::exp(static_cast<double>(score) - row.maximum) / sum;
    if (p > 0) row.entropy -= p * std::log(p);
    squares += p * p;
  }
  row.effective = 1 / squares;
  return row;
}

void expect_bits(const Tally& a, const Tally& b) {
  EXPECT_EQ(a.m, b.m);
  EXPECT_EQ(a.l, b.l);
  EXPECT_EQ(a.e, b.e);
  EXPECT_EQ(a.l2, b.l2);
  EXPECT_EQ(a.n, b.n);
}

void expect_near(const Tally& a, const Tally& b) {
  EXPECT_EQ(a.m, b.m);
  EXPECT_EQ(a.n, b.n);
  EXPECT_NEAR(a.l, b.l, 1e-5F * b.l);
  EXPECT_NEAR(a.l2, b.l2, 1e-5F * b.l2);
  EXPECT_NEAR(a.e, b.e, 1e-5F * (1 + std::fabs(b.e)));
}

TEST(Tally, IsTheDirectFormula) {
  for (const float spread : {0.0F, 0.1F, 2.0F, 30.0F, 1000.0F}) {
    for (const int count : {1, 2, 7, 100}) {
      const std::vector<float> scores = draw(count, 1, spread);
      const Tally tally = of(scores);
      const Direct truth = direct(scores);
      EXPECT_EQ(tally.n, count);
      EXPECT_EQ(tally.maximum(), static_cast<float>(truth.maximum));
      EXPECT_NEAR(tally.entropy(), truth.entropy, 2e-5) << spread << " " << count;
      EXPECT_NEAR(tally.effective(), truth.effective, 1e-5 * truth.effective) << spread << " " << count;
    }
  }
}

TEST(Tally, EqualScoresAreUniform) {
  const Tally tally = of(std::vector<float>(32, -7.5F));
  EXPECT_EQ(tally.effective(), 32);
  EXPECT_FLOAT_EQ(tally.entropy(), std::log(32.0F));
  EXPECT_EQ(of(3.0F).entropy(), 0);
  EXPECT_EQ(of(3.0F).effective(), 1);
}

TEST(Tally, TheIdentityChangesNoBit) {
  const Tally some = of(draw(9, 2, 3)), nothing;
  expect_bits(Tally::merged(some, nothing), some);
  expect_bits(Tally::merged(nothing, some), some);
  expect_bits(Tally::merged(nothing, nothing), nothing);
}

TEST(Tally, EverySplitAndEveryGroupingGiveTheSame) {
  const std::vector<float> scores = draw(12, 3, 8);
  const Tally whole = of(scores);
  for (std::size_t i = 0; i <= scores.size(); ++i) {
    for (std::size_t j = i; j <= scores.size(); ++j) {
      const auto part = [&](std::size_t first, std::size_t last) {
        return of(
            std::vector<float>(scores.begin() + static_cast<std::ptrdiff_t>(first), scores.begin() + static_cast<std::ptrdiff_t>(last)));
      };
      const Tally a = part(0, i), b = part(i, j), c = part(j, scores.size());
      expect_near(Tally::merged(Tally::merged(a, b), c), whole);
      expect_near(Tally::merged(a, Tally::merged(b, c)), whole);
    }
  }
}

TEST(Tally, WhatSeesNothing) {
  const Tally nothing = of({-kInf, -kInf});
  EXPECT_EQ(nothing.n, 0);
  EXPECT_EQ(nothing.maximum(), -kInf);
  EXPECT_EQ(nothing.entropy(), 0);
  EXPECT_EQ(nothing.effective(), 0);
}

TEST(Tally, ScoresFurtherApartThanAnyFloat) {
  for (const auto& scores : {std::vector<float>{-3e38F, 3e38F}, {3e38F, -3e38F}, {-3e38F, 0, 3e38F, -1e38F}}) {
    const Tally tally = of(scores);
    EXPECT_EQ(tally.maximum(), 3e38F);
    EXPECT_EQ(tally.entropy(), 0);
    EXPECT_EQ(tally.effective(), 1);
    EXPECT_EQ(tally.n, static_cast<std::int64_t>(scores.size()));
  }
  EXPECT_FLOAT_EQ(of({-3e38F, 3e38F, 3e38F}).entropy(), std::log(2.0F));
  EXPECT_FLOAT_EQ(of({3e38F, -3e38F, 3e38F}).entropy(), std::log(2.0F));
}

TEST(Tally, NaNStaysNaN) {
  Tally bad = of({1.0F, 2.0F});
  bad.e = bad.l2 = std::nanf("");
  bad.l = std::nan("");
  const Tally blind{.m = -kInf, .l = bad.l, .e = bad.e, .l2 = bad.e, .n = 3};  // a row of NaN scores alone
  for (const Tally& nan : {bad, blind}) {
    for (const Tally& merged :
         {nan, Tally::merged(nan, of(5.0F)), Tally::merged(of(5.0F), nan), Tally::merged(nan, Tally{}), Tally::merged(Tally{}, nan)}) {
      EXPECT_TRUE(std::isnan(merged.maximum()));
      EXPECT_TRUE(std::isnan(merged.entropy()));
      EXPECT_TRUE(std::isnan(merged.effective()));
    }
  }
}

}  // namespace
}  // namespace heed::state
