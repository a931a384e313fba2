// Formulas: who sees whom (a mask) and how a score is altered (a score formula), as values.
//
// An Expr is a small immutable tree over
//     s        the score so far            q, k   positions of query and key
//     i        row of the query            b, h, g  batch, query head, key/value head
//     t[…]     a lookup in a bound table
// with + - * / %, comparisons, & | !, select, min max abs floor exp log tanh sigmoid. It is built by C++ operators or from text
// (parse), printed by to_text, and evaluated by heed's evaluators: in double, over ranges, and on whole tiles with SIMD.
//
// Types are boolean, integer (64 bits) and real. Integer / and % round toward minus infinity; a real operand makes an operation
// real; there is no silent step from real to integer (write floor) or between boolean and number (write select).
// The language, complete: docs/formula.md.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heed/tensor.hpp>

namespace heed {

/// Name -> data of the tables that formulas look up. The data must live as long as the plan that uses it, and stay as it is: tiles and
/// the proof that every visible lookup is in range are made from its contents.
using Tables = std::map<std::string, TensorView, std::less<>>;

namespace formula {
struct Node;
}

class Expr {
 public:
  /// The empty expression: as a mask it means "everyone sees everyone".
  Expr() = default;
  /// A number is an expression. Throws Error for an unsigned number beyond 63 bits.
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) Expr(Integer value)
      : Expr(number(std::in_range<std::int64_t>(value), static_cast<std::int64_t>(value))) {}  // NOLINT(google-explicit-constructor)
  Expr(double value);                                                                          // NOLINT(google-explicit-constructor)
  /// Truth values alone: a pointer, or a mask without its parentheses (`.mask = causal`), does not compile.
  template <std::same_as<bool> Boolean>
  Expr(Boolean value) : Expr(truth(value)) {}  // NOLINT(google-explicit-constructor)
  Expr(const char* text) = delete;             // parse(text) reads formulas
  explicit Expr(std::shared_ptr<const formula::Node> node) : node_(std::move(node)) {}

  [[nodiscard]] bool empty() const { return node_ == nullptr; }
  [[nodiscard]] const formula::Node& node() const { return *node_; }
  [[nodiscard]] const std::shared_ptr<const formula::Node>& shared() const { return node_; }

  /// `if (k <= q)` asks a tree for a truth value it does not have.
  explicit operator bool() const = delete;

 private:
  static Expr number(bool fits, std::int64_t value);
  static Expr truth(bool value);
  std::shared_ptr<const formula::Node> node_;
};

/// s q i k b h g
namespace symbols {
extern const Expr s, q, i, k, b, h, g;
}

Expr operator-(const Expr& a);
Expr operator!(const Expr& a);
Expr operator+(const Expr& a, const Expr& b);
Expr operator-(const Expr& a, const Expr& b);
Expr operator*(const Expr& a, const Expr& b);
Expr operator/(const Expr& a, const Expr& b);
Expr operator%(const Expr& a, const Expr& b);
Expr operator<(const Expr& a, const Expr& b);
Expr operator<=(const Expr& a, const Expr& b);
Expr operator>(const Expr& a, const Expr& b);
Expr operator>=(const Expr& a, const Expr& b);
Expr operator==(const Expr& a, const Expr& b);
Expr operator!=(const Expr& a, const Expr& b);
Expr operator&(const Expr& a, const Expr& b);
Expr operator|(const Expr& a, const Expr& b);
/// && and || would promise to skip their right side; formulas are values, so they are & and |.
Expr operator&&(const Expr& a, const Expr& b) = delete;
Expr operator||(const Expr& a, const Expr& b) = delete;

/// a where condition holds, else b.
Expr select(const Expr& condition, const Expr& a, const Expr& b);
Expr min(const Expr& a, const Expr& b);
Expr max(const Expr& a, const Expr& b);
Expr abs(const Expr& a);
/// The largest integer not above a; an integer.
Expr floor(const Expr& a);
Expr exp(const Expr& a);
Expr log(const Expr& a);
Expr tanh(const Expr& a);
/// 1 / (1 + exp(-a))
Expr sigmoid(const Expr& a);

/// A table by name. Its data is bound in Problem::tables, or travels with it (named masks make such tables).
class Table {
 public:
  explicit Table(std::string name) : name_(std::move(name)) {}
  Table(std::string name, Tensor data) : name_(std::move(name)), data_(std::make_shared<const Tensor>(std::move(data))) {}

  /// A lookup in a table of rank 1.
  Expr operator[](const Expr& index) const { return lookup({index}); }
  /// A lookup in a table of any rank: bias(h, k - q + 128), written bias[h, k - q + 128] in text.
  template <class... Indices>
  Expr operator()(const Indices&... indices) const {
    return lookup({Expr(indices)...});
  }
  [[nodiscard]] Expr lookup(std::vector<Expr> indices) const;
  /// A lookup that claims that the table fits the problem, written dense(t, b, k): along b, h, g and i it has the problem's extent,
  /// along k first_key + Tk, each of them or 1, which broadcasts; along q as many as there are positions. A plan refuses any other table.
  [[nodiscard]] Expr fitted(std::vector<Expr> axes) const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::shared_ptr<const Tensor> data_;
};

/// The expression as text that parse() reads back to an equal tree.
[[nodiscard]] std::string to_text(const Expr& expression);

/// Reads a formula. Names are the symbols, the functions, the named masks and scores (see masks.hpp, scores.hpp), and the
/// tables of `tables`. Throws Error with the column and a caret.
[[nodiscard]] Expr parse(std::string_view text, const Tables& tables = {});
/// The same for a formula that is to be a mask (boolean, without s) or a score (a number): an error about that points into `text` too.
[[nodiscard]] Expr parse_mask(std::string_view text, const Tables& tables = {});
[[nodiscard]] Expr parse_score(std::string_view text, const Tables& tables = {});

/// True when both are the same tree (tables compare by name).
[[nodiscard]] bool same(const Expr& a, const Expr& b);

}  // namespace heed
