#include "formula/interval.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "formula/arithmetic.hpp"

namespace heed::formula {
namespace {

__extension__ using Wide = __int128;  // products of 64-bit integers, exactly
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// Here `broken` is what the operation itself adds: operation() says whether that is the score's doing, and adds the operands'.

Interval anything_real() {
  return Interval::any(Type::kReal);
}

/// From 128-bit corner values: saturated, and broken where 64 bits may not hold a value.
Interval saturated(Wide low, Wide high) {
  Interval result;
  result.broken = low < kMin || high > kMax;
  result.low = static_cast<std::int64_t>(std::clamp<Wide>(low, kMin, kMax));
  result.high = static_cast<std::int64_t>(std::clamp<Wide>(high, kMin, kMax));
  return result;
}

Interval integer_product(const Interval& a, const Interval& b) {
  const std::array<Wide, 4> corners{static_cast<Wide>(a.low) * b.low, static_cast<Wide>(a.low) * b.high, static_cast<Wide>(a.high) * b.low,
                                    static_cast<Wide>(a.high) * b.high};
  const auto [low, high] = std::minmax_element(corners.begin(), corners.end());
  return saturated(*low, *high);
}

/// floor(a / b) for b of one sign: monotone in each operand, so the corners bound it.
Interval quotient_of_sign(const Interval& a, std::int64_t low, std::int64_t high) {
  Interval result = Interval::integers(kMax, kMin);
  for (const std::int64_t dividend : {a.low, a.high}) {
    for (const std::int64_t divisor : {low, high}) {
      std::int64_t value = 0;
      if (divide(dividend, divisor, value)) {
        result.broken = true;  // INT64_MIN / -1
        value = kMax;
      }
      result.low = std::min(result.low, value);
      result.high = std::max(result.high, value);
    }
  }
  return result;
}

Interval integer_quotient(const Interval& a, const Interval& b) {
  Interval result;
  bool have = false;
  const auto take = [&](std::int64_t low, std::int64_t high) {
    if (low > high) return;
    const Interval part = quotient_of_sign(a, low, high);
    result = have ? join(result, part) : part;
    have = true;
  };
  take(std::max<std::int64_t>(b.low, 1), b.high);
  take(b.low, std::min<std::int64_t>(b.high, -1));
  result.broken |= b.low <= 0 && b.high >= 0;
  return result;
}

Interval integer_modulo(const Interval& a, const Interval& b) {
  Interval result;
  result.broken = b.low <= 0 && b.high >= 0;
  if (b.low == b.high && b.low != 0) {
    std::int64_t first = 0, last = 0, low = 0, high = 0;
    const bool odd = divide(a.low, b.low, first) || divide(a.high, b.low, last);
    if (!odd && first == last && !modulo(a.low, b.low, low) && !modulo(a.high, b.low, high)) {
      result.low = low;
      result.high = high;
      return result;
    }
  }
  // The sign of the divisor, below it in size; a dividend already between 0 and every divisor stays itself.
  if (a.low >= 0 && b.low > 0 && a.high < b.low) {
    result.low = a.low;
    result.high = a.high;
    return result;
  }
  result.high = b.high > 0 ? b.high - 1 : 0;
  result.low = b.low < 0 ? b.low + 1 : 0;
  return result;
}

Interval integer_operation(Op op, const Interval& a, const Interval& b) {
  switch (op) {
    case Op::kNegate:
      return saturated(-static_cast<Wide>(a.high), -static_cast<Wide>(a.low));
    case Op::kAdd:
      return saturated(static_cast<Wide>(a.low) + b.low, static_cast<Wide>(a.high) + b.high);
    case Op::kSubtract:
      return saturated(static_cast<Wide>(a.low) - b.high, static_cast<Wide>(a.high) - b.low);
    case Op::kMultiply:
      return integer_product(a, b);
    case Op::kDivide:
      return integer_quotient(a, b);
    case Op::kModulo:
      return integer_modulo(a, b);
    case Op::kMin:
      return saturated(std::min(a.low, b.low), std::min(a.high, b.high));
    case Op::kMax:
      return saturated(std::max(a.low, b.low), std::max(a.high, b.high));
    case Op::kAbs: {
      const Wide low = a.low, high = a.high;
      const Wide largest = std::max(low < 0 ? -low : low, high < 0 ? -high : high);
      return saturated(low <= 0 && high >= 0 ? Wide{0} : std::min(low < 0 ? -low : low, high < 0 ? -high : high), largest);
    }
    default:
      return saturated(a.low, a.high);
  }
}

/// Bounds from corner values; NaN among them (inf - inf, 0 * inf, …) means anything.
Interval hull(std::span<const double> corners, bool nan) {
  Interval result = Interval::reals(kInf, -kInf);
  for (const double corner : corners) {
    if (std::isnan(corner)) return anything_real();
    result.real_low = std::min(result.real_low, corner);
    result.real_high = std::max(result.real_high, corner);
  }
  result.nan = nan;
  return result;
}

double down(double value) {
  return std::nextafter(std::nextafter(value, -kInf), -kInf);
}
double up(double value) {
  return std::nextafter(std::nextafter(value, kInf), kInf);
}

/// An increasing function from libm, widened by two units in the last place and kept within its range.
Interval increasing(double (*function)(double), const Interval& a, double least, double most) {
  Interval result = Interval::reals(std::max(least, down(function(a.real_low))), std::min(most, up(function(a.real_high))));
  result.nan = a.nan;
  return result;
}

bool has_infinity(const Interval& a) {
  return std::isinf(a.real_low) || std::isinf(a.real_high);
}
bool has_zero(const Interval& a) {
  return a.real_low <= 0 && a.real_high >= 0;
}

Interval real_operation(Op op, const Interval& a, const Interval& b) {
  const bool nan = a.nan || b.nan;
  switch (op) {
    case Op::kNegate:
      return hull(std::array{-a.real_high, -a.real_low}, nan);
    case Op::kAdd: {
      const bool clash = (a.real_high == kInf && b.real_low == -kInf) || (a.real_low == -kInf && b.real_high == kInf);
      return hull(std::array{a.real_low + b.real_low, a.real_high + b.real_high}, nan || clash);
    }
    case Op::kSubtract: {
      const bool clash = (a.real_high == kInf && b.real_high == kInf) || (a.real_low == -kInf && b.real_low == -kInf);
      return hull(std::array{a.real_low - b.real_high, a.real_high - b.real_low}, nan || clash);
    }
    case Op::kMultiply: {
      const bool clash = (has_zero(a) && has_infinity(b)) || (has_zero(b) && has_infinity(a));
      if (clash) return anything_real();
      return hull(std::array{a.real_low * b.real_low, a.real_low * b.real_high, a.real_high * b.real_low, a.real_high * b.real_high}, nan);
    }
    case Op::kDivide:
      if (has_zero(b) || (has_infinity(a) && has_infinity(b))) return anything_real();
      return hull(std::array{a.real_low / b.real_low, a.real_low / b.real_high, a.real_high / b.real_low, a.real_high / b.real_high}, nan);
    case Op::kModulo:
      return anything_real();
    case Op::kMin:
      return hull(std::array{std::min(a.real_low, b.real_low), std::min(a.real_high, b.real_high)}, nan);
    case Op::kMax:
      return hull(std::array{std::max(a.real_low, b.real_low), std::max(a.real_high, b.real_high)}, nan);
    case Op::kAbs: {
      const double low = std::fabs(a.real_low), high = std::fabs(a.real_high);
      return hull(std::array{has_zero(a) ? 0.0 : std::min(low, high), std::max(low, high)}, nan);
    }
    case Op::kExp:
      return increasing(std::exp, a, 0, kInf);
    case Op::kLog:
      if (a.real_low < 0) return anything_real();
      return increasing(std::log, a, -kInf, kInf);
    case Op::kTanh:
      return increasing(std::tanh, a, -1, 1);
    default:
      return increasing([](double x) { return 1.0 / (1.0 + std::exp(-x)); }, a, 0, 1);
  }
}

/// -1: never, 0: perhaps, 1: always. `a` and `b` are bounds as values of one ordered type.
template <class T>
int compare(Op op, T a_low, T a_high, T b_low, T b_high) {
  const auto decide = [](bool always, bool never) { return always ? 1 : never ? -1 : 0; };
  switch (op) {
    case Op::kLess:
      return decide(a_high < b_low, a_low >= b_high);
    case Op::kLessEqual:
      return decide(a_high <= b_low, a_low > b_high);
    case Op::kGreater:
      return decide(a_low > b_high, a_high <= b_low);
    case Op::kGreaterEqual:
      return decide(a_low >= b_high, a_high < b_low);
    case Op::kEqual:
      return decide(a_low == a_high && b_low == b_high && a_low == b_low, a_high < b_low || b_high < a_low);
    default:
      return -compare(Op::kEqual, a_low, a_high, b_low, b_high);
  }
}

Interval comparison(const Step& step, const Interval& a, const Interval& b) {
  const bool real = step.operand == Type::kReal;
  int answer = real ? compare(step.op, a.real_low, a.real_high, b.real_low, b.real_high) : compare(step.op, a.low, a.high, b.low, b.high);
  // A NaN makes every comparison false but !=, which it makes true.
  if (real && (a.nan || b.nan) && answer == (step.op == Op::kNotEqual ? -1 : 1)) answer = 0;
  return Interval::integers(answer > 0 ? 1 : 0, answer < 0 ? 0 : 1);
}

/// A definite operand (0 for &, 1 for |) decides whatever the other one is, even broken. One that only the score can break either
/// decides or makes the row NaN: what the other side lacks is then of no account.
Interval logic(Op op, const Interval& a, const Interval& b) {
  const bool is_or = op == Op::kOr;
  const auto decides = [&](const Interval& side) { return !side.broken && (is_or ? side.low == 1 : side.high == 0); };
  const bool decided = decides(a) || decides(b);
  Interval result = is_or ? Interval::integers(std::max(a.low, b.low), std::max(a.high, b.high))
                          : Interval::integers(std::min(a.low, b.low), std::min(a.high, b.high));
  if (decided) result = Interval::integers(is_or, is_or);
  result.broken = !decided && (a.broken || b.broken);
  const bool surely = (decides(a) && !a.broken_by_score) || (decides(b) && !b.broken_by_score);
  result.broken_by_score = !surely && (a.broken_by_score || b.broken_by_score);
  return result;
}

/// The branch that is chosen, or both where the condition leaves that open; the condition must have a value itself.
Interval choice(const Interval& condition, const Interval& a, const Interval& b) {
  Interval result = condition.low == 1 ? a : condition.high == 0 ? b : join(a, b);
  result.broken |= condition.broken;
  result.broken_by_score |= condition.broken_by_score;
  return result;
}

Interval floor_of(const Interval& a) {
  const double low = std::floor(a.real_low), high = std::floor(a.real_high);
  const bool fits = low >= -0x1p63 && high < 0x1p63;
  if (!fits || a.nan) return {.low = kMin, .high = kMax, .broken = true};
  return Interval::integers(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high));
}

/// The operation alone, of operands that have values.
Interval of_values(const Step& step, const Interval& a, const Interval& b) {
  if (step.kind == Step::Kind::kToReal) return Interval::reals(static_cast<double>(a.low), static_cast<double>(a.high));
  if (step.op == Op::kNot) return Interval::integers(1 - a.high, 1 - a.low);
  if (is_comparison(step.op)) return comparison(step, a, b);
  if (step.operand != Type::kReal) return integer_operation(step.op, a, b);
  return step.op == Op::kFloor ? floor_of(a) : real_operation(step.op, a, b);
}

}  // namespace

