// Expressions built in C++: literals, symbols, operators, functions, lookups; and when two of them are the same tree.
// Nothing is simplified or typed here: a tree is what was written. Checked by expression_test.cpp.
#include <bit>
#include <cmath>
#include <utility>

#include <heed/error.hpp>

#include "formula/names.hpp"
#include "formula/node.hpp"

namespace heed {
namespace {

using formula::make;
using formula::Node;
using formula::Op;

Expr literal(Op op, std::int64_t integer, double real) {
  Node node;
  node.op = op;
  node.integer = integer;
  node.real = real;
  return make(std::move(node));
}

Expr real_literal(double value) {
  if (std::isnan(value))
    throw Error({.what = "NaN is not a literal of formulas", .where = "formula", .expected = "a number or an infinity", .found = "nan"});
  return literal(Op::kReal, 0, value);
}

// Equal but for the arguments.
bool alike(const Node& a, const Node& b) {
  if (a.op != b.op || a.args.size() != b.args.size()) return false;
  switch (a.op) {
    case Op::kInteger:
    case Op::kBoolean:
      return a.integer == b.integer;
    case Op::kReal:
      return std::bit_cast<std::int64_t>(a.real) == std::bit_cast<std::int64_t>(b.real);  // 0.0 is not -0.0
    case Op::kLookup:
      return a.name == b.name && a.fit == b.fit;
    default:
      return true;
  }
}

}  // namespace

Expr Expr::number(bool fits, std::int64_t value) {
  if (!fits) throw Error({"the number is too large for a formula", "Expr", "at most 9223372036854775807", "an unsigned number beyond"});
  return literal(Op::kInteger, value, 0);
}
Expr::Expr(double value) : Expr(real_literal(value)) {}
Expr Expr::truth(bool value) {
  return literal(Op::kBoolean, value ? 1 : 0, 0);
}

namespace symbols {
const Expr s = make(Op::kScore);
const Expr q = make(Op::kQuery);
const Expr i = make(Op::kRow);
const Expr k = make(Op::kKey);
const Expr b = make(Op::kBatch);
const Expr h = make(Op::kHead);
const Expr g = make(Op::kKvHead);
}  // namespace symbols

Expr operator-(const Expr& a) {
  return make(Op::kNegate, {a});
}
Expr operator!(const Expr& a) {
  return make(Op::kNot, {a});
}
Expr operator+(const Expr& a, const Expr& b) {
  return make(Op::kAdd, {a, b});
}
Expr operator-(const Expr& a, const Expr& b) {
  return make(Op::kSubtract, {a, b});
}
Expr operator*(const Expr& a, const Expr& b) {
  return make(Op::kMultiply, {a, b});
}
Expr operator/(const Expr& a, const Expr& b) {
  return make(Op::kDivide, {a, b});
}
Expr operator%(const Expr& a, const Expr& b) {
  return make(Op::kModulo, {a, b});
}
Expr operator<(const Expr& a, const Expr& b) {
  return make(Op::kLess, {a, b});
}
Expr operator<=(const Expr& a, const Expr& b) {
  return make(Op::kLessEqual, {a, b});
}
Expr operator>(const Expr& a, const Expr& b) {
  return make(Op::kGreater, {a, b});
}
Expr operator>=(const Expr& a, const Expr& b) {
  return make(Op::kGreaterEqual, {a, b});
}
Expr operator==(const Expr& a, const Expr& b) {
  return make(Op::kEqual, {a, b});
}
Expr operator!=(const Expr& a, const Expr& b) {
  return make(Op::kNotEqual, {a, b});
}
Expr operator&(const Expr& a, const Expr& b) {
  return make(Op::kAnd, {a, b});
}
Expr operator|(const Expr& a, const Expr& b) {
  return make(Op::kOr, {a, b});
}

Expr select(const Expr& condition, const Expr& a, const Expr& b) {
  return make(Op::kSelect, {condition, a, b});
}
Expr min(const Expr& a, const Expr& b) {
  return make(Op::kMin, {a, b});
}
Expr max(const Expr& a, const Expr& b) {
  return make(Op::kMax, {a, b});
}
Expr abs(const Expr& a) {
  return make(Op::kAbs, {a});
}
Expr floor(const Expr& a) {
  return make(Op::kFloor, {a});
}
Expr exp(const Expr& a) {
  return make(Op::kExp, {a});
}
Expr log(const Expr& a) {
  return make(Op::kLog, {a});
}
Expr tanh(const Expr& a) {
  return make(Op::kTanh, {a});
}
Expr sigmoid(const Expr& a) {
  return make(Op::kSigmoid, {a});
}

Expr Table::lookup(std::vector<Expr> indices) const {
  const std::string where = "table `" + name_ + "`";
  if (!formula::is_identifier(name_)) {
    throw Error({.what = "the name of a table cannot be written in a formula",
                 .where = where,
                 .expected = "letters, digits and underscores, no digit first",
                 .found = name_});
  }
  if (const std::string_view taken = formula::taken_by(name_); !taken.empty()) {
    throw Error({.what = "the name is that of a " + std::string(taken) + ": the table must be renamed",
                 .where = where,
                 .expected = "",
                 .found = ""});
  }
  if (indices.empty())
    throw Error({.what = "a lookup without an index", .where = where, .expected = "one index per axis", .found = "none"});
  Node node;
  node.op = Op::kLookup;
  node.name = name_;
  node.args = std::move(indices);
  node.data = data_;
  return make(std::move(node));
}

Expr Table::fitted(std::vector<Expr> axes) const {
  Node node = lookup(std::move(axes)).node();
  node.fit = formula::Fit::kSaid;
  return make(std::move(node));
}

bool same(const Expr& a, const Expr& b) {
  std::vector<std::pair<const Expr*, const Expr*>> waiting{{&a, &b}};
  while (!waiting.empty()) {
    const auto [left, right] = waiting.back();
    waiting.pop_back();
    if (left->shared() == right->shared()) continue;
    if (left->empty() || right->empty() || !alike(left->node(), right->node())) return false;
    for (std::size_t i = 0; i < left->node().args.size(); ++i) waiting.emplace_back(&left->node().args[i], &right->node().args[i]);
  }
  return true;
}

}  // namespace heed
