// Formula: a checked expression, flattened into steps. Every evaluator runs over these steps; none restates the formula.
//
// Steps stand in order of evaluation, equal sub-expressions once (so a common sub-expression costs one step). Types are settled
// here: a kToReal step stands wherever an integer meets a real, so that each remaining operation has operands of one type.
// A chain of score formulas becomes one Formula: the s of each is the result of the one before.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <heed/expression.hpp>

#include "formula/node.hpp"

namespace heed::formula {

enum class Type : std::uint8_t { kBoolean, kInteger, kReal };
[[nodiscard]] std::string_view name_of(Type type);

/// On what a step's value depends: a set of bits.
enum Depends : std::uint8_t { kOnNothing = 0, kOnQuery = 1, kOnKey = 2, kOnBatch = 4, kOnHead = 8, kOnScore = 16 };

struct Step {
  enum class Kind : std::uint8_t { kOperation, kToReal };
  Kind kind = Kind::kOperation;
  Op op = Op::kInteger;
  Type type = Type::kInteger;     ///< of the result
  Type operand = Type::kInteger;  ///< of the (numeric) operands: tells integer from real comparison, division, min, …
  std::array<int, 3> args{-1, -1, -1};
  std::int64_t integer = 0;  ///< literals
  double real = 0;
  int table = -1;              ///< kLookup: index into Formula::tables
  std::vector<int> indices{};  ///< kLookup: steps of its indices
  std::uint8_t depends = kOnNothing;
};

/// A table as a formula uses it.
struct BoundTable {
  std::string name;
  TensorView view;
  std::shared_ptr<const Tensor> owner{};  ///< keeps a travelling table alive
};

/// A lookup that claims that its table fits the problem, which problem/fit.cpp checks: dense(m, b, k).
struct Fitted {
  std::string text;  ///< as it is written
  int table = -1;
  std::vector<Op> axes;      ///< the symbol that an index is: b h g i k q; kLookup where it is anything else
  std::vector<int> indices;  ///< its steps
  bool by_rank = false;      ///< the axes were not said
};

/// A place in the score matrix. s is the scaled similarity.
struct Place {
  std::int64_t q = 0, k = 0, b = 0, h = 0, g = 0;
  std::int64_t i = 0;  ///< row of the query
  double s = 0;
};

/// What a scalar evaluation yields. `broken` is the step that had no value (a lookup out of range, a division by zero, an overflow)
/// and made the result have none; -1 when there is a value. Decided logic and unselected branches forgive broken operands.
struct Value {
  std::int64_t integer = 0;  ///< kInteger; kBoolean as 0 or 1
  double real = 0;           ///< kReal
  int broken = -1;
};

class Formula {
 public:
  /// An empty formula: a mask that is always true, a score that stays s.
  Formula() = default;
  /// Throws Error: unknown name, type error, wrong rank, s in a mask.
  static Formula mask(const Expr& expression, const Tables& tables);
  static Formula score(std::span<const Expr> chain, const Tables& tables);

  [[nodiscard]] bool empty() const { return steps_.empty(); }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<BoundTable>& tables() const { return tables_; }
  [[nodiscard]] int result() const { return result_; }
  [[nodiscard]] std::uint8_t depends() const {
    return steps_.empty() ? std::uint8_t{kOnScore} : steps_[static_cast<std::size_t>(result_)].depends;
  }
  [[nodiscard]] const std::vector<Fitted>& fitted() const { return fitted_; }
  /// True when any step reads the symbol.
  [[nodiscard]] bool mentions(Op symbol) const;
  /// True when any step reads q: then the problem must say how queries are aligned.
  [[nodiscard]] bool mentions_query() const { return mentions(Op::kQuery); }

  /// The definition: the value at one place, in double and exact integers. `values` is scratch of steps().size().
  [[nodiscard]] Value at(const Place& place, std::span<Value> values) const;
  [[nodiscard]] Value at(const Place& place) const;

  /// What step `index` is, for errors: "table doc[k]: index 12 out of range".
  [[nodiscard]] std::string describe(int index, std::span<const Value> values) const;

 private:
  friend class Checker;
  std::vector<Step> steps_;
  std::vector<BoundTable> tables_;
  std::vector<Fitted> fitted_;
  int result_ = -1;
};

/// What an expression is to be: a mask is boolean and knows no s, a score is a number.
enum class Slot : std::uint8_t { kAny, kMask, kScore };

/// Types and names of one expression; for the parser, which knows the text an error points into.
void check_types(const Expr& expression, const Tables& tables, std::string_view text, Slot slot);

}  // namespace heed::formula
