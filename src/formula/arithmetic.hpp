// What each operation means on single values, once: exact 64-bit integers with / and % rounding toward minus infinity and overflow
// noticed, and reals in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "formula/node.hpp"

namespace heed::formula {

/// Each returns true when the result has no 64-bit value (overflow, division by zero); `out` is then 0.
inline bool add(std::int64_t a, std::int64_t b, std::int64_t& out) {
  const bool broken = __builtin_add_overflow(a, b, &out);
  if (broken) out = 0;
  return broken;
}
inline bool subtract(std::int64_t a, std::int64_t b, std::int64_t& out) {
  const bool broken = __builtin_sub_overflow(a, b, &out);
  if (broken) out = 0;
  return broken;
}
inline bool multiply(std::int64_t a, std::int64_t b, std::int64_t& out) {
  const bool broken = __builtin_mul_overflow(a, b, &out);
  if (broken) out = 0;
  return broken;
}
/// floor(a / b)
inline bool divide(std::int64_t a, std::int64_t b, std::int64_t& out) {
  out = 0;
  if (b == 0 || (b == -1 && a == INT64_MIN)) return true;
  out = a / b;
  if (a % b != 0 && (a < 0) != (b < 0)) --out;
  return false;
}
/// a - b floor(a / b): has the sign of b
inline bool modulo(std::int64_t a, std::int64_t b, std::int64_t& out) {
  out = 0;
  if (b == 0) return true;
  if (b == -1) return false;
  out = a % b;
  if (out != 0 && (out < 0) != (b < 0)) out += b;
  return false;
}

inline bool compare(Op op, auto a, auto b) {
  switch (op) {
    case Op::kLess:
      return a < b;
    case Op::kLessEqual:
      return a <= b;
    case Op::kGreater:
      return a > b;
    case Op::kGreaterEqual:
      return a >= b;
    case Op::kEqual:
      return a == b;
    default:
      return a != b;
  }
}

/// True when the result has no value.
inline bool integer_operation(Op op, std::int64_t a, std::int64_t b, std::int64_t& out) {
  switch (op) {
    case Op::kNegate:
      return subtract(0, a, out);
    case Op::kAdd:
      return add(a, b, out);
    case Op::kSubtract:
      return subtract(a, b, out);
    case Op::kMultiply:
      return multiply(a, b, out);
    case Op::kDivide:
      return divide(a, b, out);
    case Op::kModulo:
      return modulo(a, b, out);
    case Op::kMin:
      out = std::min(a, b);
      return false;
    case Op::kMax:
      out = std::max(a, b);
      return false;
    case Op::kAbs:
      out = a;
      return a < 0 ? subtract(0, a, out) : false;
    default:
      out = a;
      return false;  // floor of an integer
  }
}

inline double real_operation(Op op, double a, double b) {
  switch (op) {
    case Op::kNegate:
      return -a;
    case Op::kAdd:
      return a + b;
    case Op::kSubtract:
      return a - b;
    case Op::kMultiply:
      return a * b;
    case Op::kDivide:
      return a / b;
    case Op::kModulo:
      return a - b * std::floor(a / b);
    case Op::kMin:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case Op::kMax:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case Op::kAbs:
      return std::fabs(a);
    case Op::kExp:
      return std::exp(a);
    case Op::kLog:
      return std::log(a);
    case Op::kTanh:
      return std::tanh(a);
    default:
      return 1.0 / (1.0 + std::exp(-a));  // sigmoid
  }
}

}  // namespace heed::formula
