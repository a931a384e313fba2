#include "formula/over.hpp"

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

Interval anything_real(bool broken) {
  Interval result = Interval::any(Type::kReal);
  result.broken = broken;
  return result;
}

/// From 128-bit corner values: saturated, and broken where 64 bits may not hold a value.
Interval saturated(Wide low, Wide high, bool broken) {
  Interval result;
  result.broken = broken || low < kMin || high > kMax;
  result.low = static_cast<std::int64_t>(std::clamp<Wide>(low, kMin, kMax));
  result.high = static_cast<std::int64_t>(std::clamp<Wide>(high, kMin, kMax));
  return result;
}

Interval integer_product(const Interval& a, const Interval& b, bool broken) {
  const std::array<Wide, 4> corners{static_cast<Wide>(a.low) * b.low, static_cast<Wide>(a.low) * b.high, static_cast<Wide>(a.high) * b.low,
                                    static_cast<Wide>(a.high) * b.high};
  const auto [low, high] = std::minmax_element(corners.begin(), corners.end());
  return saturated(*low, *high, broken);
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

Interval join(const Interval& a, const Interval& b) {
  return {.low = std::min(a.low, b.low),
          .high = std::max(a.high, b.high),
          .real_low = std::min(a.real_low, b.real_low),
          .real_high = std::max(a.real_high, b.real_high),
          .nan = a.nan || b.nan,
          .broken = a.broken || b.broken};
}

Interval integer_quotient(const Interval& a, const Interval& b, bool broken) {
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
  result.broken |= broken || (b.low <= 0 && b.high >= 0);
  return result;
}

Interval integer_modulo(const Interval& a, const Interval& b, bool broken) {
  Interval result;
  result.broken = broken || (b.low <= 0 && b.high >= 0);
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

Interval integer_operation(Op op, const Interval& a, const Interval& b, bool broken) {
  switch (op) {
    case Op::kNegate:
      return saturated(-static_cast<Wide>(a.high), -static_cast<Wide>(a.low), broken);
    case Op::kAdd:
      return saturated(static_cast<Wide>(a.low) + b.low, static_cast<Wide>(a.high) + b.high, broken);
    case Op::kSubtract:
      return saturated(static_cast<Wide>(a.low) - b.high, static_cast<Wide>(a.high) - b.low, broken);
    case Op::kMultiply:
      return integer_product(a, b, broken);
    case Op::kDivide:
      return integer_quotient(a, b, broken);
    case Op::kModulo:
      return integer_modulo(a, b, broken);
    case Op::kMin:
      return saturated(std::min(a.low, b.low), std::min(a.high, b.high), broken);
    case Op::kMax:
      return saturated(std::max(a.low, b.low), std::max(a.high, b.high), broken);
    case Op::kAbs: {
      const Wide low = a.low, high = a.high;
      const Wide largest = std::max(low < 0 ? -low : low, high < 0 ? -high : high);
      return saturated(low <= 0 && high >= 0 ? Wide{0} : std::min(low < 0 ? -low : low, high < 0 ? -high : high), largest, broken);
    }
    default:
      return saturated(a.low, a.high, broken);
  }
}

/// Bounds from corner values; NaN among them (inf - inf, 0 * inf, …) means anything.
Interval hull(std::span<const double> corners, bool nan, bool broken) {
  Interval result = Interval::reals(kInf, -kInf);
  for (const double corner : corners) {
    if (std::isnan(corner)) return anything_real(broken);
    result.real_low = std::min(result.real_low, corner);
    result.real_high = std::max(result.real_high, corner);
  }
  result.nan = nan;
  result.broken = broken;
  return result;
}

double down(double value) {
  return std::nextafter(std::nextafter(value, -kInf), -kInf);
}
double up(double value) {
  return std::nextafter(std::nextafter(value, kInf), kInf);
}

/// An increasing function from libm, widened by two units in the last place and kept within its range.
Interval increasing(double (*function)(double), const Interval& a, double least, double most, bool broken) {
  Interval result = Interval::reals(std::max(least, down(function(a.real_low))), std::min(most, up(function(a.real_high))));
  result.nan = a.nan;
  result.broken = broken;
  return result;
}

bool has_infinity(const Interval& a) {
  return std::isinf(a.real_low) || std::isinf(a.real_high);
}
bool has_zero(const Interval& a) {
  return a.real_low <= 0 && a.real_high >= 0;
}

Interval real_operation(Op op, const Interval& a, const Interval& b, bool broken) {
  const bool nan = a.nan || b.nan;
  switch (op) {
    case Op::kNegate:
      return hull(std::array{-a.real_high, -a.real_low}, nan, broken);
    case Op::kAdd: {
      const bool clash = (a.real_high == kInf && b.real_low == -kInf) || (a.real_low == -kInf && b.real_high == kInf);
      return hull(std::array{a.real_low + b.real_low, a.real_high + b.real_high}, nan || clash, broken);
    }
    case Op::kSubtract: {
      const bool clash = (a.real_high == kInf && b.real_high == kInf) || (a.real_low == -kInf && b.real_low == -kInf);
      return hull(std::array{a.real_low - b.real_high, a.real_high - b.real_low}, nan || clash, broken);
    }
    case Op::kMultiply: {
      const bool clash = (has_zero(a) && has_infinity(b)) || (has_zero(b) && has_infinity(a));
      if (clash) return anything_real(broken);
      return hull(std::array{a.real_low * b.real_low, a.real_low * b.real_high, a.real_high * b.real_low, a.real_high * b.real_high}, nan,
                  broken);
    }
    case Op::kDivide:
      if (has_zero(b) || (has_infinity(a) && has_infinity(b))) return anything_real(broken);
      return hull(std::array{a.real_low / b.real_low, a.real_low / b.real_high, a.real_high / b.real_low, a.real_high / b.real_high}, nan,
                  broken);
    case Op::kModulo:
      return anything_real(broken);
    case Op::kMin:
      return hull(std::array{std::min(a.real_low, b.real_low), std::min(a.real_high, b.real_high)}, nan, broken);
    case Op::kMax:
      return hull(std::array{std::max(a.real_low, b.real_low), std::max(a.real_high, b.real_high)}, nan, broken);
    case Op::kAbs: {
      const double low = std::fabs(a.real_low), high = std::fabs(a.real_high);
      return hull(std::array{has_zero(a) ? 0.0 : std::min(low, high), std::max(low, high)}, nan, broken);
    }
    case Op::kExp:
      return increasing(std::exp, a, 0, kInf, broken);
    case Op::kLog:
      if (a.real_low < 0) return anything_real(broken);
      return increasing(std::log, a, -kInf, kInf, broken);
    case Op::kTanh:
      return increasing(std::tanh, a, -1, 1, broken);
    default:
      return increasing([](double x) { return 1.0 / (1.0 + std::exp(-x)); }, a, 0, 1, broken);
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

Interval comparison(const Step& step, const Interval& a, const Interval& b, bool broken) {
  const bool real = step.operand == Type::kReal;
  int answer = real ? compare(step.op, a.real_low, a.real_high, b.real_low, b.real_high) : compare(step.op, a.low, a.high, b.low, b.high);
  // A NaN makes every comparison false but !=, which it makes true.
  if (real && (a.nan || b.nan) && answer == (step.op == Op::kNotEqual ? -1 : 1)) answer = 0;
  Interval result = Interval::integers(answer > 0 ? 1 : 0, answer < 0 ? 0 : 1);
  result.broken = broken;
  return result;
}

/// A definite operand (0 for &, 1 for |) decides whatever the other one is, even broken.
Interval logic(Op op, const Interval& a, const Interval& b) {
  const bool is_or = op == Op::kOr;
  const auto decides = [&](const Interval& side) { return is_or ? side.always() : side.never(); };
  Interval result = is_or ? Interval::integers(std::max(a.low, b.low), std::max(a.high, b.high))
                          : Interval::integers(std::min(a.low, b.low), std::min(a.high, b.high));
  if (decides(a) || decides(b)) return Interval::integers(is_or, is_or);
  result.broken = a.broken || b.broken;
  return result;
}

Interval floor_of(const Interval& a, bool broken) {
  const double low = std::floor(a.real_low), high = std::floor(a.real_high);
  const bool fits = low >= -0x1p63 && high < 0x1p63;
  if (!fits || a.nan) return {.low = kMin, .high = kMax, .broken = true};
  Interval result = Interval::integers(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high));
  result.broken = broken;
  return result;
}

Interval operation(const Step& step, std::span<const Interval> steps) {
  const Interval& a = steps[static_cast<std::size_t>(step.args[0])];
  const Interval none{};
  const Interval& b = step.args[1] >= 0 ? steps[static_cast<std::size_t>(step.args[1])] : none;
  const bool broken = a.broken || b.broken;
  if (step.kind == Step::Kind::kToReal) {
    Interval result = Interval::reals(static_cast<double>(a.low), static_cast<double>(a.high));
    result.broken = a.broken;
    return result;
  }
  if (step.op == Op::kAnd || step.op == Op::kOr) return logic(step.op, a, b);
  if (step.op == Op::kSelect) {
    const Interval& c = steps[static_cast<std::size_t>(step.args[2])];
    Interval result = a.low == 1 ? b : a.high == 0 ? c : join(b, c);
    result.broken |= a.broken;
    return result;
  }
  if (step.op == Op::kNot) {
    Interval result = Interval::integers(1 - a.high, 1 - a.low);
    result.broken = broken;
    return result;
  }
  if (is_comparison(step.op)) return comparison(step, a, b, broken);
  if (step.operand != Type::kReal) return integer_operation(step.op, a, b, broken);
  return step.op == Op::kFloor ? floor_of(a, broken) : real_operation(step.op, a, b, broken);
}

Interval leaf(const Step& step, const Box& box, const Interval& score) {
  const auto range = [](const Range& r) { return Interval::integers(r.first, r.last); };
  switch (step.op) {
    case Op::kScore:
      return score;
    case Op::kQuery:
      return range(box.q);
    case Op::kKey:
      return range(box.k);
    case Op::kBatch:
      return range(box.b);
    case Op::kHead:
      return range(box.h);
    case Op::kKvHead:
      return range(box.g);
    case Op::kReal: {
      Interval result = Interval::reals(step.real, step.real);
      return std::isnan(step.real) ? anything_real(false) : result;
    }
    default:
      return Interval::integers(step.integer, step.integer);
  }
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

// ---- tables ----

namespace {
constexpr std::int64_t kFan = 16;
}  // namespace

/// The element of a flattened index, whatever the strides.
Interval Pyramid::element(std::int64_t flat) const {
  std::int64_t offset = 0;
  for (int axis = table_.shape.rank() - 1; axis >= 0; --axis) {
    offset += flat % table_.shape[axis] * table_.strides[axis];
    flat /= table_.shape[axis];
  }
  if (type_ != Type::kReal) {
    const std::int64_t value = integer_at(table_, offset);
    return Interval::integers(value, value);
  }
  const double value = real_at(table_, offset);
  return std::isnan(value) ? Interval::any(Type::kReal) : Interval::reals(value, value);
}

Pyramid::Pyramid(const TensorView& table)
    : type_(is_real(table.dtype)          ? Type::kReal
            : table.dtype == DType::kBool ? Type::kBoolean
                                          : Type::kInteger),
      table_(table) {
  const std::int64_t count = count_of(table.shape);
  known_ = count <= kLimit;
  if (!known_ || count == 0) return;
  std::vector<Interval> level;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i % kFan == 0)
      level.push_back(element(i));
    else
      level.back() = join(level.back(), element(i));
  }
  levels_.push_back(std::move(level));
  while (levels_.back().size() > 1) {
    const std::vector<Interval>& below = levels_.back();
    std::vector<Interval> above;
    for (std::size_t i = 0; i < below.size(); ++i) {
      if (i % kFan == 0)
        above.push_back(below[i]);
      else
        above.back() = join(above.back(), below[i]);
    }
    levels_.push_back(std::move(above));
  }
}

Interval Pyramid::bounds(std::int64_t first, std::int64_t last) const {
  if (!known_) return Interval::any(type_);
  Interval result = element(first);
  const auto take = [&](std::size_t level, std::int64_t index) {
    result = join(result, level == 0 ? element(index) : levels_[level - 1][static_cast<std::size_t>(index)]);
  };
  for (std::size_t level = 0; first <= last; ++level) {
    while (first <= last && first % kFan != 0) take(level, first++);
    while (first <= last && (last + 1) % kFan != 0) take(level, last--);
    if (first > last) break;
    first /= kFan;
    last = (last + 1) / kFan - 1;
  }
  return result;
}

Over::Over(const Formula& formula) : formula_(&formula) {
  for (const BoundTable& table : formula.tables()) pyramids_.emplace_back(table.view);
}

Interval Over::lookup(const Step& step, std::span<const Interval> steps) const {
  const BoundTable& table = formula_->tables()[static_cast<std::size_t>(step.table)];
  const Pyramid& pyramid = pyramids_[static_cast<std::size_t>(step.table)];
  bool broken = false;
  std::array<Range, Dims::kMaxRank> index{};
  std::int64_t rows = 1;  // combinations of all indices but the last
  const std::size_t rank = step.indices.size();
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Interval& wanted = steps[static_cast<std::size_t>(step.indices[axis])];
    const std::int64_t extent = table.view.shape[static_cast<int>(axis)];
    broken |= wanted.broken || wanted.low < 0 || wanted.high >= extent;
    index[axis] = {std::max<std::int64_t>(wanted.low, 0), std::min(wanted.high, extent - 1)};
    if (index[axis].first > index[axis].last) return {.high = 0, .broken = true};  // no value anywhere
    if (axis + 1 < rank) rows *= std::min<std::int64_t>(index[axis].last - index[axis].first + 1, 1 << 10);
  }
  constexpr std::int64_t kRows = 256;  // beyond so many, the answer would cost more than it saves
  Interval result = Interval::any(pyramid.type());
  if (rows <= kRows && pyramid.known()) {
    std::array<std::int64_t, Dims::kMaxRank> at{};
    for (std::size_t axis = 0; axis < rank; ++axis) at[axis] = index[axis].first;
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t flat = 0;
      for (std::size_t axis = 0; axis < rank; ++axis)
        flat = flat * table.view.shape[static_cast<int>(axis)] + (axis + 1 < rank ? at[axis] : 0);
      const Interval bounds = pyramid.bounds(flat + index[rank - 1].first, flat + index[rank - 1].last);
      result = row ? join(result, bounds) : bounds;
      for (std::size_t axis = rank - 1; axis-- > 0;) {
        if (++at[axis] <= index[axis].last) break;
        at[axis] = index[axis].first;
      }
    }
  }
  result.broken = broken;
  return result;
}

void Over::intervals(const Box& box, const Interval& score, std::span<Interval> steps) const {
  for (std::size_t i = 0; i < formula_->steps().size(); ++i) {
    const Step& step = formula_->steps()[i];
    if (step.op == Op::kLookup && step.kind == Step::Kind::kOperation) {
      steps[i] = lookup(step, steps);
    } else if (step.args[0] < 0) {
      steps[i] = leaf(step, box, score);
    } else {
      steps[i] = operation(step, steps);
    }
  }
}

Interval Over::interval(const Box& box, const Interval& score) const {
  if (formula_->empty()) return {.low = 1, .high = 1, .real_low = score.real_low, .real_high = score.real_high, .nan = score.nan};
  thread_local std::vector<Interval> steps;
  steps.resize(formula_->steps().size());
  intervals(box, score, steps);
  return steps[static_cast<std::size_t>(formula_->result())];
}

Verdict Over::verdict(const Box& box) const {
  const Interval answer = interval(box);
  if (answer.never()) return Verdict::kEmpty;
  if (answer.always()) return Verdict::kFull;
  return Verdict::kPartial;
}

}  // namespace heed::formula
