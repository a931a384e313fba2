#include "formula/bounds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heed::formula {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kLargest = 3.4e38;         // of float32, with room for roundings
constexpr double kBudget = 15;              // of 2^-24: the rule is 16, and errors of errors need a little
constexpr double kUnderflow = 0x1p-126;     // what a rounding among the subnormals costs, in units of 2^-24
constexpr double kFlushed = 0x1p-102;       // what exp costs that gives 0 below 2^-126
constexpr double kLeastDivisor = 0x1p-100;  // an inexact divisor is not near the subnormals
// Errors of the functions of math-inl.hpp, in units of 2^-24: half an ulp at least is one.
constexpr double kExpError = 3, kTanhError = 3, kLogError = 2, kSigmoidError = 5;

/// a b, where nothing times infinity is nothing.
double times(double a, double b) {
  return a == 0 || b == 0 ? 0 : a * b;
}

struct Bound {
  double score = 0, one = 0, self = 0;  // A, B, C
  double slope = 0, base = 0;           // |v| <= slope |s| + base
  double low = 0, high = 0;             // for |s| <= 2^24

  [[nodiscard]] bool exact() const { return score == 0 && one == 0 && self == 0; }
  [[nodiscard]] bool relative() const { return score == 0 && one == 0; }
  [[nodiscard]] double most() const { return std::max(std::fabs(low), std::fabs(high)); }
  [[nodiscard]] double least() const { return low > 0 ? low : high < 0 ? -high : 0; }
  /// Its float32 is finite where its double is.
  [[nodiscard]] bool stays() const { return exact() || most() < kLargest; }
};

class Analysis {
 public:
  Analysis(const Formula& formula, std::span<const Interval> intervals, const std::vector<bool>& exact)
      : formula_(formula),
        intervals_(intervals),
        exact_(exact),
        multiplies_(by_reciprocal(formula, intervals)),
        bounds_(formula.steps().size()) {}

  std::string fails() {
    for (int i = 0; i <= formula_.result(); ++i) {
      std::string why = follow(i);
      if (!why.empty()) return why;
    }
    const Bound& result = at(formula_.result());
    return result.score + result.one + result.self <= kBudget ? "" : "float32 may be off by more than 2^-20";
  }

 private:
  [[nodiscard]] const Bound& at(int step) const { return bounds_[static_cast<std::size_t>(step)]; }

  std::string follow(int index) {
    const auto i = static_cast<std::size_t>(index);
    const Step& step = formula_.steps()[i];
    Bound& bound = bounds_[i];
    bound.low = intervals_[i].nan ? -kInf : intervals_[i].real_low;
    bound.high = intervals_[i].nan ? kInf : intervals_[i].real_high;
    bound.base = bound.most();
    if (!(step.depends & kOnScore)) {
      if (step.type == Type::kReal && !exact_[i]) {
        bound.self = 1;
        bound.one = kUnderflow;
      }
      return "";
    }
    if (step.kind == Step::Kind::kToReal || step.type == Type::kInteger || step.op == Op::kModulo) return "whole numbers of the score";
    if (step.op == Op::kScore) {
      bound.slope = 1;
      bound.base = 0;
      return "";
    }
    if (step.type == Type::kBoolean) return decides(step);
    std::string why = operation(step, bound);
    if (why.empty() && multiplies_[i]) bound.self += 1;  // where no multiply-add is fused
    return why;
  }

  [[nodiscard]] std::string decides(const Step& step) const {
    if (step.operand == Type::kInteger) return "whole numbers of the score";
    if (step.operand == Type::kBoolean || (at(step.args[0]).exact() && at(step.args[1]).exact())) return "";
    return "a rounded number of the score decides a condition";
  }

  [[nodiscard]] std::string operation(const Step& step, Bound& v) const {
    const Bound& a = at(step.args[0]);
    const Bound& b = step.args[1] < 0 ? a : at(step.args[1]);
    switch (step.op) {
      case Op::kNegate:
      case Op::kAbs:
        return take(v, a, a);
      case Op::kMin:
      case Op::kMax:
        return take(v, a, b);
      case Op::kSelect:
        return take(v, b, at(step.args[2]));
      case Op::kAdd:
        return sum(v, a, b);
      case Op::kSubtract: {
        Bound negated = b;
        negated.low = -b.high;
        negated.high = -b.low;
        return sum(v, a, negated);
      }
      case Op::kMultiply:
        return product(v, a, b);
      case Op::kDivide:
        return quotient(v, a, b);
      case Op::kExp: {
        const double error = times(a.score, kMostScore) + a.one + times(a.self, std::min(a.most(), 90.0));  // beyond: 0 or infinite
        v.self = error + kExpError;
        v.one = kFlushed;
        return "";
      }
      case Op::kLog:
        if (!a.relative()) return "float32 may be off by more than 2^-20";
        v.one = a.self;
        v.self = kLogError;
        return a.stays() ? "" : kBeyond;
      case Op::kTanh:  // |a| tanh'(a) <= |tanh a|: relative errors stay relative
        v.score = a.score;
        v.one = a.one;
        v.self = a.self + kTanhError;
        v.slope = a.slope;
        v.base = a.base;
        return "";
      default:  // sigmoid: its slope is at most 1/4, and |a| sigmoid'(a) < 0.28
        v.score = a.score / 4;
        v.one = a.one / 4 + times(a.self, 0.28) + kFlushed;
        v.self = kSigmoidError;
        return "";
    }
  }