Interval Interval::any(Type type) {
  switch (type) {
    case Type::kBoolean:
      return integers(0, 1);
    case Type::kInteger:
      return integers(kMin, kMax);
    case Type::kReal:
      break;
  }
  Interval result = reals(-kInf, kInf);
  result.nan = true;
  return result;
}

Interval join(const Interval& a, const Interval& b) {
  return {.low = std::min(a.low, b.low),
          .high = std::max(a.high, b.high),
          .real_low = std::min(a.real_low, b.real_low),
          .real_high = std::max(a.real_high, b.real_high),
          .nan = a.nan || b.nan,
          .broken = a.broken || b.broken,
          .broken_by_score = a.broken_by_score || b.broken_by_score};
}

Interval bounds_of(const Step& step, std::span<const Interval> steps, Conditions conditions) {
  const Interval& a = steps[static_cast<std::size_t>(step.args[0])];
  const Interval none{};
  const Interval& b = step.args[1] >= 0 ? steps[static_cast<std::size_t>(step.args[1])] : none;
  if (step.kind == Step::Kind::kOperation) {
    if (step.op == Op::kAnd || step.op == Op::kOr) return logic(step.op, a, b);
    if (step.op == Op::kSelect) return choice(a, b, steps[static_cast<std::size_t>(step.args[2])]);
  }
  Interval result = of_values(step, a, b);
  const bool open = conditions == Conditions::kOpenWithScore && step.kind == Step::Kind::kOperation && is_comparison(step.op) &&
                    step.operand != Type::kBoolean && reads_score(step);
  if (open) result = Interval::any(Type::kBoolean);
  result.broken_by_score = a.broken_by_score || b.broken_by_score || (result.broken && reads_score(step));
  result.broken = a.broken || b.broken || (result.broken && !reads_score(step));
  return result;
}

}  // namespace heed::formula
