// at(place): the definition of a formula's value, in double and exact 64-bit integers.
//
// A step without a value (lookup out of range, division by zero, overflow) is broken; what uses it is broken too, except that a
// decided & or | and the unselected branch of select forgive. Checked: at_test.cpp, and by every other evaluator's property tests.
#include <cmath>

#include "formula/arithmetic.hpp"
#include "formula/formula.hpp"

namespace heed::formula {
namespace {

Value lookup(const Formula& formula, const Step& step, int self, std::span<const Value> values) {
  const TensorView& view = formula.tables()[static_cast<std::size_t>(step.table)].view;
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < step.indices.size(); ++axis) {
    const Value& index = values[static_cast<std::size_t>(step.indices[axis])];
    if (index.broken >= 0) return {.broken = index.broken};
    if (index.integer < 0 || index.integer >= view.shape[static_cast<int>(axis)]) return {.broken = self};
    offset += index.integer * view.strides[static_cast<int>(axis)];
  }
  if (step.type == Type::kReal) return {.real = real_at(view, offset)};
  return {.integer = integer_at(view, offset)};
}

Value logic(Op op, const Value& a, const Value& b) {
  const std::int64_t deciding = op == Op::kOr ? 1 : 0;
  for (const Value* side : {&a, &b}) {
    if (side->broken < 0 && side->integer == deciding) return {.integer = deciding};
  }
  if (a.broken >= 0) return a;
  if (b.broken >= 0) return b;
  return {.integer = 1 - deciding};
}

Value floor_of(double a, int self) {
  const double whole = std::floor(a);
  if (!(whole >= -0x1p63 && whole < 0x1p63)) return {.broken = self};
  return {.integer = static_cast<std::int64_t>(whole)};
}

Value operation(const Step& step, int self, std::span<const Value> values) {
  const Value& a = values[static_cast<std::size_t>(step.args[0])];
  const Value none{};
  const Value& b = step.args[1] >= 0 ? values[static_cast<std::size_t>(step.args[1])] : none;
  if (step.op == Op::kAnd || step.op == Op::kOr) return logic(step.op, a, b);
  if (a.broken >= 0) return {.broken = a.broken};
  if (step.op == Op::kSelect) return a.integer ? b : values[static_cast<std::size_t>(step.args[2])];
  if (b.broken >= 0) return {.broken = b.broken};
  if (step.kind == Step::Kind::kToReal) return {.real = static_cast<double>(a.integer)};
  if (step.op == Op::kNot) return {.integer = 1 - a.integer};
  if (is_comparison(step.op)) {
    return {.integer = step.operand == Type::kReal ? compare(step.op, a.real, b.real) : compare(step.op, a.integer, b.integer)};
  }
  if (step.operand == Type::kReal) {
    if (step.op == Op::kFloor) return floor_of(a.real, self);
    return {.real = real_operation(step.op, a.real, b.real)};
  }
  Value result;
  if (integer_operation(step.op, a.integer, b.integer, result.integer)) result.broken = self;
  return result;
}

Value leaf(const Step& step, const Place& place) {
  switch (step.op) {
    case Op::kScore:
      return {.real = place.s};
    case Op::kQuery:
      return {.integer = place.q};
    case Op::kRow:
      return {.integer = place.i};
    case Op::kKey:
      return {.integer = place.k};
    case Op::kBatch:
      return {.integer = place.b};
    case Op::kHead:
      return {.integer = place.h};
    case Op::kKvHead:
      return {.integer = place.g};
    default:
      return {.integer = step.integer, .real = step.real};
  }
}

}  // namespace

Value Formula::at(const Place& place, std::span<Value> values) const {
  if (steps_.empty()) return {.integer = 1, .real = place.s};
  for (int i = 0; i <= result_; ++i) {
    const Step& step = steps_[static_cast<std::size_t>(i)];
    Value& value = values[static_cast<std::size_t>(i)];
    if (step.op == Op::kLookup && step.kind == Step::Kind::kOperation) {
      value = lookup(*this, step, i, values);
    } else if (step.args[0] < 0) {
      value = leaf(step, place);
    } else {
      value = operation(step, i, values);
    }
  }
  return values[static_cast<std::size_t>(result_)];
}

Value Formula::at(const Place& place) const {
  std::vector<Value> values(steps_.size());
  return at(place, values);
}

}  // namespace heed::formula
