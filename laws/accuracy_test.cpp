// The accuracy rule does not cry wolf and does not sleep: on seeded draws of small, large and very large scores no kernel is called wrong,
// and an error of four times the bound always is. T 130, one head, D 64: few rows, so that naive's largest error is a matter of luck.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "laws/support/case.hpp"

namespace heed::laws {
namespace {

/// q and k with standard deviation `deviation`.
Draw draw_of(DType dtype, double deviation, std::uint64_t seed) {
  Draw draw(
      {.heads = 1, .kv_heads = 1, .queries = 130, .keys = 130, .dtype = dtype, .mask = "causal", .logits = deviation, .seed = seed * 7919});
  for (std::int64_t i = 0; i < draw.k_store.count(); ++i) store_real(draw.k_store.span(), i, deviation * real_at(draw.k_store.view(), i));
  return draw;
}

/// O with an error of `error` in one place, or in all of them.
Tensor spoiled(const Tensor& exact, double error, bool everywhere) {
  Tensor made = converted(exact.view(), DType::kF64);
  for (std::int64_t i = everywhere ? 0 : made.count() / 2; i < (everywhere ? made.count() : made.count() / 2 + 1); ++i)
    made.data<double>()[i] += i % 2 == 0 ? error : -error;
  return made;
}

/// L and statistics as the definition has them, each with an error of four times its bound in one row.
void expect_statistics_found(const Result& exact, const Naive& plain, DType dtype, double deviation) {
  const struct {
    const char* name;
    Tensor Result::*statistic;
    const Tensor& rounding;
  } kAll[] = {{"lse", &Result::lse, plain.lse_rounding},
              {"maximum", &Result::maximum, plain.maximum_rounding},
              {"entropy", &Result::entropy, plain.entropy_rounding},
              {"effective", &Result::effective, plain.effective_rounding}};
  for (const auto& each : kAll) {
    const Tensor &truth = exact.*each.statistic, none;
    double largest = 1;
    for (const Tensor* tensor : {&truth, &exact.lse}) {
      for (std::int64_t i = 0; i < tensor->count(); ++i) largest = std::max(largest, std::fabs(tensor->data<double>()[i]));
    }
    const std::int64_t row = truth.count() / 2;
    const double allowed = each.rounding.data<double>()[row];
    if (deviation == 1) {
      EXPECT_EQ(allowed, 0) << each.name;
    }
    Result result;
    result.*each.statistic = spoiled(truth, 0, false);
    EXPECT_EQ(statistic_violation(result, exact, dtype, plain), "") << each.name;
    (result.*each.statistic).data<double>()[row] += 4 * (allowed + largest * reference::statistic_tolerance(dtype));
    EXPECT_NE(statistic_violation(result, exact, dtype, plain), "") << each.name;
  }
}

struct Counts {
  int wrong = 0, wrong_without = 0;  // with the term for the rounding of scores, and without
};

Counts judge_draws(DType dtype, double deviation, std::uint64_t draws) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= draws; ++seed) {
    const Draw draw = draw_of(dtype, deviation, seed);
    const Result exact = truth(draw);
    const Naive plain = naive(draw);
    const auto judged = [&](const Tensor& o, bool term) {
      return reference::judge(o.view(), exact.o.view(), {plain.o.view(), term ? plain.rounding.view() : TensorView{}}, dtype);
    };
    for (const std::string& kernel : fast_kernels(dtype)) {
      const Result result = run(draw, kernel);
      counts.wrong += violation(result, exact, plain, dtype).empty() ? 0 : 1;
      counts.wrong_without += judged(result.o, false).holds() ? 0 : 1;
    }
    const reference::Accuracy bounds = judged(exact.o, true), without = judged(exact.o, false);
    EXPECT_FALSE(judged(spoiled(exact.o, 4 * bounds.max_bound, false), true).holds()) << seed;
    EXPECT_FALSE(judged(spoiled(exact.o, 4 * bounds.rms_bound, true), true).holds()) << seed;
    expect_statistics_found(exact, plain, dtype, deviation);
    if (deviation == 1 && dtype != DType::kF64) {  // f64 feels it always
      EXPECT_EQ(bounds.max_bound, without.max_bound) << seed;
      EXPECT_EQ(bounds.rms_bound, without.rms_bound) << seed;
    }
  }
  return counts;
}

constexpr DType kDtypes[] = {DType::kF32, DType::kBF16, DType::kF16, DType::kF64};

TEST(AccuracyRule, DoesNotCryWolf) {
  for (const DType dtype : kDtypes) {
    for (const double deviation : {1.0, 5.0, 20.0, 50.0})
      EXPECT_EQ(judge_draws(dtype, deviation, 3).wrong, 0) << name_of(dtype) << deviation;
  }
}

/// Scores of the size of 2500: without the term a draw in four is called wrong.
TEST(AccuracyRule, CriesWolfWithoutTheTerm) {
  const Counts counts = judge_draws(DType::kF32, 50, 25);
  EXPECT_EQ(counts.wrong, 0);
  EXPECT_GT(counts.wrong_without, 0);
}

/// Where scores are small the rule knows no such term, and has naive's luck: one draw in some thousand may fail.
TEST(SlowAccuracyRule, DoesNotCryWolfInAThousandDraws) {
  for (const DType dtype : kDtypes) {
    for (const double deviation : {1.0, 5.0, 20.0, 50.0}) {
      const Counts counts = judge_draws(dtype, deviation, 1000);
      RecordProperty(std::string(name_of(dtype)) + "_" + std::to_string(static_cast<int>(deviation)),
                     std::to_string(counts.wrong) + " of which without the term " + std::to_string(counts.wrong_without));
      if (deviation > 1)
        EXPECT_EQ(counts.wrong, 0) << name_of(dtype) << " " << deviation;
      else
        EXPECT_LE(counts.wrong, 3) << name_of(dtype);
    }
  }
}

}  // namespace
}  // namespace heed::laws
