// The accuracy rule: what it accepts and what not, its floor, NaN; and the naive computation by hand.
#include "reference/accuracy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/dtype.hpp"
#include "laws/support/case.hpp"

namespace heed::reference {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

Tensor row(const std::vector<double>& values) {
  Tensor made(DType::kF64, {1, 1, 1, static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) made.data<double>()[i] = values[i];
  return made;
}

Accuracy judged(const std::vector<double>& result, const std::vector<double>& truth, const std::vector<double>& naive,
                DType dtype = DType::kF32) {
  return judge(row(result).view(), row(truth).view(), {row(naive).view()}, dtype);
}

/// The computation itself as a multiple of its own error.
Tensor stretched(const Tensor& naive, const Tensor& truth, double factor) {
  Tensor made(DType::kF64, truth.shape());
  for (std::int64_t i = 0; i < made.count(); ++i) {
    const double right = real_at(truth.view(), i);
    made.data<double>()[i] = right + factor * (real_at(naive.view(), i) - right);
  }
  return made;
}

TEST(Judge, AcceptsNaiveAndRefusesThreeTimesItsError) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const laws::Draw draw(
        {.heads = 2, .kv_heads = 1, .queries = 40, .keys = 70, .dim = 32, .value_dim = 24, .dtype = dtype, .mask = "causal", .logits = 4});
    const Tensor truth = laws::truth(draw).o, naive = laws::naive(draw).o;
    const auto holds = [&](double factor) {
      return judge(stretched(naive, truth, factor).view(), truth.view(), {naive.view()}, dtype).holds();
    };
    EXPECT_TRUE(judge(naive.view(), truth.view(), {naive.view()}, dtype).holds());
    EXPECT_TRUE(judge(truth.view(), truth.view(), {naive.view()}, dtype).holds());
    EXPECT_TRUE(holds(1.9));
    EXPECT_TRUE(holds(-1.9));
    EXPECT_FALSE(holds(6));
    EXPECT_FALSE(holds(-6));
    // Naive's own error here is at least half an ulp, so three times it is past twice it and the floor together.
    EXPECT_GE(judge(naive.view(), truth.view(), {truth.view()}, dtype).max_error,
              judge(truth.view(), truth.view(), {truth.view()}, dtype).max_bound);
    EXPECT_FALSE(holds(3.1));
  }
}

TEST(Judge, TheFloorIsHalfAnUlpOfTheLargest) {
  const auto floor = [](double largest, DType dtype) { return judged({largest, 0.1}, {largest, 0.1}, {largest, 0.1}, dtype).max_bound; };
  EXPECT_EQ(floor(1.0, DType::kF32), 0x1p-24);
  EXPECT_EQ(floor(1.999, DType::kF32), 0x1p-24);
  EXPECT_EQ(floor(2.0, DType::kF32), 0x1p-23);
  EXPECT_EQ(floor(-5.0, DType::kBF16), 0x1p-6);  // bf16 near 5 counts in steps of 2^-5
  EXPECT_EQ(floor(100.0, DType::kF16), 0x1p-5);  // f16 near 100 counts in steps of 2^-4
  EXPECT_EQ(floor(1.0, DType::kF64), 0x1p-53);
  EXPECT_EQ(judged({0, 0}, {0, 0}, {0, 0}).max_bound, 0);
  EXPECT_TRUE(judged({1 + 0x1p-24, 1}, {1, 1}, {1, 1}).holds());
  EXPECT_FALSE(judged({1 + 0x1.1p-24, 1}, {1, 1}, {1, 1}).holds());
}

TEST(Judge, TheFloorIsHalfTheDistanceOfNeighbours) {
  for (const float x : {1.0F, 3.7F, 0.013F, 250.0F}) {
    const auto floor = [&](DType dtype) {
      return judged({static_cast<double>(x)}, {static_cast<double>(x)}, {static_cast<double>(x)}, dtype).max_bound;
    };
    const bf16 brain = bf16_from(x);
    const f16 half = f16_from(x);
    const auto gap = [](float a, float b) { return static_cast<double>(b) - static_cast<double>(a); };
    EXPECT_EQ(floor(DType::kBF16), gap(f32_from(brain), f32_from(bf16{static_cast<std::uint16_t>(brain.bits + 1)})) / 2);
    EXPECT_EQ(floor(DType::kF16), gap(f32_from(half), f32_from(f16{static_cast<std::uint16_t>(half.bits + 1)})) / 2);
    EXPECT_EQ(floor(DType::kF32), gap(x, std::nextafter(x, HUGE_VALF)) / 2);
  }
}

TEST(Judge, MaximumAndRootMeanSquareAreJudgedEach) {
  std::vector<double> truth(100, 1.0), naive(100, 1.0), spread(100, 1.0 + 1.9e-3), peak(100, 1.0);
  naive[0] += 1e-3;
  peak[7] += 1.9e-3;
  EXPECT_TRUE(judged(peak, truth, naive).holds());
  EXPECT_FALSE(judged(spread, truth, naive).holds());  // no place is worse than twice naive's worst, but all are
  const Accuracy accuracy = judged(peak, truth, naive);
  EXPECT_NEAR(accuracy.max_error, 1.9e-3, 1e-12);
  EXPECT_NEAR(accuracy.rms_error, 1.9e-4, 1e-12);
  EXPECT_NEAR(accuracy.max_bound, 2e-3 + 0x1p-24, 1e-12);
  EXPECT_NEAR(accuracy.rms_bound, 2e-4 + 0x1p-24, 1e-12);
}

