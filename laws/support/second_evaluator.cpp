// See second_evaluator.hpp; checked against Formula::at in laws/formulas_test.cpp, and by a few values of its own there.
#include "laws/support/second_evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "formula/node.hpp"

namespace heed::laws {
namespace {

using formula::Node;
using formula::Op;
using Kind = Answer::Kind;
__extension__ using Wide = __int128;

bool fits_f32(double x) {
  return std::isnan(x) || static_cast<double>(static_cast<float>(x)) == x;
}

Answer of_boolean(bool value) {
  return {.kind = Kind::kBoolean, .integer = value, .can_be = {!value, value}};
}
Answer of_integer(Wide value) {
  const bool fits = value >= std::numeric_limits<std::int64_t>::min() && value <= std::numeric_limits<std::int64_t>::max();
  return {.kind = Kind::kInteger, .integer = fits ? static_cast<std::int64_t>(value) : 0, .broken = !fits};
}
Answer of_real(double value) {
  return {.kind = Kind::kReal, .real = value, .exact = fits_f32(value)};
}

class Reader {
 public:
  Reader(const Tables& tables, const Spot& spot, const Answer& score) : tables_(tables), spot_(spot), score_(score) {}

  Answer read(const Expr& expression) const {
    const Node& node = expression.node();
    switch (node.op) {
      case Op::kInteger:
        return of_integer(node.integer);
      case Op::kReal:
        return of_real(node.real);
      case Op::kBoolean:
        return of_boolean(node.integer != 0);
      case Op::kScore:
        return score_;
      case Op::kQuery:
        return of_integer(spot_.q);
      case Op::kKey:
        return of_integer(spot_.k);
      case Op::kBatch:
        return of_integer(spot_.b);
      case Op::kHead:
        return of_integer(spot_.h);
      case Op::kKvHead:
        return of_integer(spot_.g);
      case Op::kRow:
        return of_integer(spot_.i);
      default:
        break;
    }
    std::vector<Answer> args;
    for (const Expr& argument : node.args) args.push_back(read(argument));
    if (node.op == Op::kLookup) return lookup(node, args);
    if (node.op == Op::kAnd || node.op == Op::kOr) return logic(node.op == Op::kOr, args[0], args[1]);
    if (node.op == Op::kSelect) return select(args[0], args[1], args[2]);
    return strict(node.op, args);
  }

  /// An integer that meets a real.
  static Answer as_real(Answer answer) {
    if (answer.kind == Kind::kReal) return answer;
    answer.kind = Kind::kReal;
    answer.real = static_cast<double>(answer.integer);
    answer.exact = fits_f32(answer.real);
    return answer;
  }

 private:
  Answer lookup(const Node& node, const std::vector<Answer>& indices) const {
    const TensorView view = node.data ? node.data->view() : tables_.find(node.name)->second;
    Answer nothing{.kind = is_real(view.dtype) ? Kind::kReal : view.dtype == DType::kBool ? Kind::kBoolean : Kind::kInteger};
    nothing.broken = nothing.lacks = true;
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < indices.size(); ++axis) {
      Answer index = indices[axis];
      const std::int64_t extent = view.shape[static_cast<int>(axis)];
      if (extent == 1 && node.fit != formula::Fit::kFree && broadcasts(node.args[axis].node().op)) index = of_integer(0);
      if (index.broken || index.integer < 0 || index.integer >= extent) return nothing;
      offset += index.integer * view.strides[static_cast<int>(axis)];
    }
    if (nothing.kind == Kind::kReal) return of_real(real_at(view, offset));
    const std::int64_t value = integer_at(view, offset);
    return nothing.kind == Kind::kBoolean ? of_boolean(value != 0) : of_integer(value);
  }

  /// Of a named form: along these axes a table of extent 1 is read at 0.
  static bool broadcasts(Op symbol) {
    return symbol == Op::kBatch || symbol == Op::kHead || symbol == Op::kKvHead || symbol == Op::kRow || symbol == Op::kKey;
  }

  /// A side that is surely false (of &) or true (of |) settles it, whatever the other side is.
  static Answer logic(bool is_or, const Answer& a, const Answer& b) {
    Answer result = of_boolean(!is_or);
    result.reads_score = a.reads_score || b.reads_score;
    const auto settles = [&](const Answer& side) { return !side.broken && (side.integer != 0) == is_or; };
    const auto settles_always = [&](const Answer& side) { return !side.lacks && !side.can_be[!is_or]; };
    if (settles(a) || settles(b)) {
      result.integer = is_or;
      result.open = !(settles(a) && !a.open) && !(settles(b) && !b.open);
    } else {
      result.broken = a.broken || b.broken;
      result.open = a.open || b.open;
    }
    result.lacks = !settles_always(a) && !settles_always(b) && (a.lacks || b.lacks);
    result.can_be[is_or] = a.can_be[is_or] || b.can_be[is_or];
    result.can_be[!is_or] = a.can_be[!is_or] && b.can_be[!is_or];
    return result;
  }

