// Expressions built in C++.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include <heed/error.hpp>

#include "formula/node.hpp"

namespace heed {
namespace {

using namespace symbols;

template <class E>
concept HasLogicalAnd = requires(const E& a) {
  a&& a;
};
template <class E>
concept HasLogicalOr = requires(const E& a) {
  a || a;
};
static_assert(!HasLogicalAnd<Expr> && !HasLogicalOr<Expr>, "&& and || promise to skip their right side");
static_assert(!std::is_constructible_v<bool, Expr>, "a tree has no truth value");

TEST(Expression, OperatorsAndFunctionsWriteThemselves) {
  const Table t("t");
  const std::vector<std::pair<Expr, std::string>> cases{
      {-q, "-q"},
      {!(q == k), "!(q == k)"},
      {q + k, "q + k"},
      {q - k, "q - k"},
      {q * k, "q * k"},
      {q / k, "q / k"},
      {q % k, "q % k"},
      {q < k, "q < k"},
      {q <= k, "q <= k"},
      {q > k, "q > k"},
      {q >= k, "q >= k"},
      {q == k, "q == k"},
      {q != k, "q != k"},
      {(q < k) & true, "q < k & true"},
      {(q < k) | false, "q < k | false"},
      {select(q < k, s, 0.0), "select(q < k, s, 0.0)"},
      {min(b, h), "min(b, h)"},
      {max(g, 1), "max(g, 1)"},
      {abs(q - k), "abs(q - k)"},
      {floor(s), "floor(s)"},
      {exp(s), "exp(s)"},
      {log(s), "log(s)"},
      {tanh(s), "tanh(s)"},
      {sigmoid(s), "sigmoid(s)"},
      {t[k], "t[k]"},
      {t(h, k - q + 128), "t[h, k - q + 128]"},
  };
  for (const auto& [expression, text] : cases) EXPECT_EQ(to_text(expression), text);
}

TEST(Expression, LiteralsKeepTheirType) {
  EXPECT_EQ(Expr(3).node().op, formula::Op::kInteger);
  EXPECT_EQ(Expr(3u).node().integer, 3);
  EXPECT_EQ(Expr(std::int8_t{-3}).node().integer, -3);
  EXPECT_EQ(Expr(INT64_MIN).node().integer, INT64_MIN);
  EXPECT_EQ(Expr(3.0).node().op, formula::Op::kReal);
  EXPECT_EQ(Expr(3.0F).node().op, formula::Op::kReal);
  EXPECT_EQ(Expr(true).node().op, formula::Op::kBoolean);
  EXPECT_THROW(Expr(std::nan("")), Error);
}

TEST(Expression, SameComparesTreesNotValues) {
  EXPECT_TRUE(same(q + 1, q + 1));
  EXPECT_TRUE(same(Expr(), Expr()));
  EXPECT_FALSE(same(Expr(), q));
  EXPECT_FALSE(same(q + 1, Expr(1) + q));
  EXPECT_FALSE(same(q + 1, q + 2));
  EXPECT_FALSE(same(q + 1, q - 1));
  EXPECT_FALSE(same(Expr(1), Expr(1.0)));
  EXPECT_FALSE(same(Expr(1), Expr(true)));
  EXPECT_FALSE(same(Expr(0.0), Expr(-0.0)));
  EXPECT_FALSE(same(Expr(-3), -Expr(3)));
  EXPECT_FALSE(same(Table("t")[q], Table("u")[q]));
  EXPECT_FALSE(same(Table("t")[q], Table("t")(q, k)));
  EXPECT_TRUE(same(Table("t")[q], Table("t", Tensor(DType::kF32, {4}))[q]));
}

TEST(Expression, SameOfDeepTreesNeedsNoStack) {
  Expr a = q;
  Expr c = q;
  for (int i = 0; i < 200'000; ++i) {
    a = a + 1;
    c = c + 1;
  }
  EXPECT_TRUE(same(a, c));
  EXPECT_FALSE(same(a, c + 1));
}

TEST(Expression, TablesNeedANameThatTextCanWrite) {
  EXPECT_THROW((void)Table("layer.0")[q], Error);
  EXPECT_THROW((void)Table("")[q], Error);
  EXPECT_THROW((void)Table("0a")[q], Error);
  EXPECT_THROW((void)Table("q")[k], Error);
  EXPECT_THROW((void)Table("select")[k], Error);
  EXPECT_THROW((void)Table("causal")[k], Error);
  EXPECT_THROW((void)Table("inf")[k], Error);
  EXPECT_THROW((void)Table("t").lookup({}), Error);
  EXPECT_EQ(to_text(Table("bias")(q, k)), "bias[q, k]");  // named scores are only called
  EXPECT_EQ(to_text(Table("_T9")[q]), "_T9[q]");
}

}  // namespace
}  // namespace heed
