// parse: from text to a tree, by recursive descent with precedence climbing over the one table of operations.
//
//   expression = prefix { infix prefix } ;  prefix = ( "-" | "!" ) prefix | primary ;
//   primary    = number | name | name "(" [ expression { "," expression } ] ")" | name "[" expression { "," expression } "]" | "("
//   expression ")"
//
// A minus directly before a number belongs to the number. Comparisons do not chain. The whole grammar with its names: docs/formula.md.
// Named masks and scores are replaced by their expressions here; no later part of heed knows them. Recursion is bounded by
// kMaxNesting, the tree by kMaxNodes (print.hpp). Cost: linear in the text. Checked by parse_test.cpp and parse_fuzz.cpp.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

#include <heed/error.hpp>
#include <heed/spelling.hpp>

#include "formula/formula.hpp"
#include "formula/lexer.hpp"
#include "formula/named.hpp"
#include "formula/names.hpp"
#include "formula/node.hpp"
#include "formula/print.hpp"
#include "formula/text_error.hpp"

namespace heed::formula {
namespace {

constexpr std::size_t kMaxText = 1'000'000;  // bytes

std::string quoted(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string describe(const Token& token) {
  return token.kind == Token::Kind::kEnd ? "the end" : quoted(token.text);
}

std::string usage_of(const OpInfo& function) {
  constexpr std::array<std::string_view, 4> kArguments{"()", "(a)", "(a, b)", "(condition, a, b)"};
  return std::string(function.text) + std::string(kArguments[static_cast<std::size_t>(function.arity)]);
}

std::string usage_of(const Named& row) {
  std::string text = row.name + "(";
  for (const std::string& parameter : row.parameters) text += (text.back() == '(' ? "" : ", ") + parameter;
  return row.parameters.empty() ? row.name : text + ")";
}

std::vector<const Named*> rows_named(std::string_view name) {
  std::vector<const Named*> rows;
  for (const std::span<const Named> table : {named_masks(), named_scores()}) {
    for (const Named& row : table) {
      if (row.name == name) rows.push_back(&row);
    }
  }
  return rows;
}

const OpInfo* find_op(std::string_view text, Form form) {
  for (const OpInfo& op : all_ops()) {
    if (op.form == form && op.text == text) return &op;
  }
  return nullptr;
}

// What a named mask built gets the column of its call; its arguments have theirs.
Expr placed(const Expr& expression, int column) {
  if (expression.node().column != 0) return expression;
  Node node = expression.node();
  node.column = column;
  for (Expr& argument : node.args) argument = placed(argument, column);
  return make(std::move(node));
}

// Whether a number written with a point or an exponent is less than 1: the power of ten of its first digit that is not 0.
bool below_one(std::string_view number) {
  const std::size_t mark = number.find_first_of("eE");
  const std::string_view digits = number.substr(0, mark);
  const std::size_t first = digits.find_first_of("123456789"), point = std::min(digits.find('.'), digits.size());
  if (first == std::string_view::npos) return true;
  std::string_view exponent = mark == std::string_view::npos ? "0" : number.substr(mark + 1);
  if (exponent.front() == '+') exponent.remove_prefix(1);
  long long power = 0;
  if (std::from_chars(exponent.data(), exponent.data() + exponent.size(), power).ec != std::errc{}) return exponent.front() == '-';
  return power + static_cast<long long>(point) - static_cast<long long>(first < point ? first + 1 : first) < 0;
}

// An operand as it stands in the text: a comparison without parentheses may not be compared again.
struct Operand {
  Expr expr;
  bool bare_comparison = false;
};

class Parser {
 public:
  Parser(std::string_view text, const Tables& tables, Slot slot) : text_(text), tables_(tables), slot_(slot), lexer_(checked(text)) {}

  Expr run() {
    for (const auto& [name, view] : tables_) {
      if (const std::string_view taken = taken_by(name); !taken.empty()) {
        fail_at(text_, 0, "table " + quoted(name) + " has the name of a " + std::string(taken) + ": it must be renamed");
      }
    }
    if (lexer_.peek().kind == Token::Kind::kEnd) fail(lexer_.peek(), "the formula is empty");
    Expr expression = infix(0).expr;
    const Token& last = lexer_.peek();
    if (last.is(")") || last.is("]")) fail(last, quoted(last.text) + " closes nothing");
    if (last.kind != Token::Kind::kEnd) fail(last, "unexpected " + quoted(last.text) + " after a complete expression");
    const Written written = write(expression);
    if (written.nodes > kMaxNodes) too_large(last.column);
    if (written.nesting > kMaxNesting) too_deep(last.column);
    check_types(expression, tables_, text_, slot_);
    return expression;
  }

 private:
  static std::string_view checked(std::string_view text) {
    if (text.size() > kMaxText) fail_at({}, 0, "a text of " + counted(text.size(), "byte") + "; at most " + std::to_string(kMaxText));
    return text;
  }

  [[noreturn]] void fail(const Token& token, const std::string& message) const { fail_at(text_, token.column, message); }
  [[noreturn]] void too_large(int column) const {
    fail_at(text_, column,
            "the formula is too large: more than " + std::to_string(kMaxNodes) + " operations and operands (put data into a table)");
  }
  [[noreturn]] void too_deep(int column) const {
    fail_at(text_, column, "the formula is nested too deeply: more than " + std::to_string(kMaxNesting) + " levels");
  }

  // Parentheses, brackets, argument lists and prefix operators open a level.
  class Level {
   public:
    Level(Parser& parser, const Token& token) : parser_(parser) {
      if (++parser_.level_ > kMaxNesting) parser_.too_deep(token.column);
    }
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };

  Expr build(Node node, const Token& token) {
    if (++nodes_ > kMaxNodes) too_large(token.column);
    node.column = token.column;
    return make(std::move(node));
  }
  Expr build(Op op, std::vector<Expr> args, const Token& token) {
    Node node;
    node.op = op;
    node.args = std::move(args);
    return build(std::move(node), token);
  }

  Operand infix(int loosest) {
    Operand left = prefix();
    for (const OpInfo* op = infix_at_hand(); op != nullptr && op->precedence >= loosest; op = infix_at_hand()) {
      const Token sign = lexer_.take();
      const Operand right = infix(op->precedence + 1);
      if (is_comparison(op->op) && (left.bare_comparison || right.bare_comparison)) fail(sign, chain_advice(*op, left, right));
      left = {.expr = build(op->op, {left.expr, right.expr}, sign), .bare_comparison = is_comparison(op->op)};
    }
    return left;
  }

  [[nodiscard]] const OpInfo* infix_at_hand() const {
    const Token& token = lexer_.peek();
    if (token.kind == Token::Kind::kName && !advice_on_word(token.text).empty()) {
      fail(token, quoted(token.text) + " is not of this language: " + std::string(advice_on_word(token.text)));
    }
    return token.kind == Token::Kind::kSign ? find_op(token.text, Form::kInfix) : nullptr;
  }

  static std::string chain_advice(const OpInfo& op, const Operand& left, const Operand& right) {
    const auto compared = [](const Expr& a, Op between, const Expr& b) {
      return to_text(a) + " " + std::string(info(between).text) + " " + to_text(b);
    };
    const auto whole = [](const Operand& side) { return side.bare_comparison ? to_text(side.expr) : ""; };
    std::string advice;
    if (left.bare_comparison && right.bare_comparison) {
      advice = whole(left) + " & " + compared(left.expr.node().args[1], op.op, right.expr.node().args[0]) + " & " + whole(right);
    } else if (left.bare_comparison) {
      advice = whole(left) + " & " + compared(left.expr.node().args[1], op.op, right.expr);
    } else {
      advice = compared(left.expr, op.op, right.expr.node().args[0]) + " & " + whole(right);
    }
    constexpr std::size_t kReadable = 80;
    if (advice.size() > kReadable) advice = "a < b & b < c";
    return "comparisons do not chain: write " + quoted(advice) + ", or parentheses around one of them";
  }

  Operand prefix() {
    const Token token = lexer_.peek();
    const OpInfo* op = token.kind == Token::Kind::kSign ? find_op(token.text, Form::kPrefix) : nullptr;
    if (op == nullptr) return {.expr = primary()};
    lexer_.take();
    const Token& next = lexer_.peek();
    if (op->op == Op::kNegate && next.kind == Token::Kind::kNumber) return {.expr = number(token, true)};
    if (op->op == Op::kNegate && next.kind == Token::Kind::kName && next.text == "inf") {
      lexer_.take();
      return {.expr = real(-HUGE_VAL, token)};
    }
    const Level level(*this, token);
    return {.expr = build(op->op, {prefix().expr}, token)};
  }

  Expr primary() {
    const Token& token = lexer_.peek();
    if (token.kind == Token::Kind::kNumber) return number(token, false);
    if (token.kind == Token::Kind::kName) return name(lexer_.take());
    if (token.is("+")) fail(token, "there is no prefix `+`");
    if (!token.is("(")) fail(token, "expected a number, a name or `(`, found " + describe(token));
    const Token open = lexer_.take();
    const Level level(*this, open);
    Expr inner = infix(0).expr;
    close(")", open);
    return inner;
  }

  void close(std::string_view sign, const Token& open) {
    const Token& token = lexer_.peek();
    if (!token.is(sign)) {
      fail(token, "expected " + quoted(sign) + " for the " + quoted(open.text) + " of column " + std::to_string(open.column) + ", found " +
                      describe(token));
    }
    lexer_.take();
  }

  Expr real(double value, const Token& token) {
    Node node;
    node.op = Op::kReal;
    node.real = value;
    return build(std::move(node), token);
  }

  // `first` is the minus or the number itself.
  Expr number(const Token first, bool negative) {
    const Token token = lexer_.take();
    if (token.text.find_first_of(".eE") == std::string_view::npos) return integer(token, negative, first);
    double value = 0;
    if (std::from_chars(token.text.data(), token.text.data() + token.text.size(), value).ec != std::errc{}) {
      fail(token, "no double holds " + quoted(token.text) +
                      (below_one(token.text) ? ": it is too small (zero is written 0.0)" : ": it is too large (infinity is written inf)"));
    }
    return real(negative ? -value : value, first);
  }

  Expr integer(const Token& token, bool negative, const Token& first) {
    constexpr std::uint64_t kMost = INT64_MAX;
    std::uint64_t value = 0;
    const bool fits = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value).ec == std::errc{};
    if (!fits || value > kMost + (negative ? 1 : 0)) fail(token, "an integer beyond 64 bits (a real is written with a point or exponent)");
    Node node;
    node.op = Op::kInteger;
    node.integer = static_cast<std::int64_t>(negative ? -value : value);
    return build(std::move(node), first);
  }

  Expr name(const Token token) {
    const Token& next = lexer_.peek();
    if (token.text == "true" || token.text == "false") {
      Node node;
      node.op = Op::kBoolean;
      node.integer = token.text == "true" ? 1 : 0;
      return build(std::move(node), token);
    }
    if (token.text == "inf") return real(HUGE_VAL, token);
    if (token.text == "nan") fail(token, "NaN is not a literal");
    if (const OpInfo* symbol = find_op(token.text, Form::kSymbol)) {
      if (next.is("(") || next.is("[")) fail(next, quoted(token.text) + " is a symbol: it has neither arguments nor indices");
      return build(symbol->op, {}, token);
    }
    if (const OpInfo* op = find_op(token.text, Form::kFunction)) return function(token, *op);
    if (next.is("[")) return lookup(token);
    if (const auto rows = rows_named(token.text); !rows.empty()) return named(token, rows);
    if (const auto table = tables_.find(token.text); table != tables_.end()) bare_table(token, table->second);
    unknown(token);
  }

  // The elements of "( … )" or "[ … ]"; each is read by `element`.
  template <class Element>
  void list(std::string_view closing, const Element& element) {
    const Token open = lexer_.take();
    const Level level(*this, open);
    while (!lexer_.peek().is(closing)) {
      element();
      if (lexer_.peek().is(closing)) break;
      if (!lexer_.peek().is(",")) close(closing, open);
      lexer_.take();
      if (lexer_.peek().is(closing)) fail(lexer_.peek(), "expected an expression after `,`");
    }
    lexer_.take();
  }

  Expr function(const Token token, const OpInfo& op) {
    if (!lexer_.peek().is("(")) fail(token, quoted(token.text) + " is a function: " + usage_of(op));
    std::vector<Expr> args;
    list(")", [&] { args.push_back(infix(0).expr); });
    if (args.size() != static_cast<std::size_t>(op.arity)) {
      fail(token, quoted(token.text) + " takes " + counted(static_cast<std::size_t>(op.arity), "argument") + ", " + usage_of(op) +
                      "; found " + std::to_string(args.size()));
    }
    return build(op.op, std::move(args), token);
  }

  Expr lookup(const Token token) {
    if (tables_.find(token.text) == tables_.end()) {
      if (const auto rows = rows_named(token.text); !rows.empty())
        fail(token, quoted(token.text) + " is a named " + rows[0]->kind + ", and no table of this name is bound");
      unknown(token);
    }
    Node node;
    node.op = Op::kLookup;
    node.name = token.text;
    list("]", [&] { node.args.push_back(infix(0).expr); });
    if (node.args.empty()) fail(token, "a lookup without an index");
    return build(std::move(node), token);
  }

  Argument argument() {
    const Token token = lexer_.peek();
    const auto table = token.kind == Token::Kind::kName ? tables_.find(token.text) : tables_.end();
    if (table == tables_.end()) return infix(0).expr;
    const Token next = lexer_.after();
    if (!next.is(",") && !next.is(")")) return infix(0).expr;
    lexer_.take();
    return NamedTable{.name = table->first, .view = table->second};
  }

  Expr named(const Token token, const std::vector<const Named*>& rows) {
    std::vector<Argument> args;
    if (lexer_.peek().is("(")) list(")", [&] { args.push_back(argument()); });
    std::string usages;
    for (const Named* row : rows) {
      const bool more = row->parameters.size() > 1 && row->parameters.back() == "..." && args.size() + 1 >= row->parameters.size();
      if (more || row->parameters.size() == args.size()) return expand(token, *row, args);
      usages += (usages.empty() ? "" : " or ") + quoted(usage_of(*row));
    }
    fail(token, quoted(token.text) + " is written " + usages + "; found " + counted(args.size(), "argument"));
  }

  Expr expand(const Token& token, const Named& row, std::span<const Argument> args) const {
    std::optional<Expr> expression;
    try {
      expression = row.build(args);
    } catch (const Error& error) {
      fail(token, error.what());
    }
    return placed(*expression, token.column);
  }

  [[noreturn]] void bare_table(const Token& token, const TensorView& view) const {
    if (lexer_.peek().is("(")) fail(token, quoted(token.text) + " is a table: a lookup is written with brackets");
    constexpr std::array<std::string_view, 5> kIndices{"[]", "[k]", "[i, k]", "[h, i, k]", "[b, h, i, k]"};
    const auto rank = static_cast<std::size_t>(view.shape.rank());
    std::string message = quoted(token.text) + " is a table of rank " + std::to_string(rank) + ": it needs " +
                          (rank == 1 ? "an index" : std::to_string(rank) + " indices");
    if (rank < kIndices.size()) message += ", as in " + quoted(std::string(token.text) + std::string(kIndices[rank]));
    fail(token, message);
  }

  [[noreturn]] void unknown(const Token& token) const {
    if (const std::string_view advice = advice_on_word(token.text); !advice.empty()) {
      fail(token, quoted(token.text) + " is not of this language: " + std::string(advice));
    }
    std::vector<std::string> names{"true", "false", "inf"};
    std::string bound;
    for (const auto& [table, view] : tables_) {
      if (!is_identifier(table)) continue;
      names.push_back(table);
      bound += (bound.empty() ? "" : ", ") + table;
    }
    for (const OpInfo& op : all_ops()) {
      if (op.form == Form::kFunction) names.emplace_back(op.text);
    }
    for (const Named& row : named_masks()) names.push_back(row.name);
    for (const Named& row : named_scores()) names.push_back(row.name);
    std::string message = "unknown name " + quoted(token.text);
    if (const std::string meant = nearest(token.text, names); !meant.empty()) message += "; did you mean " + quoted(meant) + "?";
    if (token.text.size() == 1) message += "; symbols are s q i k b h g";
    if (!bound.empty()) message += " (tables: " + bound + ")";
    if (bound.empty() && lexer_.peek().is("[")) message += " (no table is bound)";
    fail(token, message);
  }

  std::string_view text_;
  const Tables& tables_;
  Slot slot_;
  Lexer lexer_;
  int level_ = 0;
  int nodes_ = 0;
};

}  // namespace
}  // namespace heed::formula

namespace heed {
Expr parse(std::string_view text, const Tables& tables) {
  return formula::Parser(text, tables, formula::Slot::kAny).run();
}
Expr parse_mask(std::string_view text, const Tables& tables) {
  return formula::Parser(text, tables, formula::Slot::kMask).run();
}
Expr parse_score(std::string_view text, const Tables& tables) {
  return formula::Parser(text, tables, formula::Slot::kScore).run();
}
}  // namespace heed
