// at(place), the definition: every operation on single values, what has no value, and who forgives it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/dtype.hpp"
#include "formula/formula.hpp"

namespace heed::formula {
namespace {

using symbols::k;
using symbols::q;
using symbols::s;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr double kInf = std::numeric_limits<double>::infinity();

Formula integer(const Expr& expression, const Tables& tables = {}) {
  return Formula::mask(expression == 0, tables);
}

/// The integer value at (q, k), and whether there is one: asked of the step below the comparison with 0.
Value value_of(const Expr& expression, std::int64_t at_q = 0, std::int64_t at_k = 0, const Tables& tables = {}) {
  const Formula formula = integer(expression, tables);
  std::vector<Value> values(formula.steps().size());
  (void)formula.at({.q = at_q, .k = at_k}, values);
  return values[static_cast<std::size_t>(formula.steps().back().args[0])];
}

double real_of(const Expr& expression, double at_s = 0, std::int64_t at_q = 0) {
  const Value value = Formula::score(std::span(&expression, 1), {}).at({.q = at_q, .s = at_s});
  EXPECT_LT(value.broken, 0) << to_text(expression);
  return value.real;
}

/// Why the mask has no value; "" if it has one.
std::string fault(const Expr& mask, const Place& place = {}, const Tables& tables = {}) {
  const Formula formula = Formula::mask(mask, tables);
  std::vector<Value> values(formula.steps().size());
  const Value value = formula.at(place, values);
  return value.broken < 0 ? "" : formula.describe(value.broken, values);
}

TEST(At, DivisionAndRemainderRoundTowardMinusInfinity) {
  for (std::int64_t a = -20; a <= 20; ++a) {
    for (std::int64_t b = -7; b <= 7; ++b) {
      const Value quotient = value_of(q / k, a, b), remainder = value_of(q % k, a, b);
      if (b == 0) {
        EXPECT_GE(quotient.broken, 0);
        EXPECT_GE(remainder.broken, 0);
        continue;
      }
      EXPECT_EQ(quotient.integer, static_cast<std::int64_t>(std::floor(static_cast<double>(a) / static_cast<double>(b)))) << a << "/" << b;
      EXPECT_EQ(remainder.integer, a - b * quotient.integer) << a << "%" << b;
      EXPECT_TRUE(remainder.integer == 0 || (remainder.integer < 0) == (b < 0)) << a << "%" << b;
    }
  }
}

TEST(At, TheEndsOfTheIntegers) {
  EXPECT_GE(value_of(q / k, kMin, -1).broken, 0);
  EXPECT_EQ(value_of(q % k, kMin, -1).integer, 0);
  EXPECT_LT(value_of(q % k, kMin, -1).broken, 0);
  EXPECT_EQ(value_of(q / k, kMin, 2).integer, kMin / 2);
  EXPECT_EQ(value_of(q / k, kMin, kMax).integer, -2);
  EXPECT_EQ(value_of(q % k, kMin, kMax).integer, kMax - 1);
  EXPECT_EQ(value_of(q % k, kMax, kMin).integer, -1);
  EXPECT_EQ(value_of(q / k, kMax, kMin).integer, -1);
  EXPECT_GE(value_of(-q, kMin).broken, 0);
  EXPECT_EQ(value_of(-q, kMax).integer, -kMax);
  EXPECT_GE(value_of(abs(q), kMin).broken, 0);
  EXPECT_GE(value_of(q + 1, kMax).broken, 0);
  EXPECT_GE(value_of(q - 1, kMin).broken, 0);
  EXPECT_GE(value_of(q * 2, kMax / 2 + 1).broken, 0);
  EXPECT_EQ(value_of(q * 2, kMin / 2).integer, kMin);
  EXPECT_EQ(value_of(min(q, k), kMin, kMax).integer, kMin);
  EXPECT_EQ(value_of(max(q, k), kMin, kMax).integer, kMax);
  EXPECT_EQ(value_of(floor(q), kMin).integer, kMin);
}

TEST(At, RealDivisionAndRemainder) {
  EXPECT_EQ(real_of(s / 2, 7), 3.5);
  EXPECT_EQ(real_of(7 / s, 0), kInf);
  EXPECT_EQ(real_of(-7 / s, 0), -kInf);
  EXPECT_TRUE(std::isnan(real_of(0 / s, 0)));
  for (const double a : {5.5, -5.5, 6.0, -6.0, 0.25}) {
    for (const double b : {2.0, -2.0, 0.75, -0.75}) EXPECT_EQ(real_of(s % b, a), a - b * std::floor(a / b)) << a << " " << b;
  }
  EXPECT_TRUE(std::isnan(real_of(s % 0.0, 3)));
  EXPECT_TRUE(std::isnan(real_of(s % 2.0, kInf)));
}

TEST(At, FunctionsOfReals) {
  const double nan = std::nan("");
  EXPECT_EQ(real_of(exp(s), -kInf), 0);
  EXPECT_EQ(real_of(log(s), 0), -kInf);
  EXPECT_TRUE(std::isnan(real_of(log(s), -1)));
  EXPECT_EQ(real_of(tanh(s), -kInf), -1);
  EXPECT_EQ(real_of(sigmoid(s), -kInf), 0);
  EXPECT_EQ(real_of(sigmoid(s), kInf), 1);
  EXPECT_EQ(real_of(sigmoid(s), 0), 0.5);
  EXPECT_EQ(real_of(abs(s), -2.5), 2.5);
  EXPECT_EQ(real_of(-s, -2.5), 2.5);
  for (const Expr& f : {exp(s), log(s), tanh(s), sigmoid(s), abs(s), -s, s + 1, s * 0, min(s, 1), max(1, s), min(1, s), max(s, 1)}) {
    EXPECT_TRUE(std::isnan(real_of(f, nan))) << to_text(f);
  }
}

TEST(At, NaNMakesEveryComparisonFalseButNotEqual) {
  const double nan = std::nan("");
  for (const Expr& c : {s<1, s <= 1, s> 1, s >= 1, s == 1, s == s, 1 < s, 1 == s})
    EXPECT_EQ(real_of(select(c, 1, 0), nan), 0) << to_text(c);
  for (const Expr& c : {s != 1, s != s}) EXPECT_EQ(real_of(select(c, 1, 0), nan), 1) << to_text(c);
}

TEST(At, ComparisonsAndLogic) {
  for (const std::int64_t a : {kMin, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMax}) {
    for (const std::int64_t b : {kMin, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMax}) {
      const auto holds = [&](const Expr& c) { return Formula::mask(c, {}).at({.q = a, .k = b}).integer != 0; };
      EXPECT_EQ(holds(q < k), a < b);
      EXPECT_EQ(holds(q <= k), a <= b);
      EXPECT_EQ(holds(q > k), a > b);
      EXPECT_EQ(holds(q >= k), a >= b);
      EXPECT_EQ(holds(q == k), a == b);
      EXPECT_EQ(holds(q != k), a != b);
      EXPECT_EQ(holds((q < k) == (k < 0)), (a < b) == (b < 0));
      EXPECT_EQ(holds((q < k) != (k < 0)), (a < b) != (b < 0));
      EXPECT_EQ(holds((!(q < k)) & (k < 1)), !(a < b) && b < 1);
      EXPECT_EQ(holds((!(q < k)) | (k < 1)), !(a < b) || b < 1);
      EXPECT_EQ(holds(select(q < k, k < 1, q < 1)), a < b ? b < 1 : a < 1);
    }
  }
}

TEST(At, FloorMakesAnIntegerOrNone) {
  EXPECT_EQ(real_of(floor(s), -0.5), -1);
  EXPECT_EQ(real_of(floor(s), 2.0), 2);
  EXPECT_EQ(real_of(floor(s), -0x1p63), -0x1p63);
  for (const double none : {0x1p63, kInf, -kInf, std::nan(""), -0x1.0000000000001p63}) {
    const Expr expression = floor(s);
    EXPECT_GE(Formula::score(std::span(&expression, 1), {}).at({.s = none}).broken, 0) << none;
  }
}

TEST(At, IntegersBecomeRealByRoundingToNearest) {
  EXPECT_EQ(real_of(q + 0.0, 0, (std::int64_t{1} << 53) + 1), 0x1p53);
  EXPECT_EQ(real_of(q, 0, kMin), -0x1p63);
}

template <class T>
void expect_lookups(DType dtype, const std::function<T(int)>& element, const std::function<double(int)>& value) {
  Tensor store(dtype, {2, 3});
  for (int i = 0; i < 6; ++i) store.data<T>()[i] = element(i);
  const TensorView transposed(store.view().data, dtype, {3, 2}, {1, 3});
  const TensorView reversed(store.data<T>() + 5, dtype, {2, 3}, {-3, -1});
  const TensorView repeated(store.view().data, dtype, {2, 3}, {0, 1});
  const std::pair<TensorView, std::function<int(int, int)>> views[] = {{store.view(), [](int i, int j) { return 3 * i + j; }},
                                                                       {transposed, [](int i, int j) { return i + 3 * j; }},
                                                                       {reversed, [](int i, int j) { return 5 - 3 * i - j; }},
                                                                       {repeated, [](int, int j) { return j; }}};
  for (const auto& [view, place] : views) {
    Expr lookup = Table("t")(q, k);
    if (dtype == DType::kBool) lookup = select(lookup, 1, 0);
    const Formula formula = Formula::score(std::span(&lookup, 1), {{"t", view}});
    for (int i = 0; i < view.shape[0]; ++i) {
      for (int j = 0; j < view.shape[1]; ++j) EXPECT_EQ(formula.at({.q = i, .k = j}).real, value(place(i, j))) << heed::name_of(dtype);
    }
  }
}

TEST(At, LookupsOfEveryTypeAndStride) {
  const auto whole = [](int i) { return i * 7.0 - 20; };
  const auto half = [](int i) { return i * 0.5 - 1; };
  expect_lookups<double>(
      DType::kF64, [&](int i) { return half(i); }, half);
  expect_lookups<float>(
      DType::kF32, [&](int i) { return static_cast<float>(half(i)); }, half);
  expect_lookups<f16>(
      DType::kF16, [&](int i) { return f16_from(half(i)); }, half);
  expect_lookups<bf16>(
      DType::kBF16, [&](int i) { return bf16_from(half(i)); }, half);
  expect_lookups<std::int64_t>(
      DType::kI64, [&](int i) { return static_cast<std::int64_t>(whole(i)); }, whole);
  expect_lookups<std::int32_t>(
      DType::kI32, [&](int i) { return static_cast<std::int32_t>(whole(i)); }, whole);
  expect_lookups<std::int16_t>(
      DType::kI16, [&](int i) { return static_cast<std::int16_t>(whole(i)); }, whole);
  expect_lookups<std::int8_t>(
      DType::kI8, [&](int i) { return static_cast<std::int8_t>(whole(i)); }, whole);
  expect_lookups<std::uint8_t>(
      DType::kU8, [&](int i) { return static_cast<std::uint8_t>(i + 250); }, [](int i) { return i + 250.0; });
  expect_lookups<std::uint8_t>(
      DType::kBool, [](int i) { return static_cast<std::uint8_t>(i % 2 * 2); }, [](int i) { return i % 2 * 1.0; });
}

struct Broken : testing::Test {
  Broken() {
    for (int i = 0; i < 4; ++i) data.data<std::int64_t>()[i] = i;
    tables = {{"t", data.view()}, {"none", nothing.view()}};
  }
  Tensor data{DType::kI64, {4}}, nothing{DType::kI64, {0}};
  Tables tables;
  const Table t{"t"};
};

TEST_F(Broken, Describes) {
  EXPECT_EQ(fault(t[q] == 0, {.q = 4}, tables), "lookup out of range: t[4] in a table of shape [4]");
  EXPECT_EQ(fault(t[q] == 0, {.q = -1}, tables), "lookup out of range: t[-1] in a table of shape [4]");
  EXPECT_EQ(fault(Table("none")[q] == 0, {}, tables), "lookup out of range: none[0] in a table of shape [0]");
  EXPECT_EQ(fault(t[t[q] * 2] == 0, {.q = 3}, tables), "lookup out of range: t[6] in a table of shape [4]");
  EXPECT_EQ(fault(k / q == 0), "integer division by zero in `/`");
  EXPECT_EQ(fault(k % q == 0), "integer division by zero in `%`");
  EXPECT_EQ(fault(k / q == 0, {.q = -1, .k = kMin}), "integer overflow in `/`");
  EXPECT_EQ(fault(q * k == 0, {.q = kMax, .k = 2}), "integer overflow in `*`");
  EXPECT_EQ(fault(-q == 0, {.q = kMin}), "integer overflow in `-`");
  EXPECT_EQ(fault(abs(q) == 0, {.q = kMin}), "integer overflow in `abs`");
  EXPECT_EQ(fault(floor(log(q)) == 0), "floor of a number that no 64-bit integer can hold");
}

TEST_F(Broken, EverythingThatUsesItIsBroken) {
  const Expr out = t[9];
  for (const Expr& mask : {out < 1, out + 1 < 1, 1.0 + out < 1, !(out < 1), (out < 1) == true, select(out < 1, true, true), abs(-out) < 1,
                           min(out, 0) < 1, t[out] < 1, floor(out) < 1, exp(out) < 1, out * 0 == 0, out == out}) {
    EXPECT_EQ(fault(mask, {}, tables), "lookup out of range: t[9] in a table of shape [4]") << to_text(mask);
  }
}

TEST_F(Broken, DecidedLogicForgives) {
  const Expr out = t[9] < 1;
  const auto value = [&](const Expr& mask) {
    const Value found = Formula::mask(mask, tables).at({});
    return found.broken >= 0 ? -1 : static_cast<int>(found.integer);
  };
  EXPECT_EQ(value(out & false), 0);
  EXPECT_EQ(value(false & out), 0);
  EXPECT_EQ(value(out & true), -1);
  EXPECT_EQ(value(true & out), -1);
  EXPECT_EQ(value(out | true), 1);
  EXPECT_EQ(value(true | out), 1);
  EXPECT_EQ(value(out | false), -1);
  EXPECT_EQ(value(out & out), -1);
  EXPECT_EQ(value((out & false) | true), 1);
  EXPECT_EQ(value(select(q == 0, true, out)), 1);
  EXPECT_EQ(value(select(q == 0, out, true)), -1);
  EXPECT_EQ(value(select(q == 1, out, false)), 0);
}

TEST_F(Broken, TheFirstFaultIsTheOneTold) {
  EXPECT_EQ(fault((k / q == 0) & (t[9] == 0), {}, tables), "integer division by zero in `/`");
  EXPECT_EQ(fault(t[k / q] + t[9] == 0, {}, tables), "integer division by zero in `/`");
}

}  // namespace
}  // namespace heed::formula