TEST(Judge, NaNMustBeWhereItBelongs) {
  EXPECT_TRUE(judged({kNaN, 1}, {kNaN, 1}, {kNaN, 1}).holds());
  EXPECT_FALSE(judged({0, 1}, {kNaN, 1}, {kNaN, 1}).holds());
  EXPECT_FALSE(judged({kNaN, 1}, {0, 1}, {0, 1}).holds());
  EXPECT_FALSE(judged({kInf, 1}, {0, 1}, {0, 1}).holds());
  EXPECT_FALSE(judged({kNaN, 2}, {kNaN, 1}, {kNaN, 1}).holds());
  EXPECT_TRUE(judged({kNaN, kNaN}, {kNaN, kNaN}, {kNaN, kNaN}).holds());
}

TEST(Judge, WhatIsBeyondTheTypeMustBeTheSameInfinity) {
  const std::vector<double> truth{1e39, 1}, naive{kInf, 1};
  EXPECT_TRUE(judged({kInf, 1}, truth, naive).holds());
  EXPECT_FALSE(judged({-kInf, 1}, truth, naive).holds());
  EXPECT_FALSE(judged({3.4e38, 1}, truth, naive).holds());
  EXPECT_FALSE(judged({kInf, 2}, truth, naive).holds());  // naive's infinity allows the other places nothing
  EXPECT_FALSE(judged({kInf, 1}, {3e38, 1}, {3e38, 1}).holds());
}

double statistic(const std::vector<double>& result, const std::vector<double>& truth, const std::vector<double>& lse) {
  return statistic_error(row(result).view(), row(truth).view(), row(lse).view());
}

TEST(StatisticError, IsRelativeToTheLargestOfOneReferenceAndLse) {
  EXPECT_DOUBLE_EQ(statistic({0.5, 0.25}, {0.25, 0.25}, {0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(statistic({4.5, 1}, {5, 1}, {0, 0}), 0.1);
  EXPECT_DOUBLE_EQ(statistic({0.5, 0.25}, {0.25, 0.25}, {-10, 0}), 0.025);
  EXPECT_EQ(statistic({-kInf, 1}, {-kInf, 1}, {-kInf, 0}), 0);
  EXPECT_EQ(statistic({kNaN, 1}, {kNaN, 1}, {0, 0}), 0);
  EXPECT_EQ(statistic({kNaN, 1}, {1, 1}, {0, 0}), kInf);
  EXPECT_EQ(statistic({1, 1}, {kNaN, 1}, {0, 0}), kInf);
  EXPECT_EQ(statistic({-kInf, 1}, {1, 1}, {0, 0}), kInf);
  EXPECT_DOUBLE_EQ(statistic_error(row({0.5, 7}).view(), row({0.25, 6}).view(), row({0, 0}).view(), row({0.125, 1}).view()), 0.125 / 6);
  EXPECT_LT(statistic_tolerance(DType::kF32), statistic_tolerance(DType::kF16));
  EXPECT_LT(statistic_tolerance(DType::kF16), statistic_tolerance(DType::kBF16));
}

/// naive of one query and two keys with D = 1 and scale 1, values 1 and 0: the rounded weight of the first key.
double naive_weight(DType dtype, double difference, const Expr& mask = {}) {
  Tensor query(dtype, {1, 1, 1, 1}), key(dtype, {1, 1, 2, 1}), value(dtype, {1, 1, 2, 1}), o(DType::kF32, {1, 1, 1, 1});
  store_real(query.span(), 0, 1);
  store_real(key.span(), 0, difference);
  store_real(value.span(), 0, 1);
  Problem problem = problem_of(query.view(), key.view(), value.view());
  problem.scale = 1;
  problem.mask = mask;
  naive(problem::Question(problem), {query.view(), key.view(), value.view()}, o.span());
  return real_at(o.view(), 0);
}

TEST(Naive, TwoKeysByHand) {
  EXPECT_EQ(naive_weight(DType::kF32, 0), 0.5);
  for (const double difference : {0.5, -2.0, 3.0}) {
    const float p = 1 / (1 + std::exp(-static_cast<float>(difference)));
    EXPECT_NEAR(naive_weight(DType::kF32, difference), static_cast<double>(p), 1e-7);
    EXPECT_EQ(naive_weight(DType::kBF16, difference), static_cast<double>(f32_from(bf16_from(p))));
    EXPECT_EQ(naive_weight(DType::kF16, difference), static_cast<double>(f32_from(f16_from(p))));
  }
  EXPECT_EQ(naive_weight(DType::kF32, 9, symbols::k > 0), 0);
  EXPECT_EQ(naive_weight(DType::kF32, -9, symbols::k < 1), 1);
  EXPECT_EQ(naive_weight(DType::kF32, 1, symbols::k > 5), 0);
}

}  // namespace
}  // namespace heed::reference
