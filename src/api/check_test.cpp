// check: right results are good, each kind of wrong one is not, and a query alone gives what it gives in the whole problem.
#include <heed/check.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <heed/error.hpp>
#include <heed/masks.hpp>

namespace heed {
namespace {

Tensor drawn(DType dtype, const Dims& shape, unsigned seed) {
  Tensor tensor(dtype, shape);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, normal(random));
  return tensor;
}

/// Two batch entries, four heads on two, 70 queries at the end of 90 keys.
struct Call {
  explicit Call(DType dtype)
      : q(drawn(dtype, {2, 4, 70, 16}, 1)), k(drawn(dtype, {2, 2, 90, 16}, 2)), v(drawn(dtype, {2, 2, 90, 8}, 3)), o(dtype, {2, 4, 70, 8}) {
    lse = Tensor(dtype == DType::kF64 ? DType::kF64 : DType::kF32, {2, 4, 70});
    problem = problem_of(q.view(), k.view(), v.view());
    problem.mask = causal();
    problem.align = Align::end();
  }
  [[nodiscard]] Inputs inputs() const { return {q.view(), k.view(), v.view()}; }
  [[nodiscard]] Outputs outputs() { return {.o = o.span(), .lse = lse.span()}; }
  [[nodiscard]] Comparison compared(std::int64_t rows = 40) {
    const Plan plan(problem);
    return compare(plan, inputs(), outputs(), sampled_queries(problem, rows, nan_rows(o.view(), lse.view())));
  }

  Tensor q, k, v, o, lse;
  Problem problem;
};

TEST(Check, WhatAPlanComputesIsGood) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    Call call(dtype);
    Plan(call.problem).run(call.inputs(), call.outputs());
    const Comparison compared = call.compared();
    EXPECT_TRUE(compared.good()) << name_of(dtype);
    EXPECT_EQ(compared.rows, 40);
    EXPECT_GT(compared.o_bound, 0);
    EXPECT_GT(compared.lse_bound, 0);
  }
}

TEST(Check, EachWrongNumberIsFound) {
  Call call(DType::kF32);
  Plan(call.problem).run(call.inputs(), call.outputs());
  const auto with = [&](Tensor& tensor, std::int64_t at, float value) {
    const float before = std::exchange(tensor.data<float>()[at], value);
    const Comparison compared = call.compared();
    tensor.data<float>()[at] = before;
    return compared;
  };
  const Comparison o = with(call.o, 5, call.o.data<float>()[5] + 1e-3F);  // of query 0, which is always sampled
  EXPECT_FALSE(o.good());
  EXPECT_NEAR(o.o_error, 1e-3, 1e-5);
  const Comparison lse = with(call.lse, 69, call.lse.data<float>()[69] + 1e-2F);  // of the last one
  EXPECT_FALSE(lse.good());
  EXPECT_GT(lse.lse_error, lse.lse_bound);
  EXPECT_TRUE(lse.o_error <= lse.o_bound);
  const Comparison nan = with(call.o, (3 * 70 + 31) * 8, std::nanf(""));
  EXPECT_FALSE(nan.good());
  EXPECT_EQ(nan.nan, 1);
  EXPECT_EQ(nan.nan_by_definition, 0);
  EXPECT_TRUE(call.compared().good());
}

TEST(Check, GoodIsWithinEveryBound) {
  const Comparison good{
      .o_error = 1, .o_bound = 1, .o_rms_error = 1, .o_rms_bound = 1, .lse_error = 1, .lse_bound = 1, .nan = 1, .nan_by_definition = 1};
  EXPECT_TRUE(good.good());
  for (double Comparison::*error : {&Comparison::o_error, &Comparison::o_rms_error, &Comparison::lse_error}) {
    for (const double beyond : {2.0, std::nan("")}) {
      Comparison wrong = good;
      wrong.*error = beyond;
      EXPECT_FALSE(wrong.good());
    }
  }
  Comparison nan = good;
  nan.nan = 2;
  EXPECT_FALSE(nan.good());
}

TEST(Check, NanByTheDefinitionIsGood) {
  Call call(DType::kF32);
  call.q.data<float>()[(1 * 70 + 33) * 16 + 2] = std::nanf("");
  Plan(call.problem).run(call.inputs(), call.outputs());
  const Comparison compared = call.compared();
  EXPECT_TRUE(compared.good());
  EXPECT_EQ(compared.nan, 1);
  EXPECT_EQ(compared.nan_by_definition, 1);
}

/// Formulas see the same i, q, b and h, named tables the same rows; the definition's bits are the same.
TEST(Check, AQueryAloneGivesWhatItGivesInTheWhole) {
  Call call(DType::kF64);
  const Tensor bias = drawn(DType::kF32, {2, 4, 70, 90}, 4), by_row = drawn(DType::kF32, {70}, 5);
  call.problem.kernel = "reference";
  call.problem.tables = {{"bias", bias.view()}, {"by_row", by_row.view()}};
  call.problem.scores = {parse("bias(bias)", call.problem.tables),
                         parse("s + by_row[i] - 0.01 * abs(q - k) + 0.1 * b * h", call.problem.tables)};
  const Plan plan(call.problem);
  plan.run(call.inputs(), call.outputs());
  for (const std::int64_t i : {0, 1, 35, 69}) {
    Tensor row(DType::kF64, {2, 4, 1, 8});
    Plan(problem_of_query(plan, i)).run({query_of(call.problem, call.q.view(), i), call.k.view(), call.v.view()}, {.o = row.span()});
    for (std::int64_t head = 0; head < 8; ++head)
      EXPECT_EQ(std::memcmp(row.data<double>() + head * 8, call.o.data<double>() + (head * 70 + i) * 8, 8 * sizeof(double)), 0) << i;
  }
}

