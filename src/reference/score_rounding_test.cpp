// What the rounding of scores may do to O: two keys by hand, against scores moved on purpose, formulas, hidden keys, and where it is not
// felt.
#include "reference/score_rounding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "laws/support/case.hpp"

namespace heed::reference {
namespace {

Tensor rounding_of(const laws::Draw& draw) {
  return laws::naive(draw).rounding;
}

/// One query, keys of D = 1 and scale 1, values 1, 0, 0, …: how far the weight of the first key may move.
double moved(const std::vector<double>& scores, const std::vector<std::string>& formulas = {}, const std::string& mask = "",
             DType dtype = DType::kF32) {
  const auto count = static_cast<std::int64_t>(scores.size());
  Tensor q(dtype, {1, 1, 1, 1}), k(dtype, {1, 1, count, 1}), v(dtype, {1, 1, count, 1}), to(DType::kF64, {1, 1, 1, 1});
  store_real(q.span(), 0, 1);
  store_real(v.span(), 0, 1);
  for (std::int64_t j = 0; j < count; ++j) store_real(k.span(), j, scores[static_cast<std::size_t>(j)]);
  Problem problem = problem_of(q.view(), k.view(), v.view());
  problem.scale = 1;
  problem.align = Align::start();
  if (!mask.empty()) problem.mask = parse(mask);
  for (const std::string& formula : formulas) problem.scores.push_back(parse(formula));
  score_rounding(problem::Question(problem), {q.view(), k.view(), v.view()}, {.o = to.span()});
  return to.data<double>()[0];
}

TEST(ScoreRounding, OfTwoKeysByHand) {
  // p (1 - p) per key, each within 2^-24 of its size for the product and the same again for the final score.
  EXPECT_NEAR(moved({1024, 1024}) / (2 * 0.25 * 2 * 1024 * 0x1p-24), 1, 1e-3);
  const double p = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(moved({102, 100}) / (p * (1 - p) * 2 * (102 + 100) * 0x1p-24), 1, 1e-3);
  EXPECT_LT(moved({1000, 100}), 1e-300);  // all the weight on one key
  EXPECT_EQ(moved({1000}), 0);
  EXPECT_NEAR(moved({1024, 1024}, {}, "", DType::kF64) / (1024 * 0x1p-53), 1, 1e-3);
}

TEST(ScoreRounding, IsFeltFromScoresOfSixteenOn) {
  EXPECT_EQ(moved({15.9, 15.9}), 0);
  EXPECT_GT(moved({16, 15}), 0);
  EXPECT_GT(moved({-16, -16}), 0);
  EXPECT_EQ(moved({15, 15, 1000}, {}, "k < 2"), 0);
  EXPECT_GT(moved({2, 2}, {"s * 10"}), 0);
}

TEST(ScoreRounding, FollowsFormulas) {
  EXPECT_NEAR(moved({64, 64}, {"s * 16"}), moved({1024, 1024}), 1e-10);
  EXPECT_LT(moved({1024, 1024}, {"softcap(20)"}), moved({1024, 1024}) / 40);  // flat there: what is left is the rounding of 20
  // A score at the edge of a condition may come out either way.
  EXPECT_NEAR(moved({20, 20}, {"select(s >= 20, s, -inf)"}), 0.5, 1e-5);
  EXPECT_EQ(moved({20, 20}, {"select(s > 100, s, -inf)"}), 0);
}

/// A row's formulas read that row, not another.
TEST(ScoreRounding, KnowsRowsOfQueries) {
  const auto of = [](const char* mask) {
    return rounding_of(
        laws::Draw({.heads = 2, .kv_heads = 1, .queries = 30, .keys = 30, .dim = 8, .value_dim = 4, .mask = mask, .logits = 50}));
  };
  EXPECT_TRUE(laws::same_bits(of("k <= i"), of("k <= q")));
}

/// Statistics of one row of scores.
struct Statistics {
  double lse = 0, maximum = 0, entropy = 0, effective = 0;
};

/// In double; a sink counts in L alone.
Statistics statistics_of(const std::vector<double>& scores, double sink) {
  Statistics made{.maximum = -HUGE_VAL};
  double all = 0, squares = 0;
  for (const double s : scores) made.maximum = std::max(made.maximum, s);
  for (const double s : scores) all += std::exp(s - made.maximum);
  made.lse = made.maximum + std::log(all + std::exp(sink - made.maximum));
  for (const double s : scores) {
    const double log_p = s - made.maximum - std::log(all);
    made.entropy -= std::exp(log_p) * log_p;
    squares += std::exp(2 * log_p);
  }
  made.effective = 1 / squares;
  return made;
}

/// How far they may move, for one query with keys of D = 1 and scale 1.
Statistics statistics_moved(const std::vector<double>& scores, double sink, DType dtype = DType::kF32) {
  const auto count = static_cast<std::int64_t>(scores.size());
  Tensor q(dtype, {1, 1, 1, 1}), k(dtype, {1, 1, count, 1}), v(dtype, {1, 1, count, 1}), sinks(DType::kF32, {1});
  store_real(q.span(), 0, 1);
  store_real(sinks.span(), 0, sink);
  for (std::int64_t j = 0; j < count; ++j) store_real(k.span(), j, scores[static_cast<std::size_t>(j)]);
  Problem problem = problem_of(q.view(), k.view(), v.view());
  problem.scale = 1;
  problem.sink = sinks.view();
  Tensor to[4];
  for (Tensor& tensor : to) tensor = Tensor(DType::kF64, {1, 1, 1});
  score_rounding(problem::Question(problem), {q.view(), k.view(), v.view()},
                 {.lse = to[0].span(), .maximum = to[1].span(), .entropy = to[2].span(), .effective = to[3].span()});
  return {*to[0].data<double>(), *to[1].data<double>(), *to[2].data<double>(), *to[3].data<double>()};
}

TEST(ScoreRounding, OfStatisticsByHand) {
  // Every score within 2 * 2^-24 of its size: once for the product, once for the final score.
  constexpr double kOff = 1024 * 0x1p-23;
  const Statistics even = statistics_moved({1024, 1024}, -HUGE_VAL);
  EXPECT_NEAR(even.lse / kOff, 1, 1e-3);
  EXPECT_NEAR(even.maximum / kOff, 1, 1e-3);
  EXPECT_LT(even.entropy, 1e-12);  // at its greatest: flat
  EXPECT_LT(even.effective, 1e-12);
  const double p = 1 / (1 + std::exp(-1.0)), h = -p * std::log(p) - (1 - p) * std::log(1 - p), n = 1 / (p * p + (1 - p) * (1 - p));
  const double off[] = {201 * 0x1p-23, 200 * 0x1p-23};
  const Statistics moved_two = statistics_moved({201, 200}, -HUGE_VAL);
  EXPECT_NEAR(moved_two.entropy / (p * off[0] * std::fabs(std::log(p) + h) + (1 - p) * off[1] * std::fabs(std::log(1 - p) + h)), 1, 1e-3);
  EXPECT_NEAR(moved_two.effective / (2 * n * n * (p * off[0] * std::fabs(p - 1 / n) + (1 - p) * off[1] * std::fabs(1 - p - 1 / n))), 1,
              1e-3);
  for (const Statistics& none : {statistics_moved({15.5, 15.25, -15}, 3), statistics_moved({201, 200}, 0, DType::kF64)}) {
    for (const double each : {none.lse, none.maximum, none.entropy, none.effective}) EXPECT_LT(each, 1e-13);
  }
}

/// No rounding of the scores by as much as assumed moves a statistic farther.
TEST(ScoreRounding, BoundsWhatMovedScoresDoToStatistics) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (const double size : {20.0, 1e3, 1e5, 1e7, 1e9}) {
    for (int round = 0; round < 200; ++round) {
      std::vector<double> scores;
      for (int j = 0; j < 6; ++j) scores.push_back(static_cast<double>(static_cast<float>(size + unit(random) * std::min(size / 2, 3.0))));
      const double sink = round % 2 == 0 ? -HUGE_VAL : static_cast<double>(static_cast<float>(size));
      const Statistics exact = statistics_of(scores, sink), bound = statistics_moved(scores, sink);
      for (int tried = 0; tried < 20; ++tried) {
        std::vector<double> off = scores;
        for (double& s : off) s += 1.99 * unit(random) * 0x1p-24 * s;
        const Statistics other = statistics_of(off, sink);
        // Entropy and effective keys to first order: a part in a thousand where scores move by less than that, else to a half or to their
        // caps.
        const double more = size * 0x1p-22 < 1e-2 ? 1.02 : 2;
        EXPECT_LE(std::fabs(other.lse - exact.lse), bound.lse * (1 + 1e-6) + 1e-15 * size);
        EXPECT_LE(std::fabs(other.maximum - exact.maximum), bound.maximum * (1 + 1e-6));
        EXPECT_LE(std::fabs(other.entropy - exact.entropy), bound.entropy * more + 1e-13 + std::pow(size * 0x1p-22, 2)) << size;
        EXPECT_LE(std::fabs(other.effective - exact.effective), bound.effective * more + 1e-13 + 6 * std::pow(size * 0x1p-22, 2)) << size;
      }
    }
  }
}

/// No rounding of the scores by as much as assumed moves O farther, also where they are so large that first order says nothing.
TEST(ScoreRounding, BoundsWhatMovedScoresDo) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (const double size : {20.0, 1e4, 1e7, 1e9}) {
    for (int round = 0; round < 200; ++round) {
      std::vector<double> scores;
      for (int j = 0; j < 6; ++j) scores.push_back(static_cast<double>(static_cast<float>(size + unit(random) * std::min(size / 2, 3.0))));
      const auto weight = [&](bool off) {
        double all = 0, first = 0;
        for (std::size_t j = 0; j < scores.size(); ++j) {
          const double e = std::exp(scores[j] - size + (off ? 1.99 * (unit(random) > 0 ? 1 : -1) * 0x1p-24 * scores[j] : 0));
          all += e;
          first += j == 0 ? e : 0;
        }
        return first / all;
      };
      const double bound = moved(scores), exact = weight(false);
      for (int tried = 0; tried < 20; ++tried) ASSERT_LE(std::fabs(weight(true) - exact), bound * (1 + 1e-6)) << size;
      ASSERT_LE(bound, std::max(exact, 1 - exact) * (1 + 1e-6));  // 1e9 is known to 1e-7 in double
    }
  }
}

