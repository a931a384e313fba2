// Canonical text: parentheses, numbers, limits, marks. That parse() reads it back to an equal tree: parse_test.cpp.
#include "formula/print.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace heed::formula {
namespace {

using namespace symbols;

TEST(Print, ParenthesesOnlyWhereTheyChangeTheTree) {
  const std::vector<std::pair<Expr, std::string>> cases{
      {(q - k) - b, "q - k - b"},
      {q - (k - b), "q - (k - b)"},
      {q + (k + b), "q + (k + b)"},
      {(q + k) * b, "(q + k) * b"},
      {q + k * b, "q + k * b"},
      {q * k / b, "q * k / b"},
      {q * (k / b), "q * (k / b)"},
      {-(q + k), "-(q + k)"},
      {(-q) + k, "-q + k"},
      {-(q * k), "-(q * k)"},
      {(-q) * k, "-q * k"},
      {-(-q), "--q"},
      {!(!(q < k)), "!!(q < k)"},
      {(k <= q) & (q - k < 4), "k <= q & q - k < 4"},
      {(k <= q) & ((k < 4) | (q - k < 4)), "k <= q & (k < 4 | q - k < 4)"},
      {((k <= q) & (k < 4)) | (q == k), "k <= q & k < 4 | q == k"},
      {(q < k) == (k < q), "(q < k) == (k < q)"},
      {(q == k) == true, "(q == k) == true"},
      {Expr(true) != (q == k), "true != (q == k)"},
      {select(q < k, q + 1, -k), "select(q < k, q + 1, -k)"},
      {Table("t")((q + k) * 2, -k), "t[(q + k) * 2, -k]"},
      {Table("t")[Table("t")[q]], "t[t[q]]"},
  };
  for (const auto& [expression, text] : cases) EXPECT_EQ(to_text(expression), text);
}

TEST(Print, NegativeLiteralsAndNegationsDiffer) {
  EXPECT_EQ(to_text(Expr(-3)), "-3");
  EXPECT_EQ(to_text(-Expr(3)), "-(3)");
  EXPECT_EQ(to_text(-Expr(-3)), "-(-3)");
  EXPECT_EQ(to_text(-Expr(1.5)), "-(1.5)");
  EXPECT_EQ(to_text(q - -3), "q - -3");
  EXPECT_EQ(to_text(Expr(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(to_text(-Expr(INT64_MIN)), "-(-9223372036854775808)");
}

TEST(Print, RealsLookRealAndKeepTheirBits) {
  const std::vector<std::pair<double, std::string>> cases{
      {1.0, "1.0"},
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1e-05, "1e-05"},
      {0.1, "0.1"},
      {1.0 / 3.0, "0.3333333333333333"},
      {1e22, "1e+22"},
      {9007199254740993.0, "9007199254740992.0"},
      {HUGE_VAL, "inf"},
      {-HUGE_VAL, "-inf"},
      {std::numeric_limits<double>::denorm_min(), "5e-324"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(real_text(value), text);
}

TEST(Print, TheEmptyExpressionIsEmptyText) {
  EXPECT_EQ(to_text(Expr()), "");
}

TEST(Print, CountsNodesAndLevels) {
  EXPECT_EQ(write(q + 1).nodes, 3);
  EXPECT_EQ(write(q + 1).nesting, 0);
  EXPECT_EQ(write(-(q + 1)).nesting, 2);
  EXPECT_EQ(write(min(abs(q), k)).nesting, 2);
  EXPECT_EQ(write(Table("t")[(q + 1) * 2]).nesting, 2);
  EXPECT_EQ(write(Expr(-3)).nesting, 0);
}

TEST(Print, DeepTreesNeedNoStackAndEndInDots) {
  Expr left = q;
  Expr right = q;
  for (int i = 0; i < 100'000; ++i) {
    left = left + 1;
    right = -right;
  }
  for (const Expr& deep : {left, right}) {
    const Written written = write(deep);
    EXPECT_EQ(written.nodes, kMaxNodes + 1);
    EXPECT_EQ(written.text.substr(written.text.size() - 3), "...");
  }
}

TEST(Print, SharedPartsDoNotExplode) {
  Expr doubling = q;
  for (int i = 0; i < 60; ++i) doubling = doubling + doubling;  // 2^60 nodes when written
  EXPECT_EQ(write(doubling).nodes, kMaxNodes + 1);
}

TEST(Print, FindsTheColumnOfANode) {
  const Expr part = q - k;
  const Expr index = Table("t")[part];
  const Expr literal = 12;
  const Expr whole = (k <= q) & (index < literal);
  EXPECT_EQ(write(whole).text, "k <= q & t[q - k] < 12");
  EXPECT_EQ(write(whole, &whole.node()).column, 8);
  EXPECT_EQ(write(whole, &index.node()).column, 10);
  EXPECT_EQ(write(whole, &part.node()).column, 14);
  EXPECT_EQ(write(whole, &literal.node()).column, 21);
  EXPECT_EQ(write(whole, &s.node()).column, 0);
}

}  // namespace
}  // namespace heed::formula