  static Answer select(const Answer& condition, Answer a, Answer b) {
    if (a.kind != b.kind) {
      a = as_real(a);
      b = as_real(b);
    }
    Answer result = condition.integer != 0 ? a : b;
    result.broken = condition.broken || result.broken;
    result.open = condition.open || result.open;
    result.reads_score = condition.reads_score || a.reads_score || b.reads_score;
    result.lacks = condition.lacks || (condition.can_be[1] && a.lacks) || (condition.can_be[0] && b.lacks);
    for (const int outcome : {0, 1})
      result.can_be[outcome] = (condition.can_be[1] && a.can_be[outcome]) || (condition.can_be[0] && b.can_be[outcome]);
    return result;
  }

  /// Operations that need all their operands.
  Answer strict(Op op, std::vector<Answer>& args) const {
    const bool boolean = args[0].kind == Kind::kBoolean;
    bool real = op == Op::kExp || op == Op::kLog || op == Op::kTanh || op == Op::kSigmoid;
    for (const Answer& argument : args) real = real || argument.kind == Kind::kReal;
    if (real && !boolean) {
      for (Answer& argument : args) argument = as_real(argument);
    }
    bool reads_score = false, broken = false, lacks = false, open = false;
    for (const Answer& argument : args) {
      reads_score = reads_score || argument.reads_score;
      broken = broken || argument.broken;
      lacks = lacks || argument.lacks;
      open = open || argument.open;
    }
    Answer result = boolean ? of_booleans(op, args) : real ? of_reals(op, args, reads_score) : of_integers(op, args, reads_score);
    const bool own = !broken && result.broken;
    result.broken = broken || own;
    result.lacks = lacks || (own && !reads_score);
    result.open = result.open || open;
    result.reads_score = reads_score;
    return result;
  }

  static Answer of_booleans(Op op, const std::vector<Answer>& args) {
    if (op == Op::kNot) {
      Answer result = of_boolean(args[0].integer == 0);
      result.can_be[0] = args[0].can_be[1];
      result.can_be[1] = args[0].can_be[0];
      return result;
    }
    const bool equal = op == Op::kEqual;
    Answer result = of_boolean((args[0].integer == args[1].integer) == equal);
    result.can_be[equal] = (args[0].can_be[0] && args[1].can_be[0]) || (args[0].can_be[1] && args[1].can_be[1]);
    result.can_be[!equal] = (args[0].can_be[0] && args[1].can_be[1]) || (args[0].can_be[1] && args[1].can_be[0]);
    return result;
  }

  /// Rounds toward minus infinity.
  static Wide quotient(Wide a, Wide b) {
    const Wide towards_zero = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? towards_zero - 1 : towards_zero;
  }

  template <class T>
  static bool holds(Op op, T a, T b) {
    if (op == Op::kLess) return a < b;
    if (op == Op::kLessEqual) return a <= b;
    if (op == Op::kGreater) return a > b;
    if (op == Op::kGreaterEqual) return a >= b;
    return op == Op::kEqual ? a == b : a != b;
  }

  static Answer of_integers(Op op, const std::vector<Answer>& args, bool reads_score) {
    const Wide a = args[0].integer, b = args.size() > 1 ? args[1].integer : 0;
    Answer none = of_integer(0);
    none.broken = true;
    switch (op) {
      case Op::kNegate:
        return of_integer(-a);
      case Op::kAdd:
        return of_integer(a + b);
      case Op::kSubtract:
        return of_integer(a - b);
      case Op::kMultiply:
        return of_integer(a * b);
      case Op::kDivide:
        return b == 0 ? none : of_integer(quotient(a, b));
      case Op::kModulo:
        return b == 0 ? none : of_integer(a - b * quotient(a, b));
      case Op::kMin:
        return of_integer(a < b ? a : b);
      case Op::kMax:
        return of_integer(a < b ? b : a);
      case Op::kAbs:
        return of_integer(a < 0 ? -a : a);
      case Op::kFloor:
        return of_integer(a);
      default:
        return compared(holds(op, a, b), reads_score);
    }
  }

  /// A comparison that reads s may come out either way.
  static Answer compared(bool value, bool reads_score) {
    Answer result = of_boolean(value);
    if (reads_score) result.can_be[0] = result.can_be[1] = true;
    return result;
  }

  [[nodiscard]] double slack(const Answer& real) const { return real.exact ? 0.0 : promised(spot_.s, real.real); }

