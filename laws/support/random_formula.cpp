// Random well-typed formulas. See random_formula.hpp; checked by src/formula/parse_test.cpp.
// Random sub-expressions are made in braces or one statement each: the order of function arguments is the compiler's choice.
#include "laws/support/random_formula.hpp"

#include <utility>

#include <array>
#include <cmath>
#include <cstdint>

namespace heed::laws {

RandomFormula::RandomFormula(std::uint64_t seed, const Tables& tables) : random_(seed) {
  for (const auto& [name, view] : tables) {
    const Kind kind = is_real(view.dtype) ? Kind::kReal : view.dtype == DType::kBool ? Kind::kBoolean : Kind::kInteger;
    if (view.shape.rank() > 0) targets_.push_back({name, kind, view.shape});
  }
}

Expr RandomFormula::mask(int depth) {
  with_score_ = false;
  return boolean(depth);
}

Expr RandomFormula::score(int depth) {
  with_score_ = true;
  return once_in(8) ? integer(depth) : real(depth);
}

Expr RandomFormula::of(Kind kind, int depth) {
  switch (kind) {
    case Kind::kBoolean:
      return boolean(depth);
    case Kind::kInteger:
      return integer(depth);
    case Kind::kReal:
      return real(depth);
  }
  return {};
}

Expr RandomFormula::boolean(int depth) {
  if (depth <= 0) return once_in(4) ? Expr(once_in(2)) : comparison(0);
  switch (below(8)) {
    case 0:
      return !boolean(depth - 1);
    case 1:
    case 2:
    case 3:
    case 4: {
      const std::array<Expr, 2> sides{boolean(depth - 1), boolean(depth - 1)};
      return once_in(2) ? sides[0] & sides[1] : sides[0] | sides[1];
    }
    case 5:
      return once_in(3) ? choice(Kind::kBoolean, Kind::kBoolean, depth - 1) : lookup(Kind::kBoolean, depth - 1);
    default:
      return comparison(depth - 1);
  }
}

Expr RandomFormula::choice(Kind first, Kind second, int depth) {
  const std::array<Expr, 3> args{boolean(depth), of(first, depth), of(second, depth)};
  return select(args[0], args[1], args[2]);
}

Expr RandomFormula::comparison(int depth) {
  const bool of_booleans = depth > 0 && once_in(8);
  const auto side = [&] { return of_booleans ? boolean(depth) : number(depth); };
  const Expr a = side();
  const Expr b = side();
  switch (below(of_booleans ? 2 : 6)) {
    case 0:
      return a == b;
    case 1:
      return a != b;
    case 2:
      return a < b;
    case 3:
      return a <= b;
    case 4:
      return a > b;
    default:
      return a >= b;
  }
}

Expr RandomFormula::number(int depth) {
  return once_in(4) ? real(depth) : integer(depth);
}

Expr RandomFormula::arithmetic(const Expr& a, const Expr& b) {
  switch (below(8)) {
    case 0:
      return a * b;
    case 1:
      return a / b;
    case 2:
      return a % b;
    case 3:
    case 4:
      return a + b;
    case 5:
      return min(a, b);
    case 6:
      return max(a, b);
    default:
      return a - b;
  }
}

Expr RandomFormula::integer(int depth) {
  if (depth <= 0) return integer_leaf();
  switch (below(10)) {
    case 0:
      return -integer(depth - 1);
    case 1:
      return abs(integer(depth - 1));
    case 2:
      return floor(number(depth - 1));
    case 3:
      return choice(Kind::kInteger, Kind::kInteger, depth - 1);
    case 4:
      return lookup(Kind::kInteger, depth - 1);
    case 5:
      return integer_leaf();
    default: {
      const Expr a = integer(depth - 1);
      return arithmetic(a, integer(depth - 1));
    }
  }
}

Expr RandomFormula::real(int depth) {
  if (depth <= 0) return real_leaf();
  switch (below(14)) {
    case 0:
      return -real(depth - 1);
    case 1:
      return abs(real(depth - 1));
    case 2:
      return exp(number(depth - 1));
    case 3:
      return log(number(depth - 1));
    case 4:
      return tanh(number(depth - 1));
    case 5:
      return sigmoid(number(depth - 1));
    case 6:
      return choice(Kind::kReal, once_in(2) ? Kind::kReal : Kind::kInteger, depth - 1);
    case 7:
      return lookup(Kind::kReal, depth - 1);
    case 8:
      return real_leaf();
    default: {
      const Expr a = real(depth - 1);
      const Expr b = number(depth - 1);
      return once_in(2) ? arithmetic(a, b) : arithmetic(b, a);
    }
  }
}

Expr RandomFormula::integer_leaf() {
  const std::array<Expr, 6> symbols{symbols::q, symbols::k, symbols::i, symbols::b, symbols::h, symbols::g};
  const std::array<std::int64_t, 10> literals{0, 1, -1, 2, -2, 3, 7, -16, 64, 1000};
  if (once_in(200)) return once_in(2) ? INT64_MIN : INT64_MAX;
  if (once_in(3)) return literals[static_cast<std::size_t>(below(static_cast<std::int64_t>(literals.size())))];
  return symbols[static_cast<std::size_t>(once_in(4) ? below(6) : below(2))];  // q and k more often
}

Expr RandomFormula::real_leaf() {
  const std::array<double, 10> literals{0.0, 1.0, -1.0, 0.5, -1.5, 2.0, 1e-05, 0.1, 30.0, -64.0};
  if (once_in(100)) return once_in(3) ? -0.0 : once_in(2) ? HUGE_VAL : -HUGE_VAL;
  if (with_score_ && !once_in(3)) return symbols::s;
  return literals[static_cast<std::size_t>(below(static_cast<std::int64_t>(literals.size())))];
}

Expr RandomFormula::lookup(Kind kind, int depth) {
  std::vector<const Target*> fitting;
  for (const Target& target : targets_) {
    if (target.kind == kind) fitting.push_back(&target);
  }
  if (fitting.empty()) return of(kind, 0);
  const Target& target = *fitting[static_cast<std::size_t>(below(static_cast<std::int64_t>(fitting.size())))];
  std::vector<Expr> indices;
  for (int axis = 0; axis < target.shape.rank(); ++axis) indices.push_back(index(target.shape[axis], depth));
  return Table(target.name).lookup(indices);
}

Expr RandomFormula::index(std::int64_t extent, int depth) {
  const bool with_score = std::exchange(with_score_, false);  // an index may not depend on s
  const Expr any = integer(once_in(2) ? 0 : depth);
  with_score_ = with_score;
  return once_in(4) || extent == 0 ? any : min(max(any, 0), extent - 1);
}

}  // namespace heed::laws
