// Tables that are larger or smaller than the problem are refused by the named forms, with both shapes.
#include <gtest/gtest.h>

#include <cmath>

#include <heed/heed.hpp>

#include "laws/support/refusal.hpp"

namespace heed {
namespace {

struct Asked {
  Problem problem;
  std::string mask{}, score{};
  Dims shape{};  ///< of table m, boolean for a mask
};

/// "" where a plan takes it, else the error. The formula is bound by text.
std::string refusal(const Asked& asked) {
  Problem problem = asked.problem;
  problem.dim = problem.value_dim = 8;
  const Tensor table(asked.mask.empty() ? DType::kF32 : DType::kBool, asked.shape);
  problem.tables = {{"m", table.view()}};
  return laws::refusal([&] {
    if (!asked.mask.empty()) problem.mask = parse(asked.mask, problem.tables);
    if (!asked.score.empty()) problem.scores = {parse(asked.score, problem.tables)};
    (void)Plan(problem);
  });
}

Problem sized(std::int64_t batch, std::int64_t heads, std::int64_t queries, std::int64_t keys) {
  return {.batch = batch, .heads = heads, .kv_heads = heads, .queries = queries, .keys = keys, .align = Align::end()};
}

void expect_refused(const Asked& asked, const std::vector<std::string>& said) {
  const std::string found = refusal(asked);
  for (const std::string& part : said)
    EXPECT_NE(found.find(part), std::string::npos) << asked.mask << asked.score << " of " << to_text(asked.shape) << ": " << found;
}

TEST(Fit, APaddingMaskIsNoDenseMask) {
  const Problem decode = sized(2, 4, 1, 20);
  expect_refused({.problem = decode, .mask = "dense(m)", .shape = {2, 20}},
                 {"table `m` does not fit the problem", "mask, dense(m)", "[Tq, Tk] = [1, 20]", "[2, 20]", "dense(m, b, k)"});
  EXPECT_EQ(refusal({.problem = decode, .mask = "padding(m)", .shape = {2, 20}}), "");
  EXPECT_EQ(refusal({.problem = decode, .mask = "dense(m, b, k)", .shape = {2, 20}}), "");
  expect_refused({.problem = decode, .mask = "padding(m)", .shape = {3, 20}}, {"[B, Tk] = [2, 20]", "[3, 20]"});
  expect_refused({.problem = decode, .mask = "padding(m)", .shape = {2, 24}}, {"[B, Tk] = [2, 20]", "[2, 24]"});
}

TEST(Fit, BatchIsNotReadAsHeads) {
  expect_refused({.problem = sized(8, 4, 10, 20), .mask = "dense(m)", .shape = {8, 10, 20}},
                 {"[Hq, Tq, Tk] = [4, 10, 20]", "[8, 10, 20]", "a table [B, Tq, Tk] is written dense(m, b, i, k)"});
  expect_refused({.problem = sized(8, 4, 10, 20), .score = "bias(m)", .shape = {8, 10, 20}}, {"score, dense(m)", "[4, 10, 20]"});
  EXPECT_EQ(refusal({.problem = sized(8, 4, 10, 20), .mask = "dense(m, b, i, k)", .shape = {8, 10, 20}}), "");
  EXPECT_EQ(refusal({.problem = sized(8, 4, 10, 20), .score = "bias(m, b, i, k)", .shape = {8, 10, 20}}), "");
  EXPECT_EQ(refusal({.problem = sized(8, 4, 10, 20), .mask = "dense(m)", .shape = {4, 10, 20}}), "");
}

TEST(Fit, AFirstAxisThatMayBeMeantInTwoWaysIsRefused) {
  expect_refused({.problem = sized(4, 4, 10, 20), .mask = "dense(m)", .shape = {4, 10, 20}},
                 {"two ways", "dense(m, h, i, k) or dense(m, b, i, k)", "B = 4 and Hq = 4"});
  expect_refused({.problem = sized(3, 4, 3, 20), .mask = "dense(m)", .shape = {3, 20}},
                 {"two ways", "dense(m, i, k) or dense(m, b, k)", "B = 3 and Tq = 3"});
  for (const char* said : {"dense(m, h, i, k)", "dense(m, b, i, k)"})
    EXPECT_EQ(refusal({.problem = sized(4, 4, 10, 20), .mask = said, .shape = {4, 10, 20}}), "");
  EXPECT_EQ(refusal({.problem = sized(4, 4, 10, 20), .mask = "dense(m)", .shape = {4, 4, 10, 20}}), "");
  EXPECT_EQ(refusal({.problem = sized(1, 1, 1, 20), .mask = "dense(m)", .shape = {1, 20}}), "");
}

TEST(Fit, LargerAndSmallerTablesAreRefused) {
  const Problem problem = sized(2, 4, 10, 20);
  for (const Dims& shape : {Dims{10, 25}, Dims{12, 20}, Dims{20, 20}, Dims{9, 20}, Dims{10, 19}, Dims{9, 4, 10, 20}, Dims{2, 8, 10, 20}}) {
    expect_refused({.problem = problem, .mask = "dense(m)", .shape = shape}, {"does not fit the problem", to_text(shape)});
    expect_refused({.problem = problem, .score = "bias(m)", .shape = shape}, {"does not fit the problem", to_text(shape)});
  }
  for (const Dims& shape :
       {Dims{10, 20}, Dims{1, 20}, Dims{10, 1}, Dims{4, 10, 20}, Dims{1, 10, 20}, Dims{2, 4, 10, 20}, Dims{1, 1, 1, 1}}) {
    EXPECT_EQ(refusal({.problem = problem, .mask = "dense(m)", .shape = shape}), "") << to_text(shape);
    EXPECT_EQ(refusal({.problem = problem, .score = "bias(m)", .shape = shape}), "") << to_text(shape);
  }
}

TEST(Fit, RowsAreNoPositions) {
  // Where the queries stand at the end, their rows still count from 0; and no alignment need be said for them.
  Problem problem = sized(1, 2, 10, 20);
  for (const Align& align : {Align::end(), Align::start(), Align::at({7}), Align{}}) {
    problem.align = align;
    EXPECT_EQ(refusal({.problem = problem, .mask = "dense(m)", .shape = {10, 20}}), "");
    EXPECT_NE(refusal({.problem = problem, .mask = "dense(m)", .shape = {20, 20}}), "");
  }
}

TEST(Fit, KeysCountFromTheFirstPosition) {
  Problem part = sized(1, 2, 10, 20);
  part.first_key = 30;
  part.align = Align::start();
  EXPECT_EQ(refusal({.problem = part, .mask = "dense(m)", .shape = {10, 50}}), "");
  expect_refused({.problem = part, .mask = "dense(m)", .shape = {10, 20}}, {"[Tq, first_key + Tk] = [10, 50]", "[10, 20]"});
}

TEST(Fit, HeadsOfScores) {
  const Problem four = sized(1, 4, 10, 20), two = sized(1, 2, 10, 20);
  const auto alibi_of = [](const Problem& given, std::int64_t heads) {
    Problem problem = given;
    problem.dim = problem.value_dim = 8;
    problem.scores = {alibi(heads)};
    return Plan(problem);
  };
  EXPECT_THROW((void)alibi_of(four, 8), Error);
  EXPECT_THROW((void)alibi_of(two, 16), Error);
  EXPECT_THROW((void)alibi_of(four, 1), Error);
  EXPECT_NO_THROW((void)alibi_of(four, 4));
  EXPECT_NO_THROW((void)alibi_of(sized(1, 1, 10, 20), 1));
  expect_refused({.problem = two, .score = "alibi(16)", .shape = {1}}, {"table `slope_16` does not fit the problem", "[Hq] = [2]", "[16]"});
  expect_refused({.problem = four, .score = "alibi(m)", .shape = {8}}, {"[Hq] = [4]", "[8]"});
  expect_refused({.problem = four, .score = "t5(m, 32, 128, true)", .shape = {8, 32}}, {"[Hq, 32] = [4, 32]", "[8, 32]"});
  expect_refused({.problem = four, .score = "relative(m, 8)", .shape = {8, 17}}, {"[Hq, 17] = [4, 17]", "[8, 17]"});
  EXPECT_EQ(refusal({.problem = four, .score = "alibi(m)", .shape = {4}}), "");
  EXPECT_EQ(refusal({.problem = four, .score = "t5(m, 32, 128, false)", .shape = {4, 32}}), "");
  EXPECT_EQ(refusal({.problem = four, .score = "relative(m, 8)", .shape = {1, 17}}), "");
}

/// In C++ a table is known by name only: its columns are checked with the plan.
TEST(Fit, ColumnsOfScoresBuiltInCpp) {
  const Tensor wide(DType::kF32, {2, 64}), right(DType::kF32, {2, 32}), odd(DType::kF32, {2, 17});
  const auto plan_of = [](const Expr& score, const Tensor& table) {
    Problem problem = sized(1, 2, 10, 20);
    problem.dim = problem.value_dim = 8;
    problem.tables = {{"m", table.view()}};
    problem.scores = {score};
    return Plan(problem);
  };
  for (const bool both : {false, true}) {
    EXPECT_THROW((void)plan_of(t5(Table("m"), 32, 128, both), wide), Error);
    EXPECT_NO_THROW((void)plan_of(t5(Table("m"), 32, 128, both), right));
  }
  EXPECT_THROW((void)plan_of(relative(Table("m"), 8), right), Error);
  EXPECT_NO_THROW((void)plan_of(relative(Table("m"), 8), odd));
}

TEST(Fit, LengthsAndGlobalPositions) {
  const Problem problem = sized(2, 1, 10, 20);
  const Tensor lengths_of_two(DType::kI64, {2}), lengths_of_three(DType::kI64, {3});
  const auto plan_of = [&](const Tensor& table) {
    Problem with = problem;
    with.dim = with.value_dim = 8;
    with.tables = {{"n", table.view()}};
    with.mask = parse("lengths(n)", with.tables);
    return Plan(with);
  };
  EXPECT_NO_THROW((void)plan_of(lengths_of_two));
  EXPECT_THROW((void)plan_of(lengths_of_three), Error);
  EXPECT_EQ(refusal({.problem = problem, .mask = "longformer(4, m)", .shape = {20}}), "");
  expect_refused({.problem = problem, .mask = "longformer(4, m)", .shape = {25}}, {"[positions] = [20]", "[25]"});
  expect_refused({.problem = problem, .mask = "longformer(4, m)", .shape = {10}}, {"[positions] = [20]", "[10]"});
  Problem beyond = sized(1, 1, 10, 4);
  beyond.align = Align::start();  // queries stand at 0..9
  EXPECT_EQ(refusal({.problem = beyond, .mask = "longformer(4, m)", .shape = {10}}), "");
}

TEST(Fit, FreeLookupsStayFree) {
  const Problem problem = sized(2, 4, 10, 20);
  for (const char* mask : {"m[i, k]", "m[q, k]", "m[h, k]", "m[b, q]"})
    EXPECT_EQ(refusal({.problem = problem, .mask = mask, .shape = {30, 40}}), "") << mask;
  expect_refused({.problem = problem, .mask = "m[i, k]", .shape = {9, 20}}, {"out of range: m[9, 0]", "visible place", "i = 9"});
}

/// Entry 1 under its own row of the padding mask, in every kernel as by hand; under that of entry 0 it would be off by 0.77.
TEST(Fit, PaddingMasksEachEntryByItsRow) {
  const float q[2 * 2] = {1, 2, -1, 0.5F}, k[2 * 3 * 2] = {0.1F, 0.2F, 1, -1, 2, 0, 0.3F, 0.4F, -1, 1, 0, 2};
  const float v[2 * 3] = {1, 2, 3, 4, 5, 6};
  const bool valid[2 * 3] = {true, true, false, false, true, true};
  Problem problem = problem_of(view(q, {2, 1, 1, 2}), view(k, {2, 1, 3, 2}), view(v, {2, 1, 3, 1}));
  problem.scale = 1;
  problem.tables = {{"valid", view(valid, {2, 3})}};
  problem.mask = parse("padding(valid)", problem.tables);
  float o[2];
  Plan(problem).run({view(q, {2, 1, 1, 2}), view(k, {2, 1, 3, 2}), view(v, {2, 1, 3, 1})}, {.o = span(o, {2, 1, 1, 1})});
  const double a = std::exp(0.5), b = std::exp(-1.0), c = std::exp(1.5), d = std::exp(1.0);
  EXPECT_NEAR(o[0], (a * 1 + b * 2) / (a + b), 1e-6);
  EXPECT_NEAR(o[1], (c * 5 + d * 6) / (c + d), 1e-6);
}

}  // namespace
}  // namespace heed
