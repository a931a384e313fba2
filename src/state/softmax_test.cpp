// SoftmaxState: a monoid, the softmax itself, sinks, rows that see nothing, and NaN.
#include "state/softmax.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace heed::state {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::size_t kDim = 3;

struct Key {
  double score;
  std::vector<double> value;
};

/// A state with its own memory.
struct Row {
  std::vector<double> memory = std::vector<double>(kDim);
  SoftmaxState state{.o = memory};
  Row() = default;
  Row(const Row&) = delete;
  void absorb(const Key& key) {
    state.absorb(key.score, [&](std::size_t c) { return key.value[c]; });
  }
  void merge(const Row& other) {
    state.merge(other.state.m, other.state.l, [&](std::size_t c) { return other.memory[c]; });
  }
};

std::vector<Key> draw(int count, std::uint64_t seed, double spread = 5) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Key> keys;
  for (int j = 0; j < count; ++j) keys.push_back({spread * normal(random), {normal(random), normal(random), normal(random)}});
  return keys;
}

void expect_near(const Row& a, const Row& b, double tolerance = 1e-13) {
  EXPECT_NEAR(a.state.lse(), b.state.lse(), tolerance);
  for (std::size_t c = 0; c < kDim; ++c) EXPECT_NEAR(a.state.output(c), b.state.output(c), tolerance);
}

TEST(SoftmaxState, IsTheSoftmax) {
  const std::vector<Key> keys = draw(40, 1);
  Row row;
  double sum = 0, top = kNothing;
  std::vector<double> mean(kDim);
  for (const Key& key : keys) {
    row.absorb(key);
    sum += std::exp(key.score);
    top = std::max(top, key.score);
    for (std::size_t c = 0; c < kDim; ++c) mean[c] += std::exp(key.score) * key.value[c];
  }
  EXPECT_NEAR(row.state.lse(), std::log(sum), 1e-13);
  EXPECT_EQ(row.state.m, top);
  for (std::size_t c = 0; c < kDim; ++c) EXPECT_NEAR(row.state.output(c), mean[c] / sum, 1e-13);
}

TEST(SoftmaxState, TheIdentityChangesNoBit) {
  Row row, empty, into;
  for (const Key& key : draw(9, 2)) row.absorb(key);
  const SoftmaxState before = row.state;
  const std::vector<double> o = row.memory;
  row.merge(empty);
  into.merge(row);
  for (const Row* merged : {&row, &into}) {
    EXPECT_EQ(merged->state.m, before.m);
    EXPECT_EQ(merged->state.l, before.l);
    EXPECT_EQ(merged->memory, o);
  }
}

TEST(SoftmaxState, EverySplitAndEveryGroupingGiveTheSame) {
  const std::vector<Key> keys = draw(12, 3, 30);
  Row whole;
  for (const Key& key : keys) whole.absorb(key);
  for (std::size_t i = 0; i <= keys.size(); ++i) {
    for (std::size_t j = i; j <= keys.size(); ++j) {
      Row a, b, c, left, right;
      for (std::size_t at = 0; at < keys.size(); ++at) (at < i ? a : at < j ? b : c).absorb(keys[at]);
      left.merge(a);
      left.merge(b);
      left.merge(c);
      b.merge(c);
      right.merge(a);
      right.merge(b);
      expect_near(left, whole);
      expect_near(right, whole);
    }
  }
}

TEST(SoftmaxState, HugeScoresDoNotOverflow) {
  for (const double shift : {-1e308, -1e4, 1e4, 1e308}) {
    Row row;
    row.absorb({shift, {1, 2, 3}});
    row.absorb({shift, {3, 2, 1}});
    EXPECT_EQ(row.state.output(0), 2);
    EXPECT_EQ(row.state.lse(), shift + std::log(2.0));
  }
  Row row;
  row.absorb({-1e308, {9, 9, 9}});
  row.absorb({1e308, {1, 2, 3}});  // the difference is -inf
  EXPECT_EQ(row.state.output(2), 3);
  EXPECT_EQ(row.state.lse(), 1e308);
}

TEST(SoftmaxState, WhatSeesNothing) {
  Row row;
  EXPECT_EQ(row.state.lse(), kNothing);
  EXPECT_EQ(row.state.output(0), 0);
  row.absorb({kNothing, {std::nan(""), kInf, 1}});
  EXPECT_EQ(row.state.lse(), kNothing);
  EXPECT_EQ(row.state.output(0), 0);
  EXPECT_EQ(row.state.output(1), 0);
}

TEST(SoftmaxState, ASinkTakesWeightAndGivesNothing) {
  Row row;
  row.state.start_with_sink(0.5);
  EXPECT_EQ(row.state.lse(), 0.5);
  EXPECT_EQ(row.state.output(0), 0);
  row.absorb({0.5, {4, 8, -2}});
  EXPECT_EQ(row.state.output(0), 2);
  EXPECT_EQ(row.state.output(1), 4);
  EXPECT_DOUBLE_EQ(row.state.lse(), 0.5 + std::log(2.0));
  Row none;
  none.state.start_with_sink(kNothing);
  EXPECT_EQ(none.state.lse(), kNothing);
  none.absorb({1, {4, 8, -2}});
  EXPECT_EQ(none.state.output(0), 4);
}

TEST(SoftmaxState, PartialResultsAreStates) {
  const std::vector<Key> keys = draw(10, 4);
  Row whole, first, second;
  for (std::size_t j = 0; j < keys.size(); ++j) {
    whole.absorb(keys[j]);
    (j < 4 ? first : second).absorb(keys[j]);
  }
  Row merged;
  for (const Row* part : {&first, &second}) {
    merged.state.merge(part->state.lse(), 1, [&](std::size_t c) { return part->state.output(c); });
  }
  expect_near(merged, whole);
}

TEST(SoftmaxState, NaNAndPlusInfinityMakeTheRowNaN) {
  for (const double bad : {std::nan(""), kInf}) {
    for (const std::size_t place : {0u, 1u, 2u}) {
      Row row;
      for (std::size_t j = 0; j < 3; ++j) row.absorb({j == place ? bad : 0.5, {1, 2, 3}});
      EXPECT_TRUE(std::isnan(row.state.lse())) << bad << " at " << place;
      EXPECT_TRUE(std::isnan(row.state.m)) << bad << " at " << place;
      EXPECT_TRUE(std::isnan(row.state.output(0)));
      Row clean, other;
      clean.absorb({3, {1, 2, 3}});
      other.absorb({3, {1, 2, 3}});
      clean.merge(row);
      row.merge(other);
      EXPECT_TRUE(std::isnan(clean.state.lse()) && std::isnan(clean.state.output(1)));
      EXPECT_TRUE(std::isnan(row.state.lse()) && std::isnan(row.state.output(1)));
    }
  }
}

TEST(SoftmaxState, ANaNValueReachesItsColumnAlone) {
  Row row;
  row.absorb({1, {1, std::nan(""), 3}});
  row.absorb({2, {1, 2, 3}});
  EXPECT_EQ(row.state.output(0), 1);
  EXPECT_TRUE(std::isnan(row.state.output(1)));
  EXPECT_FALSE(std::isnan(row.state.lse()));
}

}  // namespace
}  // namespace heed::state