  /// One of two values: x - C u |x| grows with x, so the worse constants hold for the one that is taken.
  static std::string take(Bound& v, const Bound& a, const Bound& b) {
    v.score = std::max(a.score, b.score);
    v.one = std::max(a.one, b.one);
    v.self = std::max(a.self, b.self);
    v.slope = std::max(a.slope, b.slope);
    v.base = std::max(a.base, b.base);
    return "";
  }

  /// C |a| in terms of |s|, 1 and |v|, where v = a + b: by |a| <= L |s| + K, by |a| at most, or by |a| <= |v| + |b| in the same two ways.
  static void carry(Bound& v, const Bound& a, const Bound& b) {
    if (a.self == 0) return;
    struct Way {
      double slope, base, value;
    };
    const Way ways[] = {{a.slope, a.base, 0}, {0, a.most(), 0}, {b.slope, b.base, 1}, {0, b.most(), 1}};
    const Way& best = *std::min_element(std::begin(ways), std::end(ways),
                                        [](const Way& x, const Way& y) { return x.slope + x.base + x.value < y.slope + y.base + y.value; });
    v.score += times(a.self, best.slope);
    v.one += times(a.self, best.base);
    v.self += a.self * best.value;
  }

  static std::string sum(Bound& v, const Bound& a, const Bound& b) {
    if ((a.high > kLargest && b.low < -kLargest) || (a.low < -kLargest && b.high > kLargest)) return kBeyond;
    v.score = a.score + b.score;
    v.one = a.one + b.one;
    v.self = 1;
    carry(v, a, b);
    carry(v, b, a);
    v.slope = a.slope + b.slope;
    v.base = a.base + b.base;
    return "";
  }

  static std::string product(Bound& v, const Bound& a, const Bound& b) {
    if (!a.stays() || !b.stays()) return kBeyond;
    v.score = times(a.score, b.most()) + times(b.score, a.most());
    v.one = times(a.one, b.most()) + times(b.one, a.most()) + kUnderflow;
    v.self = a.self + b.self + 1;
    if (b.slope == 0 || a.slope == 0) {
      const Bound& moving = a.slope == 0 ? b : a;
      const double factor = (a.slope == 0 ? a : b).most();
      v.slope = times(moving.slope, factor);
      v.base = times(moving.base, factor);
    }
    return "";
  }

  static std::string quotient(Bound& v, const Bound& a, const Bound& b) {
    const double least = b.least();
    if (!a.stays() || !b.stays() || (!b.exact() && least < kLeastDivisor) || (!a.relative() && least == 0)) return kBeyond;
    const double factor = least == 0 ? kInf : 1 / least;
    v.score = times(a.score, factor);
    v.one = times(a.one, factor) + kUnderflow;
    v.self = a.self + b.self + 1 + times(times(b.score, kMostScore) + b.one, factor);
    v.slope = times(a.slope, factor);
    v.base = times(a.base, factor);
    return "";
  }

  static constexpr const char* kBeyond = "float32 may overflow on the way";
  const Formula& formula_;
  std::span<const Interval> intervals_;
  const std::vector<bool>& exact_;
  std::vector<bool> multiplies_;
  std::vector<Bound> bounds_;
};

}  // namespace

std::vector<bool> exact_in_float(const Formula& formula, std::span<const Interval> intervals) {
  std::vector<bool> exact(formula.steps().size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const Step& step = formula.steps()[i];
    if (step.type != Type::kReal || (step.depends & kOnScore)) continue;
    const auto of = [&](int argument) { return exact[static_cast<std::size_t>(step.args[static_cast<std::size_t>(argument)])]; };
    if (step.kind == Step::Kind::kToReal) {
      const Interval& whole = intervals[static_cast<std::size_t>(step.args[0])];
      exact[i] = whole.low >= -(1 << 24) && whole.high <= 1 << 24;
    } else if (step.op == Op::kReal) {
      exact[i] = std::isnan(step.real) || static_cast<double>(static_cast<float>(step.real)) == step.real;
    } else if (step.op == Op::kLookup) {
      exact[i] = formula.tables()[static_cast<std::size_t>(step.table)].view.dtype != DType::kF64;
    } else if (step.op == Op::kNegate || step.op == Op::kAbs) {
      exact[i] = of(0);
    } else if (step.op == Op::kMin || step.op == Op::kMax) {
      exact[i] = of(0) && of(1);
    } else if (step.op == Op::kSelect) {
      exact[i] = of(1) && of(2);
    }
  }
  return exact;
}

std::vector<bool> by_reciprocal(const Formula& formula, std::span<const Interval> intervals) {
  std::vector<bool> multiplies(formula.steps().size());
  for (std::size_t i = 0; i < multiplies.size(); ++i) {
    const Step& step = formula.steps()[i];
    if (step.op != Op::kDivide || step.operand != Type::kReal || step.kind != Step::Kind::kOperation || !(step.depends & kOnScore))
      continue;
    const auto divisor = static_cast<std::size_t>(step.args[1]);
    const Interval& of = intervals[divisor];
    const double least = of.real_low > 0 ? of.real_low : -of.real_high, most = std::max(std::fabs(of.real_low), std::fabs(of.real_high));
    multiplies[i] = !(formula.steps()[divisor].depends & (kOnScore | kOnQuery | kOnKey)) && !of.nan && least > 0x1p-60 && most < 0x1p60;
  }
  return multiplies;
}

std::string float_fails(const Formula& formula, std::span<const Interval> intervals, const std::vector<bool>& exact) {
  return formula.empty() ? "" : Analysis(formula, intervals, exact).fails();
}

}  // namespace heed::formula
