// to_text: the canonical text of a tree.
//
// Parentheses only where parse() would otherwise build another tree: around an operand that binds less tightly (or equally, on the
// right: infix operations group to the left), around a comparison within a comparison, and around a number behind a prefix minus,
// since `-3` is the literal and `-(3)` the negation of 3. One blank around infix operators and after commas, none elsewhere.
// No recursion: pieces of text and nodes wait on a stack, so that no tree is too deep. Cost: one visit per node written.
// Checked by print_test.cpp and, on random trees, by parse_test.cpp.
#include "formula/print.hpp"

#include <charconv>
#include <cmath>

namespace heed::formula {
namespace {

bool is_number(const Node& node) {
  return node.op == Op::kInteger || node.op == Op::kReal;
}

bool needs_parentheses(const Node& parent, const Node& child, std::size_t place) {
  const OpInfo& outer = info(parent.op);
  const OpInfo& inner = info(child.op);
  if (outer.form == Form::kPrefix) return inner.form == Form::kInfix || (parent.op == Op::kNegate && is_number(child));
  if (outer.form != Form::kInfix || inner.form != Form::kInfix) return false;
  if (is_comparison(parent.op) && is_comparison(child.op)) return true;
  return place == 0 ? inner.precedence < outer.precedence : inner.precedence <= outer.precedence;
}

class Writer {
 public:
  explicit Writer(const Node* mark) : mark_(mark) {}

  Written run(const Node& root) {
    push(root);
    while (!waiting_.empty()) {
      const Piece piece = waiting_.back();
      waiting_.pop_back();
      step(piece);
      if (written_.nodes > kMaxNodes) {
        written_.text += "...";
        break;
      }
    }
    return std::move(written_);
  }

 private:
  // A node to write, or text; `levels` opens (+1) or closes (-1) a level of nesting; `of` is the node whose operator the text is.
  struct Piece {
    const Node* node = nullptr;
    std::string_view text{};
    int levels = 0;
    const Node* of = nullptr;
  };

  void push(const Node& node) { waiting_.push_back({.node = &node}); }
  void push(std::string_view text, int levels = 0, const Node* of = nullptr) {
    waiting_.push_back({.text = text, .levels = levels, .of = of});
  }

  void step(const Piece& piece) {
    if (piece.node != nullptr) {
      ++written_.nodes;
      expand(*piece.node);
      return;
    }
    level_ += piece.levels;
    if (level_ > written_.nesting) written_.nesting = level_;
    if (piece.of != nullptr && piece.of == mark_ && written_.column == 0) written_.column = static_cast<int>(written_.text.size()) + 1;
    written_.text += piece.text;
  }

  // The last piece pushed is written first.
  void expand(const Node& node) {
    switch (info(node.op).form) {
      case Form::kLiteral:
        return literal(node);
      case Form::kSymbol:
        return push(info(node.op).text, 0, &node);
      case Form::kLookup:
        return node.fit == Fit::kFree ? list(node, node.name, "[", "]") : fitted(node);
      case Form::kFunction:
        return list(node, info(node.op).text, "(", ")");
      case Form::kPrefix:
        push("", -1);
        operand(node, 0);
        return push(info(node.op).text, 1, &node);
      case Form::kInfix:
        operand(node, 1);
        push(" ");
        push(info(node.op).text, 0, &node);
        push(" ");
        return operand(node, 0);
    }
  }

  void operand(const Node& parent, std::size_t place) {
    const Node& child = parent.args[place].node();
    const bool enclosed = needs_parentheses(parent, child, place);
    if (enclosed) push(")", -1);
    push(child);
    if (enclosed) push("(", 1);
  }

  void list(const Node& node, std::string_view name, std::string_view open, std::string_view close) {
    push(close, -1);
    for (std::size_t i = node.args.size(); i-- > 0;) {
      push(node.args[i].node());
      if (i > 0) push(", ");
    }
    push(open, 1);
    push(name, 0, &node);
  }

  void fitted(const Node& node) {
    push(")", -1);
    for (std::size_t i = node.fit == Fit::kSaid ? node.args.size() : 0; i-- > 0;) {
      push(node.args[i].node());
      push(", ");
    }
    push(node.name);
    push("(", 1);
    push("dense", 0, &node);
  }

  void literal(const Node& node) {
    if (&node == mark_ && written_.column == 0) written_.column = static_cast<int>(written_.text.size()) + 1;
    if (node.op == Op::kBoolean) {
      written_.text += node.integer != 0 ? "true" : "false";
    } else {
      written_.text += node.op == Op::kReal ? real_text(node.real) : std::to_string(node.integer);
    }
  }

  const Node* mark_;
  Written written_;
  int level_ = 0;
  std::vector<Piece> waiting_;
};

}  // namespace

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  std::string text(digits.data(), result.ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

Written write(const Expr& expression, const Node* mark) {
  if (expression.empty()) return {};
  return Writer(mark).run(expression.node());
}

}  // namespace heed::formula

namespace heed {
std::string to_text(const Expr& expression) {
  return formula::write(expression).text;
}
}  // namespace heed