  Answer of_reals(Op op, const std::vector<Answer>& args, bool reads_score) const {
    const double a = args[0].real, b = args.size() > 1 ? args[1].real : 0;
    const double a_slack = slack(args[0]), b_slack = args.size() > 1 ? slack(args[1]) : 0;
    const auto near_zero = [](double x, double by) { return by > 0 && std::fabs(x) <= by; };
    Answer result;
    bool open = false, rounded = true;  // rounded: one operation of f32 on exact operands, so exact where f32 holds the result
    switch (op) {
      case Op::kFloor:
        result = floor_of(a);
        open = !same_floor(a - a_slack, a + a_slack);
        break;
      case Op::kModulo: {
        const double ratio = a / b;
        const volatile double product = b * std::floor(ratio);  // two roundings, on every compiler
        result = of_real(a - product);
        const double by = std::fabs(a_slack / b) + std::fabs(ratio * b_slack / b) + std::fabs(ratio) * 0x1p-20;
        open = near_zero(b, b_slack) || !same_floor(ratio - by, ratio + by);
        rounded = false;
        break;
      }
      case Op::kDivide:
        result = of_real(a / b);
        open = near_zero(b, b_slack);
        break;
      case Op::kMultiply:
        result = of_real(a * b);
        open = (near_zero(a, a_slack) && std::isinf(b)) || (near_zero(b, b_slack) && std::isinf(a));
        break;
      case Op::kLog:
        result = of_real(std::log(a));
        open = near_zero(a, a_slack);
        rounded = false;
        break;
      case Op::kExp:
        result = of_real(std::exp(a));
        // Where double itself overflows and underflows.
        open = std::fabs(a - 709.79) <= a_slack + 0.01 || std::fabs(a + 744.5) <= a_slack + 1;
        rounded = false;
        break;
      case Op::kTanh:
        result = of_real(std::tanh(a));
        rounded = false;
        break;
      case Op::kSigmoid:
        result = of_real(1.0 / (1.0 + std::exp(-a)));
        open = std::fabs(a + 709.79) <= a_slack + 0.01;
        rounded = false;
        break;
      default:
        result = simple(op, a, b, reads_score);
        open = result.kind == Kind::kBoolean && std::isfinite(a) && std::isfinite(b) && std::fabs(a - b) <= a_slack + b_slack &&
               a_slack + b_slack > 0;
    }
    result.open = open && reads_score;
    const bool exact_operands = a_slack == 0 && b_slack == 0;
    if (result.kind == Kind::kReal) result.exact = fits_f32(result.real) && (!reads_score || (rounded && exact_operands));
    return result;
  }

  static Answer simple(Op op, double a, double b, bool reads_score) {
    const bool nan = std::isnan(a) || std::isnan(b);
    switch (op) {
      case Op::kNegate:
        return of_real(-a);
      case Op::kAdd:
        return of_real(a + b);
      case Op::kSubtract:
        return of_real(a - b);
      case Op::kMin:
        return of_real(nan ? std::nan("") : b < a ? b : a);
      case Op::kMax:
        return of_real(nan ? std::nan("") : a < b ? b : a);
      case Op::kAbs:
        return of_real(std::fabs(a));
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
      case Op::kEqual:
      case Op::kNotEqual:
        return compared(holds(op, a, b), reads_score);
      default:
        throw std::logic_error("the second evaluator does not know operation " + std::string(formula::info(op).text));
    }
  }

  static bool within_64_bits(double whole) { return whole >= -0x1p63 && whole < 0x1p63; }

  static Answer floor_of(double a) {
    const double whole = std::floor(a);
    Answer result = of_integer(within_64_bits(whole) ? static_cast<Wide>(whole) : 0);
    result.broken = !within_64_bits(whole);
    return result;
  }

  static bool same_floor(double a, double b) {
    const double low = std::floor(a), high = std::floor(b);
    if (within_64_bits(low) || within_64_bits(high)) return low == high;
    return std::isnan(low) || std::isnan(high) || (low < 0) == (high < 0);  // neither has a value
  }

  const Tables& tables_;
  const Spot& spot_;
  const Answer& score_;
};

}  // namespace

double promised(double s, double x) {
  return 0x1p-20 * std::max({1.0, std::isfinite(s) ? std::fabs(s) : 0.0, std::fabs(x)});
}

Answer second_opinion(const Expr& mask, const Tables& tables, const Spot& spot) {
  if (mask.empty()) return of_boolean(true);
  return Reader(tables, spot, {}).read(mask);
}

Answer second_opinion(std::span<const Expr> chain, const Tables& tables, const Spot& spot) {
  Answer score = of_real(spot.s);
  score.reads_score = true;
  for (const Expr& expression : chain) score = Reader::as_real(Reader(tables, spot, score).read(expression));
  return score;
}

}  // namespace heed::laws
