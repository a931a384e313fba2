// The checker: which types every operation takes, how names and ranks are refused, what is shared, what a step depends on.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <heed/error.hpp>

#include "formula/formula.hpp"

namespace heed::formula {
namespace {

using symbols::b;
using symbols::g;
using symbols::h;
using symbols::k;
using symbols::q;
using symbols::s;

Tensor numbers(const Dims& shape, std::int64_t first = 0) {
  Tensor tensor(DType::kI64, shape);
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.data<std::int64_t>()[i] = first + i;
  return tensor;
}

Formula score_of(const std::vector<Expr>& chain, const Tables& tables = {}) {
  return Formula::score(chain, tables);
}

template <class Function>
std::string error_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string mask_error(const Expr& mask, const Tables& tables = {}) {
  return error_of([&] { (void)Formula::mask(mask, tables); });
}
std::string score_error(const std::vector<Expr>& chain, const Tables& tables = {}) {
  return error_of([&] { (void)score_of(chain, tables); });
}
std::string text_error(const std::string& text, const Tables& tables = {}) {
  return error_of([&] { (void)parse(text, tables); });
}

/// 'b', 'i' or 'r'; '.' where it is refused. x == x takes all three types and says which it was.
char type_of(Op op, const std::vector<Expr>& args) {
  const Expr whole = make(op, args);
  try {
    const Formula formula = Formula::mask(whole == whole, {});
    return name_of(formula.steps().back().operand).front();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("column "), std::string::npos) << text;
    EXPECT_EQ(text.back(), '^') << text;
    return '.';
  }
}

const std::array<Expr, 3>& of_each_type() {
  static const std::array<Expr, 3> kExamples{q < k, q + 1, exp(k)};  // boolean, integer, real
  return kExamples;
}

TEST(Check, OneOperandOfEachType) {
  const std::map<Op, std::string> rules{{Op::kNegate, ".ir"}, {Op::kNot, "b.."}, {Op::kAbs, ".ir"},  {Op::kFloor, ".ii"},
                                        {Op::kExp, ".rr"},    {Op::kLog, ".rr"}, {Op::kTanh, ".rr"}, {Op::kSigmoid, ".rr"}};
  for (const auto& [op, rule] : rules) {
    std::string found;
    for (const Expr& a : of_each_type()) found += type_of(op, {a});
    EXPECT_EQ(found, rule) << info(op).text;
  }
}

TEST(Check, TwoOperandsOfEachType) {
  const std::string arithmetic = "... .ir .rr", order = "... .bb .bb", equality = "b.. .bb .bb", logic = "b.. ... ...";
  const std::map<Op, std::string> rules{{Op::kMultiply, arithmetic}, {Op::kDivide, arithmetic},   {Op::kModulo, arithmetic},
                                        {Op::kAdd, arithmetic},      {Op::kSubtract, arithmetic}, {Op::kMin, arithmetic},
                                        {Op::kMax, arithmetic},      {Op::kLess, order},          {Op::kLessEqual, order},
                                        {Op::kGreater, order},       {Op::kGreaterEqual, order},  {Op::kEqual, equality},
                                        {Op::kNotEqual, equality},   {Op::kAnd, logic},           {Op::kOr, logic}};
  for (const auto& [op, rule] : rules) {
    std::string found;
    for (const Expr& left : of_each_type()) {
      if (!found.empty()) found += ' ';
      for (const Expr& right : of_each_type()) found += type_of(op, {left, right});
    }
    EXPECT_EQ(found, rule) << info(op).text;
  }
}

TEST(Check, SelectOfEachType) {
  for (const Expr& condition : of_each_type()) {
    std::string found;
    for (const Expr& left : of_each_type()) {
      if (!found.empty()) found += ' ';
      for (const Expr& right : of_each_type()) found += type_of(Op::kSelect, {condition, left, right});
    }
    const bool is_boolean = &condition == of_each_type().data();
    EXPECT_EQ(found, is_boolean ? "b.. .ir .rr" : "... ... ...");
  }
}

TEST(Check, EveryOperationHasARule) {
  int operations = 0;
  for (const OpInfo& op : all_ops()) operations += op.form == Form::kPrefix || op.form == Form::kInfix || op.form == Form::kFunction;
  EXPECT_EQ(operations, 8 + 15 + 1);  // the three tests above
}

TEST(Check, ErrorsPointAtTheOperand) {
  EXPECT_EQ(text_error("q + (k < 3)"),
            "column 8: `+` works on numbers, but `k < 3` is boolean (select(c, a, b) makes a number of it)\n"
            "  q + (k < 3)\n"
            "         ^");
  EXPECT_EQ(text_error("q & k < 3"),
            "column 1: an operand of `&` must be boolean, but `q` is integer\n"
            "  q & k < 3\n"
            "  ^");
  EXPECT_EQ(text_error("select(q, 1, 2)"),
            "column 8: the condition of select must be boolean, but `q` is integer\n"
            "  select(q, 1, 2)\n"
            "         ^");
  EXPECT_EQ(mask_error((q <= k) & !(k + 1)),
            "column 14: an operand of `!` must be boolean, but `k + 1` is integer\n"
            "  q <= k & !(k + 1)\n"
            "               ^");
}

TEST(Check, AMaskIsBooleanAndAScoreIsANumber) {
  EXPECT_EQ(mask_error(q - k),
            "column 3: a mask must be boolean, but `q - k` is integer\n"
            "  q - k\n"
            "    ^");
  EXPECT_EQ(score_error({s > 0.0}),
            "column 3: a score must be a number, but `s > 0.0` is boolean\n"
            "  s > 0.0\n"
            "    ^");
  EXPECT_EQ(mask_error((k <= q) & (s > 0.0)),
            "column 10: `s` is the score, and a mask is decided before any score: write a score formula instead\n"
            "  k <= q & s > 0.0\n"
            "           ^");
}

TEST(Check, TablesAreFoundByNameAndRank) {
  const Tensor line = numbers({4}), square = numbers({4, 3}), point = numbers({});
  const Tables tables{{"line", line.view()}, {"square", square.view()}, {"point", point.view()}};
  EXPECT_EQ(mask_error(Table("lin")[q] == 0, tables),
            "column 1: no table is bound to the name `lin`; bound are: line, point, square\n"
            "  lin[q] == 0\n"
            "  ^");
  EXPECT_NE(mask_error(Table("t")[q] == 0).find("bound are: none"), std::string::npos);
  EXPECT_NE(mask_error(Table("square")[q] == 0, tables).find("has rank 2 (shape [4, 3]) but is given 1 index\n"), std::string::npos);
  EXPECT_NE(mask_error(Table("line")(q, k) == 0, tables).find("has rank 1 (shape [4]) but is given 2 indices"), std::string::npos);
  EXPECT_NE(mask_error(Table("point")[q] == 0, tables).find("has no axis to look up along"), std::string::npos);
  EXPECT_NE(mask_error(Table("line")[q < k] == 0, tables).find("an index of table `line` must be integer, but `q < k` is boolean"),
            std::string::npos);
  EXPECT_NE(mask_error(Table("line")[exp(q)] == 0, tables).find("must be integer, but `exp(q)` is real"), std::string::npos);
  EXPECT_EQ(mask_error(Table("square")(q, k) == 0, tables), "accepted");
}

TEST(Check, LookupsHaveTheTypeOfTheirTable) {
  for (const DType dtype :
       {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64, DType::kI32, DType::kI16, DType::kI8, DType::kU8, DType::kBool}) {
    const Tensor table(dtype, {2});
    const Expr lookup = Table("t")[q];
    const Formula formula = Formula::mask(lookup == lookup, {{"t", table.view()}});
    const Type expected = is_real(dtype) ? Type::kReal : dtype == DType::kBool ? Type::kBoolean : Type::kInteger;
    EXPECT_EQ(formula.steps().back().operand, expected) << heed::name_of(dtype);
  }
}

int count_of_conversions(const Formula& formula) {
  return static_cast<int>(
      std::count_if(formula.steps().begin(), formula.steps().end(), [](const Step& step) { return step.kind == Step::Kind::kToReal; }));
}

TEST(Check, IntegersStepToRealWhereTheyMeetOne) {
  EXPECT_EQ(count_of_conversions(score_of({s + q * k})), 1);
  EXPECT_EQ(count_of_conversions(score_of({s * q + s / q})), 1);  // the same step twice
  EXPECT_EQ(count_of_conversions(score_of({q - k})), 1);          // a score is real
  EXPECT_EQ(count_of_conversions(score_of({s + 1.0})), 0);
  EXPECT_EQ(count_of_conversions(Formula::mask(q / 2 < k, {})), 0);
  EXPECT_EQ(count_of_conversions(Formula::mask(q < 0.5, {})), 1);
  EXPECT_EQ(count_of_conversions(score_of({select(q < k, s, q)})), 1);
}

TEST(Check, EqualPartsAreOneStep) {
  const Formula formula = Formula::mask((q - k < 4) & (q - k > 1) & ((q - k) * (q - k) != 9), {});
  std::vector<int> subtractions;
  for (std::size_t i = 0; i < formula.steps().size(); ++i) {
    if (formula.steps()[i].op == Op::kSubtract) subtractions.push_back(static_cast<int>(i));
  }
  EXPECT_EQ(subtractions.size(), 1u);
  EXPECT_EQ(score_of({s + 0.0}).steps().size(), 3u);
  EXPECT_EQ(score_of({(s + 0.0) * (s + -0.0)}).steps().size(), 6u);  // 0.0 is not -0.0
  EXPECT_EQ(score_of({s + 1 + (s + 1.0)}).steps().size(), 7u);       // nor 1 the literal 1.0
  Expr deep = q;
  for (int i = 0; i < 60; ++i) deep = deep + deep;  // 2^60 nodes as a tree
  EXPECT_EQ(Formula::mask(deep < 0, {}).steps().size(), 63u);
}

TEST(Check, ADeepTreeBuiltInCppIsRefusedNotCrashed) {
  Expr deep = k < 0;
  for (int i = 0; i < 100'000; ++i) deep = deep | (k == i);
  try {
    (void)Formula::mask(deep, {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("nested more than 5000 deep"), std::string::npos) << error.what();
  }
}

TEST(Check, StepsStandInOrderOfEvaluation) {
  const Formula formula = score_of({select(k <= q, s * exp(-abs(q - k)), s), s / 2 + h});
  for (std::size_t i = 0; i < formula.steps().size(); ++i) {
    for (const int argument : formula.steps()[i].args) EXPECT_LT(argument, static_cast<int>(i));
  }
}

TEST(Check, AChainHandsItsScoreOn) {
  const Formula chain = score_of({s * 2, Expr(), s + k, tanh(s)});
  const Formula nested = score_of({tanh(s * 2 + k)});
  for (const double similarity : {-1.5, 0.0, 0.25, 7.0}) {
    EXPECT_EQ(chain.at({.k = 3, .s = similarity}).real, std::tanh(similarity * 2 + 3));
    EXPECT_EQ(chain.at({.k = 3, .s = similarity}).real, nested.at({.k = 3, .s = similarity}).real);
  }
  EXPECT_EQ(score_of({s + 1, s + 1}).at({.s = 1}).real, 3);  // the same tree twice is two steps
  const Expr once = s + 1;
  EXPECT_EQ(score_of({once, once}).at({.s = 1}).real, 3);
  EXPECT_EQ(score_of({q, s}).at({.q = 5, .s = 1}).real, 5);
  EXPECT_NE(score_error({s, s > 1.0}).find("a score must be a number"), std::string::npos);
}

TEST(Check, EmptyFormulas) {
  const Formula mask = Formula::mask(Expr(), {});
  EXPECT_TRUE(mask.empty());
  EXPECT_EQ(mask.at({}).integer, 1);
  const Formula score = score_of({Expr(), Expr()});
  EXPECT_TRUE(score.empty());
  EXPECT_EQ(score.at({.s = -2.5}).real, -2.5);
  EXPECT_FALSE(score.mentions_query());
}

TEST(Check, OnWhatStepsDepend) {
  const Tensor table = numbers({8, 8});
  const Tables tables{{"t", table.view()}};
  const auto mask = [&](const Expr& expression) { return Formula::mask(expression, tables).depends(); };
  EXPECT_EQ(mask(true), kOnNothing);
  EXPECT_EQ(mask(q > 3), kOnQuery);
  EXPECT_EQ(mask(k > 3), kOnKey);
  EXPECT_EQ(mask(b > 3), kOnBatch);
  EXPECT_EQ(mask(h > 3), kOnHead);
  EXPECT_EQ(mask(g > 3), kOnHead);
  EXPECT_EQ(mask(Table("t")(b, k - 1) == 2), kOnBatch | kOnKey);
  EXPECT_EQ(mask(select(h < 1, q < k, true)), kOnHead | kOnQuery | kOnKey);
  EXPECT_EQ(score_of({q}).depends(), kOnQuery);
  EXPECT_EQ(score_of({s}).depends() & kOnScore, kOnScore);
  EXPECT_EQ(score_of({s, 1.0}).depends(), kOnNothing);
}

TEST(Check, WhoMentionsTheQuery) {
  EXPECT_TRUE(Formula::mask(select(k < 2, q < 5, true), {}).mentions_query());
  EXPECT_FALSE(Formula::mask(k < h, {}).mentions_query());
  EXPECT_FALSE(score_of({s * 2}).mentions_query());  // s belongs to a query, but no position is read
  EXPECT_TRUE(score_of({s + q, s * 2}).mentions_query());
}

TEST(Check, ATravellingTableIsNotTheBoundOneOfItsName) {
  const Tensor bound = numbers({4}, 100), first = numbers({4}, 200), second = numbers({4}, 300);
  const Tables tables{{"t", bound.view()}};
  const Table named("t"), travelling("t", first), another("t", second);
  const auto sum = [&](const Table& x, const Table& y, const Table& z) {
    return score_of({x[q] * 1000000 + y[q] * 1000 + z[q]}, tables).at({.q = 1}).real;
  };
  EXPECT_EQ(sum(named, travelling, another), 101201301);
  EXPECT_EQ(sum(travelling, named, another), 201101301);
  EXPECT_EQ(sum(another, travelling, named), 301201101);
  EXPECT_EQ(score_of({travelling[q] + travelling[k]}, tables).tables().size(), 1u);
  EXPECT_EQ(score_of({travelling[q]}).at({.q = 2}).real, 202);  // needs nobody to bind it
}

TEST(Check, ABoundViewOfATravellingTableKeepsItsShape) {
  const Tensor data = numbers({6});
  const TensorView square(data.view().data, DType::kI64, {2, 3}), backwards(data.view().data, DType::kI64, {2, 3}, {1, 2});
  for (const TensorView& view : {square, backwards}) {
    const Expr both = Table("t", data)[5] * 100 + Table("t")(1, 0);
    EXPECT_EQ(score_of({both}, {{"t", view}}).at({}).real, 500.0 + static_cast<double>(view.strides[0]));
  }
}

TEST(Check, ATravellingTableOutlivesItsMaker) {
  Formula formula;
  {
    const Table table("t", numbers({3}, 7));
    formula = score_of({table[q]});
  }
  EXPECT_EQ(formula.at({.q = 2}).real, 9);
}

TEST(Check, AnIndexMayNotDependOnTheScore) {
  const float values[] = {1, 2};
  const Tables tables{{"t", view(values, {2})}};
  try {
    (void)parse("s + t[select(s > 0.0, 1, 0)]", tables);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("an index of table `t` may not depend on `s`"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace heed::formula