TEST(ScoreRounding, IsNothingForOrdinaryProblems) {
  for (const std::vector<std::string>& scores : laws::sweep_scores()) {
    laws::Case of{.queries = 20, .keys = 20, .dim = 16, .value_dim = 4, .mask = "causal", .scores = scores, .sink = true};
    const Tensor rounding = rounding_of(laws::Draw(of));
    for (std::int64_t i = 0; i < rounding.count(); ++i) ASSERT_EQ(rounding.data<double>()[i], 0) << of.text();
  }
}

/// Where queries stand at their rows, i is q.
TEST(ScoreRounding, KnowsTheRowOfAQuery) {
  const laws::Case of{.queries = 9, .keys = 9, .dim = 8, .value_dim = 2, .mask = "k <= q", .scores = {"s - 0.5 * (q - k)"}, .logits = 60};
  laws::Case by_row = of;
  by_row.mask = "k <= i";
  by_row.scores = {"s - 0.5 * (i - k)"};
  const Tensor by_position = rounding_of(laws::Draw(of)), rounding = rounding_of(laws::Draw(by_row));
  double most = 0;
  for (std::int64_t at = 0; at < rounding.count(); ++at) {
    ASSERT_EQ(rounding.data<double>()[at], by_position.data<double>()[at]) << at;
    most = std::max(most, rounding.data<double>()[at]);
  }
  EXPECT_GT(most, 0);
}

TEST(ScoreRounding, NeverIsNaN) {
  laws::Draw draw({.queries = 12, .keys = 12, .dim = 4, .value_dim = 4, .mask = "causal & k != 3", .logits = 100});
  store_real(draw.v_store.span(), 5 * 4, HUGE_VAL);  // seen by rows without a NaN score too
  store_real(draw.k_store.span(), 7 * 4, std::nan(""));
  store_real(draw.q_store.span(), 9 * 4, HUGE_VAL);
  const Tensor rounding = rounding_of(draw);
  for (std::int64_t i = 0; i < rounding.count(); ++i) ASSERT_TRUE(std::isfinite(rounding.data<double>()[i])) << i;
}

}  // namespace
}  // namespace heed::reference
