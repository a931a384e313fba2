// The tree behind an Expr, and the one table of operations that parser, printer and checker share.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/expression.hpp>

namespace heed::formula {

enum class Op : std::uint8_t {
  kInteger,
  kReal,
  kBoolean,  // literals
  kScore,
  kQuery,
  kRow,
  kKey,
  kBatch,
  kHead,
  kKvHead,  // symbols
  kLookup,  // name[args…]
  kNegate,
  kNot,  // prefix
  kMultiply,
  kDivide,
  kModulo,
  kAdd,
  kSubtract,  // infix, tightest first
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kSelect,
  kMin,
  kMax,
  kAbs,
  kFloor,
  kExp,
  kLog,
  kTanh,
  kSigmoid,  // functions
};
inline constexpr int kOps = static_cast<int>(Op::kSigmoid) + 1;

/// How an operation is written.
enum class Form : std::uint8_t { kLiteral, kSymbol, kLookup, kPrefix, kInfix, kFunction };

struct OpInfo {
  Op op;
  Form form;
  int arity;
  std::string_view text;  ///< "q", "<=", "select"
  int precedence;         ///< as in C: larger binds tighter; infix and prefix only
};

/// Indexed by Op.
[[nodiscard]] const OpInfo& info(Op op);
[[nodiscard]] std::span<const OpInfo> all_ops();
[[nodiscard]] inline bool is_comparison(Op op) {
  return op >= Op::kLess && op <= Op::kNotEqual;
}

/// Whether a lookup claims that its table fits the problem: written dense(m), its axes told by its rank, or dense(m, b, k), said.
enum class Fit : std::uint8_t { kFree, kByRank, kSaid };

struct Node {
  Op op = Op::kInteger;
  std::int64_t integer = 0;  ///< kInteger; kBoolean as 0 or 1
  double real = 0;           ///< kReal
  std::string name{};        ///< kLookup
  std::vector<Expr> args{};
  Fit fit = Fit::kFree;                  ///< kLookup
  std::shared_ptr<const Tensor> data{};  ///< kLookup of a table that travels with the formula
  int column = 0;                        ///< 1-based place in the text it was read from; 0: built in C++
};

/// A node made into an expression.
[[nodiscard]] Expr make(Node node);
[[nodiscard]] Expr make(Op op, std::vector<Expr> args = {});

}  // namespace heed::formula