/// Packed: one query of its sequence, at its place, whose number formulas see; judged with all the others.
TEST(Check, RowsOfPackedSequences) {
  const std::vector<std::int64_t> queries{0, 1, 41, 41, 44}, keys{0, 90, 130, 150, 200};
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    const Tensor q = drawn(dtype, {44, 4, 16}, 1), k = drawn(dtype, {200, 2, 16}, 2), v = drawn(dtype, {200, 2, 8}, 3);
    Tensor o(dtype, {44, 4, 8}), lse(dtype == DType::kF64 ? DType::kF64 : DType::kF32, {44, 4});
    Problem problem = problem_of(q.view(), k.view(), v.view(), queries, keys);
    problem.mask = parse("causal | b == 3");
    problem.scores = {parse("s - 0.01 * abs(q - k) + 0.1 * b * i")};
    problem.align = Align::end();
    const Plan plan(problem);
    const Inputs inputs{q.view(), k.view(), v.view()};
    const Outputs found{.o = o.span(), .lse = lse.span()};
    plan.run(inputs, found);
    EXPECT_EQ(queries_of(problem), 44);
    const std::vector<std::int64_t> sampled = sampled_queries(problem, 12, nan_rows(o.view(), lse.view()));
    EXPECT_EQ(sampled, (std::vector<std::int64_t>{0, 14, 28, 40, 43}));
    EXPECT_TRUE(compare(plan, inputs, found, sampled).good()) << name_of(dtype);
    EXPECT_EQ(compare(plan, inputs, found, sampled).rows, 20);
    store_real(lse.span(), 43 * 4 + 2, real_at(lse.view(), 43 * 4 + 2) + 0.5);
    EXPECT_FALSE(compare(plan, inputs, found, sampled).good()) << name_of(dtype);
    store_real(o.span(), (40 * 4 + 3) * 8 + 1, std::nan(""));
    const NanRows nan = nan_rows(o.view(), lse.view());
    EXPECT_EQ(to_text(nan.shape), to_text(Dims{1, 4, 44}));
    EXPECT_EQ(nan.count, 1);
    EXPECT_TRUE(nan.at(0, 3, 40));
    const std::vector<std::int64_t> beyond{44};
    EXPECT_THROW((void)compare(plan, inputs, found, beyond), Error);
    EXPECT_THROW((void)problem_of_query(plan, 44), Error);
  }
}

TEST(Check, SampledQueriesReachBothEndsAndRowsThatAreNan) {
  const Problem problem{.batch = 1, .heads = 2, .kv_heads = 2, .queries = 100, .keys = 100, .dim = 8, .value_dim = 8};
  EXPECT_EQ(sampled_queries(problem, 8), (std::vector<std::int64_t>{0, 33, 66, 99}));
  EXPECT_EQ(sampled_queries(problem, 1).size(), 4U);
  EXPECT_EQ(sampled_queries(problem, 1'000'000).size(), 100U);
  EXPECT_TRUE(sampled_queries({.queries = 0, .keys = 9, .dim = 8, .value_dim = 8}, 8).empty());
  NanRows nan{.shape = {1, 2, 100}, .is_nan = std::vector<bool>(200), .count = 1};
  nan.is_nan[100 + 17] = true;
  EXPECT_EQ(sampled_queries(problem, 8, nan), (std::vector<std::int64_t>{0, 17, 33, 66, 99}));
}

TEST(Check, NanRowsOfAnyTypeAndStrides) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    Tensor o = drawn(dtype, {1, 5, 3, 4}, 6), lse = drawn(DType::kF32, {1, 3, 5}, 7);
    store_real(o.span(), (2 * 3 + 1) * 4 + 3, std::nan(""));
    store_real(o.span(), 0, HUGE_VAL);
    store_real(lse.span(), 4, std::nan(""));
    const TensorView turned{o.view().data, dtype, {1, 3, 5, 4}, {60, 4, 12, 1}},
        backward{o.view().data, dtype, {1, 3, 5, 2}, {60, 4, 12, 3}};
    for (const TensorView& view : {turned, backward}) {
      const NanRows rows = nan_rows(view, lse.view());
      EXPECT_EQ(rows.count, 2);
      EXPECT_TRUE(rows.at(0, 1, 2));
      EXPECT_TRUE(rows.at(0, 0, 4));
    }
  }
  EXPECT_THROW((void)nan_rows(Tensor(DType::kF32, {1, 2, 3, 4}).view(), Tensor(DType::kF32, {1, 2, 4}).view()), Error);
}

TEST(Check, WhatDoesNotFitIsRefused) {
  Call call(DType::kF32);
  const Plan plan(call.problem);
  const std::vector<std::int64_t> none, beyond{70};
  EXPECT_THROW((void)compare(plan, call.inputs(), {.o = call.o.span()}, none), Error);
  EXPECT_THROW((void)compare(plan, call.inputs(), {.o = call.q.span(), .lse = call.lse.span()}, none), Error);
  EXPECT_THROW((void)compare(plan, call.inputs(), call.outputs(), beyond), Error);
  EXPECT_THROW((void)compare(plan, {call.q.view(), call.v.view(), call.v.view()}, call.outputs(), none), Error);
  EXPECT_THROW((void)problem_of_query(plan, -1), Error);
  const TensorView packed{call.q.view().data, DType::kF32, {140, 2, 16}};
  const Plan sequences(problem_of(packed, packed, packed, {0, 40, 140}, {0, 40, 140}));
  EXPECT_THROW((void)compare(sequences, {packed, packed, packed}, call.outputs(), none), Error);
  EXPECT_THROW((void)problem_of_query(sequences, 140), Error);
  EXPECT_TRUE(compare(plan, call.inputs(), call.outputs(), none).good());
}

}  // namespace
}  // namespace heed
