// Which formulas float32 lanes may hold: the usual ones are, and what float32 says otherwise than double is not. That what is accepted
// keeps the rule is held against the definition in modify_test.cpp, with the lanes themselves.
#include "formula/bounds.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace heed::formula {
namespace {

using symbols::h;
using symbols::k;
using symbols::q;
using symbols::s;

std::string fails(const Expr& expression, const Tables& tables = {}, std::int64_t last = 100000) {
  const Formula formula = Formula::score(std::span(&expression, 1), tables);
  const Over over(formula);
  std::vector<Interval> bounds(formula.steps().size());
  over.intervals({.q = {0, last}, .k = {0, last}, .b = {}, .h = {0, 3}, .g = {}}, Interval::reals(-kMostScore, kMostScore), bounds);
  return float_fails(formula, bounds, exact_in_float(formula, bounds));
}

Tensor table_of(std::initializer_list<float> values) {
  Tensor table(DType::kF32, {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), table.data<float>());
  return table;
}

TEST(FloatFails, TheUsualScoresAreProved) {
  const Tensor slope = table_of({0.5F, 0.25F, 0.125F, 0.0625F}), bias = table_of({0.1F, -9, 4, -HUGE_VALF});
  const Tables tables{{"slope", slope.view()}, {"bias", bias.view()}};
  const Expr alibi = s + Table("slope")[h] * (k - q), biased = s + Table("bias")[(q * k) % 4];
  const auto softcap = [](const Expr& of, double cap) { return cap * tanh(of / cap); };
  for (const Expr& expression : {s,
                                 s * 0.125,
                                 s / 0.7,
                                 alibi,
                                 biased,
                                 softcap(s, 50.0),
                                 softcap(s, 0.3),
                                 softcap(alibi, 30.0),
                                 softcap(s * 0.3, 30.0),
                                 softcap(s, 50.0) + Table("slope")[h] * (k - q),
                                 softcap(s, 50.0) + Table("bias")[(q * k) % 4],
                                 -abs(s),
                                 max(s, 0.1),
                                 tanh(s),
                                 exp(s),
                                 sigmoid(s),
                                 log(s),
                                 s * s,
                                 select(s > 0.5, s * 2, s),
                                 s + log(1.0 + exp(0.1 * (q - k))),
                                 s - 1e39 * select(k > q, 1, 0),
                                 s + 1.0 / (q - k),
                                 1.0 / s,
                                 s * Table("slope")[h] + 1e30}) {
    EXPECT_EQ(fails(expression, tables), "") << to_text(expression);
  }
}

TEST(FloatFails, WhatFloat32SaysOtherwiseIsRefused) {
  const std::string off = "float32 may be off by more than 2^-20", beyond = "float32 may overflow on the way";
  EXPECT_EQ(fails(s + 0.5 * k - 0.5 * q), off);
  EXPECT_EQ(fails(s + 0.5 * k - 0.5 * q, {}, 3), "");  // short distances do no harm
  EXPECT_EQ(fails(s * 3.0 - s), "");
  EXPECT_EQ(fails((s + 1000.3) - 1000.3), off);
  EXPECT_EQ(fails(exp(s * 0.1)), off);
  EXPECT_EQ(fails(log(1.0 + exp(s))), off);
  EXPECT_EQ(fails(s * 1e35 * 1e-35), beyond);
  EXPECT_EQ(fails(s * 1e-30 * 1e-30 * 1e60), beyond);
  EXPECT_EQ(fails(s * 1e39 * 1e-39), beyond);
  EXPECT_EQ(fails(log(s * 1e30)), off);  // of what may underflow
  EXPECT_EQ(fails(1.0 / (s - 0.1)), beyond);
  EXPECT_EQ(fails(select(s > 0.1, s, 0)), "a rounded number of the score decides a condition");
  EXPECT_EQ(fails(select(s * 0.3 > 0.5, s, 0)), "a rounded number of the score decides a condition");
  EXPECT_EQ(fails(s + floor(s)), "whole numbers of the score");
  EXPECT_EQ(fails(s % 2.0), "whole numbers of the score");
}

TEST(ByReciprocal, DivisionsByANumberOfTheHead) {
  const Tensor slope = table_of({0.5F, 0.25F, 0.125F, 0.0625F}), zero = table_of({0, 1, 2, 3});
  const Tables tables{{"slope", slope.view()}, {"zero", zero.view()}};
  const auto last = [&](const Expr& expression) {
    const Formula formula = Formula::score(std::span(&expression, 1), tables);
    std::vector<Interval> bounds(formula.steps().size());
    Over(formula).intervals({.q = {1, 9}, .k = {0, 9}, .b = {}, .h = {0, 3}, .g = {}}, Interval::reals(-kMostScore, kMostScore), bounds);
    return static_cast<bool>(by_reciprocal(formula, bounds)[static_cast<std::size_t>(formula.result())]);
  };
  EXPECT_TRUE(last(s / 50.0));
  EXPECT_TRUE(last(s / -0.7));
  EXPECT_TRUE(last(s / Table("slope")[h]));
  EXPECT_FALSE(last(s / Table("zero")[h]));
  EXPECT_FALSE(last(s / q));
  EXPECT_FALSE(last(s / 1e-30));
  EXPECT_FALSE(last(1.0 / s));
  EXPECT_FALSE(last(s * 50.0));
}

TEST(ExactInFloat, WhatFloat32Holds) {
  const Tensor narrow(DType::kBF16, {4}), wide(DType::kF64, {4});
  const Tables tables{{"n", narrow.view()}, {"w", wide.view()}};
  const auto exact = [&](const Expr& part, std::int64_t last) {
    const Expr expression = s + part;
    const Formula formula = Formula::score(std::span(&expression, 1), tables);
    const Over over(formula);
    std::vector<Interval> bounds(formula.steps().size());
    over.intervals({.q = {0, last}, .k = {0, last}, .b = {}, .h = {0, 3}, .g = {}}, Interval::reals(-kMostScore, kMostScore), bounds);
    const std::vector<bool> all = exact_in_float(formula, bounds);
    return static_cast<bool>(all[static_cast<std::size_t>(formula.steps()[static_cast<std::size_t>(formula.result())].args[1])]);
  };
  EXPECT_TRUE(exact(Expr(0.5), 9));
  EXPECT_FALSE(exact(Expr(0.1), 9));
  EXPECT_TRUE(exact(-q, 1 << 24));
  EXPECT_FALSE(exact(-q, (1 << 24) + 1));
  EXPECT_TRUE(exact(max(Table("n")[q], 0.5), 3));
  EXPECT_FALSE(exact(max(Table("n")[q], 0.1), 3));
  EXPECT_FALSE(exact(Table("w")[q], 3));
  EXPECT_TRUE(exact(select(q < k, Table("n")[q], 1), 3));
  EXPECT_FALSE(exact(Table("n")[q] * 2, 3));
}

}  // namespace
}  // namespace heed::formula
