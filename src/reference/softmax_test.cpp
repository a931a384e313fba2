// The reference on problems small enough for paper: two keys and known weights, rows that see nothing, sinks, positions, statistics.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <heed/masks.hpp>

#include "laws/support/case.hpp"

namespace heed::reference {
namespace {

using symbols::k;
using symbols::q;
using symbols::s;

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor tensor(const Dims& shape, const std::vector<double>& values) {
  Tensor made(DType::kF64, shape);
  for (std::size_t i = 0; i < values.size(); ++i) made.data<double>()[i] = values[i];
  return made;
}

/// One head of D = 1 and scale 1: the scores are q k. Values have Dv = 1.
struct Small {
  Small(const std::vector<double>& queries, const std::vector<double>& keys, const std::vector<double>& values)
      : q_store(tensor({1, 1, static_cast<std::int64_t>(queries.size()), 1}, queries)),
        k_store(tensor({1, 1, static_cast<std::int64_t>(keys.size()), 1}, keys)),
        v_store(tensor({1, 1, static_cast<std::int64_t>(values.size()), 1}, values)),
        problem(problem_of(q_store.view(), k_store.view(), v_store.view())) {
    problem.scale = 1;
    problem.kernel = "reference";
    problem.statistics = true;
  }
  [[nodiscard]] laws::Result run() const { return laws::run(problem, {q_store.view(), k_store.view(), v_store.view()}); }
  Tensor q_store, k_store, v_store;
  Problem problem;
};

double element(const Tensor& tensor, std::int64_t i) {
  return real_at(tensor.view(), i);
}

TEST(Reference, TwoKeysOfWeightsThreeQuartersAndOneQuarter) {
  const laws::Result result = Small({1, -1}, {std::log(3.0), 0}, {8, -4}).run();
  EXPECT_NEAR(element(result.o, 0), 0.75 * 8 - 0.25 * 4, 1e-15);  // e^s = 3, 1
  EXPECT_NEAR(element(result.o, 1), 0.25 * 8 - 0.75 * 4, 1e-15);  // e^s = 1/3, 1
  EXPECT_NEAR(element(result.lse, 0), std::log(4.0), 1e-15);
  EXPECT_NEAR(element(result.lse, 1), std::log(4.0 / 3), 1e-15);
  EXPECT_EQ(element(result.maximum, 0), std::log(3.0));
  EXPECT_EQ(element(result.maximum, 1), 0);
  for (const std::int64_t i : {0, 1}) {
    EXPECT_NEAR(element(result.entropy, i), -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-15);
    EXPECT_NEAR(element(result.effective, i), 1 / (0.5625 + 0.0625), 1e-15);
    EXPECT_EQ(element(result.visible, i), 2);
  }
}

TEST(Reference, TheDefaultScaleIsOneOverRootD) {
  const Tensor query = tensor({1, 1, 1, 4}, {1, 1, 1, 1}), key = tensor({1, 1, 2, 4}, {1, 1, 0, 0, 0, 0, 0, 0}),
               value = tensor({1, 1, 2, 1}, {1, 0});
  Problem problem = problem_of(query.view(), key.view(), value.view());
  problem.kernel = "reference";
  const laws::Result result = laws::run(problem, {query.view(), key.view(), value.view()});
  EXPECT_NEAR(element(result.o, 0), std::exp(1.0) / (std::exp(1.0) + 1), 1e-15);  // 2 / sqrt(4) = 1
}

TEST(Reference, ARowThatSeesNothing) {
  Small small({1, 1}, {2, 3}, {std::nan(""), kInf});
  small.problem.mask = (q == 1) & (k == 5);
  for (const bool by_score : {false, true}) {
    if (by_score) {
      small.problem.mask = Expr();
      small.problem.scores = {select(k >= 0, -kInf, s)};
    }
    const laws::Result result = small.run();
    for (const std::int64_t i : {0, 1}) {
      EXPECT_EQ(element(result.o, i), 0);
      EXPECT_EQ(element(result.lse, i), -kInf);
      EXPECT_EQ(element(result.maximum, i), -kInf);
      EXPECT_EQ(element(result.entropy, i), 0);
      EXPECT_EQ(element(result.effective, i), 0);
      EXPECT_EQ(element(result.visible, i), 0);
    }
  }
}

TEST(Reference, ASinkIsAKeyWithoutAValue) {
  const Tensor sink = tensor({1}, {std::log(2.0)});
  Small small({1}, {std::log(3.0), 0}, {8, -4});
  small.problem.sink = sink.view();
  laws::Result result = small.run();
  EXPECT_NEAR(element(result.o, 0), (3 * 8 - 1 * 4) / 6.0, 1e-15);
  EXPECT_NEAR(element(result.lse, 0), std::log(6.0), 1e-15);
  EXPECT_NEAR(element(result.effective, 0), 1.6, 1e-15);  // of the keys alone
  small.problem.mask = k < 0;
  result = small.run();
  EXPECT_EQ(element(result.o, 0), 0);
  EXPECT_NEAR(element(result.lse, 0), std::log(2.0), 1e-15);
}

TEST(Reference, APartLeavesTheSinkOut) {
  const Tensor sink = tensor({1}, {std::log(2.0)});
  Small small({1}, {std::log(3.0), 0}, {8, -4});
  small.problem.sink = sink.view();
  small.problem.partial = true;
  EXPECT_NEAR(element(small.run().lse, 0), std::log(4.0), 1e-15);
}

/// Which of three keys (values 1, 10, 100; equal scores) each of two queries sees: the sum over them.
std::vector<double> sums(const Expr& mask, const Align& align, std::int64_t first_key = 0) {
  Small small({0, 0}, {0, 0, 0}, {1, 10, 100});
  small.problem.mask = mask;
  small.problem.align = align;
  small.problem.first_key = first_key;
  const laws::Result result = small.run();
  return {std::round(element(result.o, 0) * element(result.visible, 0)), std::round(element(result.o, 1) * element(result.visible, 1))};
}

TEST(Reference, QueriesStandWhereTheAlignmentSays) {
  EXPECT_EQ(sums(causal(), Align::start()), (std::vector<double>{1, 11}));
  EXPECT_EQ(sums(causal(), Align::end()), (std::vector<double>{11, 111}));
  EXPECT_EQ(sums(causal(), Align::at({-1})), (std::vector<double>{0, 1}));
  EXPECT_EQ(sums(causal(), Align::at({7})), (std::vector<double>{111, 111}));
}

TEST(Reference, KeysCountFromTheFirst) {
  EXPECT_EQ(sums(causal(), Align::at({5}), 4), (std::vector<double>{11, 111}));  // keys 4, 5, 6
  EXPECT_EQ(sums(k == 6, Align::start(), 4), (std::vector<double>{100, 100}));
  EXPECT_EQ(sums(k < 0, Align::start(), -2), (std::vector<double>{11, 11}));
}

TEST(Reference, ScoresAreAppliedInOrder) {
  Small small({1}, {std::log(3.0), 0}, {8, -4});
  small.problem.scores = {s * 2, s + k * std::log(9.0)};  // e^s: 9, 9
  EXPECT_NEAR(element(small.run().o, 0), 2, 1e-14);
  small.problem.scores = {s + k * std::log(9.0), s * 2};  // e^s: 9, 81
  EXPECT_NEAR(element(small.run().o, 0), (9 * 8 - 81 * 4) / 90.0, 1e-14);
}

TEST(Reference, NaNStaysInItsRowAndBehindTheMaskIsNothing) {
  Small small({1, std::nan("")}, {1, 2}, {3, 5});
  laws::Result result = small.run();
  EXPECT_FALSE(std::isnan(element(result.o, 0)));
  for (const Tensor& row : {result.o, result.lse, result.maximum, result.entropy, result.effective})
    EXPECT_TRUE(std::isnan(element(row, 1)));
  Small hidden({1}, {1, std::nan(""), kInf}, {3, std::nan(""), 5});
  hidden.problem.mask = k < 1;
  result = hidden.run();
  EXPECT_EQ(element(result.o, 0), 3);
  EXPECT_EQ(element(result.lse, 0), 1);
}

/// One query of f32 against keys of D = 2: the definition in double of what f32 tensors say.
laws::Result defined(const std::vector<float>& query, const std::vector<float>& keys, const std::vector<Expr>& scores,
                     DType dtype = DType::kF32) {
  const auto count = static_cast<std::int64_t>(keys.size() / 2);
  const auto filled = [&](const Dims& shape, const std::vector<float>& values) {
    Tensor made(dtype, shape);
    for (std::size_t i = 0; i < values.size(); ++i) store_real(made.span(), static_cast<std::int64_t>(i), static_cast<double>(values[i]));
    return made;
  };
  const Tensor q_store = filled({1, 1, 1, 2}, query), k_store = filled({1, 1, count, 2}, keys),
               v_store = filled({1, 1, count, 1}, {1, 2, 4});
  Problem problem = problem_of(q_store.view(), k_store.view(), v_store.view());
  problem.scale = 1;
  problem.align = Align::start();
  problem.scores = scores;
  return laws::truth(problem, {q_store.view(), k_store.view(), v_store.view()});
}

TEST(Reference, AFormulaBeyondWhatHoldsScoresIsInfinite) {
  const std::vector<float> query{1, 0}, keys{0, 0, 0, 0, 0, 0};
  const double last = std::numeric_limits<float>::max(), past = 0x1.ffffffp127;  // past: half a step on, where rounding leaves f32
  const auto hidden = [&](double below, DType dtype = DType::kF32) {
    return element(defined(query, keys, {select(k == 1, -1.0 * below, s)}, dtype).visible, 0) == 2;
  };
  EXPECT_FALSE(hidden(last));
  EXPECT_FALSE(hidden(std::nextafter(past, 0)));
  EXPECT_TRUE(hidden(past));
  EXPECT_TRUE(hidden(past, DType::kBF16));
  EXPECT_FALSE(hidden(past, DType::kF64));
  const laws::Result masked = defined(query, keys, {select(k == 1, -1e300, s)});
  EXPECT_NEAR(element(masked.o, 0), 2.5, 1e-15);  // of the values 1, 2, 4
  EXPECT_NEAR(element(masked.lse, 0), std::log(2.0), 1e-15);
  EXPECT_NEAR(element(masked.effective, 0), 2, 1e-15);
  const laws::Result above = defined(query, keys, {select(k == 1, past, s)});
  for (const Tensor& tensor : {above.o, above.lse, above.maximum, above.entropy, above.effective})
    EXPECT_TRUE(std::isnan(element(tensor, 0)));
  EXPECT_EQ(element(defined(query, keys, {select(k == 1, s * 0 + 1e300, s), s * 1e-300}).visible, 0),
            3);  // the result alone, no step of it
}

TEST(Reference, ASimilarityBeyondWhatHoldsScoresIsNaN) {
  for (const float big : {2e19F, -2e19F}) {  // of finite q and k: a product beyond f32, of either sign
    EXPECT_TRUE(std::isnan(element(defined({2e19F, 0}, {1, 0, big, 0, 1, 0}, {}).lse, 0)));
    EXPECT_FALSE(std::isnan(element(defined({2e19F, 0}, {1, 0, big, 0, 1, 0}, {}, DType::kF64).lse, 0)));
    EXPECT_FALSE(std::isnan(element(defined({2e19F, 2e19F}, {1, 0, big, -big, 1, 0}, {}).lse, 0)));  // the sum is within
    const Expr hides = select(k == 1, -kInf, s);
    EXPECT_EQ(element(defined({2e19F, 0}, {1, 0, big, 0, 1, 0}, {hides}).visible, 0), 2);  // and behind -inf it is nothing
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(element(defined({1, 0}, {1, 0, -infinity, 0, 1, 0}, {}).visible, 0), 2);  // an infinite key is what it says
}

TEST(Reference, AnOperationOnTheScoreWithoutAValueIsNaN) {
  const std::vector<float> keys{1, 0, 0, 0, 2, 0};
  for (const Expr& score : {s + floor(1.0 / s), s + 3 / floor(s), s + floor(1e300 * (s - 1)) * 1.0}) {
    const laws::Result result = defined({1, 0}, keys, {score});
    for (const Tensor& tensor : {result.o, result.lse, result.maximum, result.entropy, result.effective})
      EXPECT_TRUE(std::isnan(element(tensor, 0))) << to_text(score);
  }
  EXPECT_FALSE(std::isnan(element(defined({1, 0}, keys, {select(s > 0.5, s + floor(1.0 / s), s)}).lse, 0)));
}

TEST(Reference, WeightsAreTheSoftmax) {
  Small small({1, -1}, {std::log(3.0), 0}, {8, -4});
  small.problem.weights = true;
  small.problem.mask = (q == 1) | (k == 0);
  Tensor weights = laws::poisoned(DType::kF64, {1, 1, 2, 2});
  const Plan plan(small.problem);
  plan.run({small.q_store.view(), small.k_store.view(), small.v_store.view()}, {.weights = weights.span()});
  const double expected[] = {1, 0, 0.25, 0.75};
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_NEAR(element(weights, i), expected[i], 1e-15);
}

TEST(Reference, QueryHeadsShareKeyHeads) {
  const Tensor query(DType::kF64, {1, 4, 1, 1}), key(DType::kF64, {1, 2, 1, 1}), value = tensor({1, 2, 1, 1}, {7, 9});
  Problem problem = problem_of(query.view(), key.view(), value.view());
  problem.kernel = "reference";
  const laws::Result result = laws::run(problem, {query.view(), key.view(), value.view()});
  const double expected[] = {7, 7, 9, 9};
  for (std::int64_t h = 0; h < 4; ++h) EXPECT_EQ(element(result.o, h), expected[h]);
}

}  // namespace
}  // namespace heed::reference
