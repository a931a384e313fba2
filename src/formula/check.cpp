// Checking: from a tree to a Formula. Names and ranks are resolved, types settled, equal sub-expressions shared.
//
// The rules (docs/formula.md): numbers mix, and an integer that meets a real becomes real; / of two integers floors, / with a real
// divides; floor makes an integer; conditions are boolean; nothing steps from real to integer or between boolean and number.
#include <bit>
#include <map>
#include <unordered_map>

#include <heed/error.hpp>

#include "formula/formula.hpp"
#include "formula/text_error.hpp"

namespace heed::formula {

std::string_view name_of(Type type) {
  switch (type) {
    case Type::kBoolean:
      return "boolean";
    case Type::kInteger:
      return "integer";
    case Type::kReal:
      return "real";
  }
  return "";
}

class Checker {
 public:
  Checker(Formula& formula, const Tables& tables, std::string_view text, bool with_score)
      : formula_(formula), tables_(tables), text_(text), with_score_(with_score) {}

  /// The step that computes `expression`; s means the result of the chain so far (at first, the similarity itself).
  int begin(const Expr& expression) {
    whole_ = expression;
    return visit(expression);
  }

  int visit(const Expr& expression) {
    const Node& node = expression.node();
    if (const auto known = visited_.find(&node); known != visited_.end()) return known->second;
    constexpr int kMaxDepth = 5000;  // what the parser's limit on nodes allows; deeper would strain the stack
    if (depth_ >= kMaxDepth) fail(node, "the formula is nested more than " + std::to_string(kMaxDepth) + " deep");
    ++depth_;
    const int step = build(node);
    --depth_;
    visited_.emplace(&node, step);
    return step;
  }

  /// From here on s is the result of `step`.
  void chain(int step) {
    score_ = step;
    visited_.clear();
  }

  [[noreturn]] void fail(const Node& node, const std::string& message) const {
    if (text_.empty()) fail_in(whole_, node, message);
    fail_at(text_, node.column, message);
  }

  void require(int step, Type type, const Node& node, std::string_view role) const {
    if (type_of(step) != type) {
      fail(node, std::string(role) + " must be " + std::string(name_of(type)) + ", but `" + quote(node) + "` is " +
                     std::string(name_of(type_of(step))));
    }
  }

  /// What the whole expression must be.
  void require_slot(int step, const Node& node, Slot slot) const {
    if (slot == Slot::kMask) require(step, Type::kBoolean, node, "a mask");
    if (slot == Slot::kScore && type_of(step) == Type::kBoolean)
      fail(node, "a score must be a number, but `" + quote(node) + "` is boolean");
  }

  int real(int step) {
    if (type_of(step) == Type::kReal) return step;
    Step convert{.kind = Step::Kind::kToReal, .type = Type::kReal, .operand = Type::kInteger, .args = {step, -1, -1}};
    convert.depends = at(step).depends;
    return add(convert);
  }

  [[nodiscard]] Type type_of(int step) const { return at(step).type; }

 private:
  static std::string quote(const Node& node) { return to_text(make(node)); }
  [[nodiscard]] const Step& at(int step) const { return formula_.steps_[static_cast<std::size_t>(step)]; }

  int add(const Step& step) {
    std::vector<std::int64_t> key{static_cast<int>(step.kind),
                                  static_cast<int>(step.op),
                                  static_cast<int>(step.operand),
                                  step.args[0],
                                  step.args[1],
                                  step.args[2],
                                  step.integer,
                                  std::bit_cast<std::int64_t>(step.real),
                                  step.table};
    key.insert(key.end(), step.indices.begin(), step.indices.end());
    const auto [place, fresh] = shared_.try_emplace(std::move(key), static_cast<int>(formula_.steps_.size()));
    if (fresh) formula_.steps_.push_back(step);
    return place->second;
  }

  int build(const Node& node) {
    switch (info(node.op).form) {
      case Form::kLiteral:
        return literal(node);
      case Form::kSymbol:
        return symbol(node);
      case Form::kLookup:
        return lookup(node);
      default:
        return operation(node);
    }
  }

  int literal(const Node& node) {
    Step step{.op = node.op, .integer = node.integer, .real = node.real};
    step.type = node.op == Op::kInteger ? Type::kInteger : node.op == Op::kReal ? Type::kReal : Type::kBoolean;
    return add(step);
  }

  int symbol(const Node& node) {
    if (node.op == Op::kScore) {
      if (!with_score_) fail(node, "`s` is the score, and a mask is decided before any score: write a score formula instead");
      if (score_ >= 0) return score_;
      return add({.op = Op::kScore, .type = Type::kReal, .depends = kOnScore | kOnQuery | kOnKey | kOnBatch | kOnHead});
    }
    std::uint8_t depends = kOnHead;
    if (node.op == Op::kQuery || node.op == Op::kRow) depends = kOnQuery;
    if (node.op == Op::kKey) depends = kOnKey;
    if (node.op == Op::kBatch) depends = kOnBatch;
    return add({.op = node.op, .type = Type::kInteger, .depends = depends});
  }

  int table_of(const Node& node) {
    for (std::size_t i = 0; i < formula_.tables_.size(); ++i) {
      const BoundTable& bound = formula_.tables_[i];
      const bool same = node.data ? bound.owner && bound.view.data == node.data->view().data : !bound.owner;
      if (bound.name == node.name && same) return static_cast<int>(i);
    }
    BoundTable bound{.name = node.name, .view = {}, .owner = node.data};
    if (node.data) {
      bound.view = node.data->view();
    } else if (const auto found = tables_.find(node.name); found != tables_.end()) {
      bound.view = found->second;
    } else {
      std::string names;
      for (const auto& [name, view] : tables_) names += (names.empty() ? "" : ", ") + name;
      fail(node, "no table is bound to the name `" + node.name + "`; bound are: " + (names.empty() ? "none" : names));
    }
    if (bound.view.shape.rank() == 0) fail(node, "table `" + node.name + "` has no axis to look up along");
    if (bound.view.strides.rank() != bound.view.shape.rank()) fail(node, "table `" + node.name + "` has not as many strides as axes");
    if (bound.view.data == nullptr && count_of(bound.view.shape) > 0) fail(node, "table `" + node.name + "` has no data");
    formula_.tables_.push_back(bound);
    return static_cast<int>(formula_.tables_.size()) - 1;
  }

  int lookup(const Node& node) {
    Step step{.op = Op::kLookup, .table = table_of(node)};
    const TensorView& view = formula_.tables_[static_cast<std::size_t>(step.table)].view;
    step.type = is_real(view.dtype) ? Type::kReal : view.dtype == DType::kBool ? Type::kBoolean : Type::kInteger;
    if (static_cast<int>(node.args.size()) != view.shape.rank()) {
      fail(node, "table `" + node.name + "` has rank " + std::to_string(view.shape.rank()) + " (shape " + heed::to_text(view.shape) +
                     ") but is given " + std::to_string(node.args.size()) + (node.args.size() == 1 ? " index" : " indices"));
    }
    Fitted fitted{.text = {}, .table = step.table, .axes = {}, .indices = {}, .by_rank = node.fit == Fit::kByRank};
    for (const Expr& argument : node.args) {
      const Op symbol = argument.node().op;
      const bool axis = node.fit != Fit::kFree && info(symbol).form == Form::kSymbol && symbol != Op::kScore;
      const std::int64_t extent = view.shape[static_cast<int>(step.indices.size())];
      const bool broadcast = axis && extent == 1 && symbol != Op::kQuery;
      const int index = broadcast ? add({.op = Op::kInteger, .type = Type::kInteger}) : visit(argument);
      fitted.axes.push_back(axis ? symbol : Op::kLookup);
      require(index, Type::kInteger, argument.node(), "an index of table `" + node.name + "`");
      if (at(index).depends & kOnScore) {
        fail(argument.node(),
             "an index of table `" + node.name + "` may not depend on `s`: it could not be checked before anything is written");
      }
      step.depends |= at(index).depends;
      step.indices.push_back(index);
    }
    if (node.fit != Fit::kFree) {
      fitted.text = quote(node);
      fitted.indices = step.indices;
      formula_.fitted_.push_back(std::move(fitted));
    }
    return add(step);
  }

  int operation(const Node& node) {
    Step step{.op = node.op};
    for (std::size_t i = 0; i < node.args.size(); ++i) step.args[i] = visit(node.args[i]);
    settle_types(node, step);
    for (const int argument : step.args) {
      if (argument >= 0) step.depends |= at(argument).depends;
    }
    return add(step);
  }

  void require_number(int step, const Node& argument, const Node& node) const {
    if (type_of(step) == Type::kBoolean) {
      fail(argument, "`" + std::string(info(node.op).text) + "` works on numbers, but `" + quote(argument) +
                         "` is boolean (select(c, a, b) makes a number of it)");
    }
  }

  /// Makes arguments first..1 (or 2) of one numeric type and returns it.
  Type unify(const Node& node, Step& step, std::size_t first) {
    bool any_real = false;
    for (std::size_t i = first; i < node.args.size(); ++i) {
      require_number(step.args[i], node.args[i].node(), node);
      any_real |= type_of(step.args[i]) == Type::kReal;
    }
    if (!any_real) return Type::kInteger;
    for (std::size_t i = first; i < node.args.size(); ++i) step.args[i] = real(step.args[i]);
    return Type::kReal;
  }

  void settle_types(const Node& node, Step& step) {
    switch (node.op) {
      case Op::kNot:
      case Op::kAnd:
      case Op::kOr:
        for (std::size_t i = 0; i < node.args.size(); ++i)
          require(step.args[i], Type::kBoolean, node.args[i].node(), "an operand of `" + std::string(info(node.op).text) + "`");
        step.operand = step.type = Type::kBoolean;
        return;
      case Op::kEqual:
      case Op::kNotEqual:
        if (type_of(step.args[0]) == Type::kBoolean && type_of(step.args[1]) == Type::kBoolean) {
          step.operand = step.type = Type::kBoolean;
          return;
        }
        [[fallthrough]];
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        step.operand = unify(node, step, 0);
        step.type = Type::kBoolean;
        return;
      case Op::kSelect:
        require(step.args[0], Type::kBoolean, node.args[0].node(), "the condition of select");
        if (type_of(step.args[1]) == Type::kBoolean && type_of(step.args[2]) == Type::kBoolean) {
          step.operand = step.type = Type::kBoolean;
          return;
        }
        step.operand = step.type = unify(node, step, 1);
        return;
      case Op::kFloor:
        require_number(step.args[0], node.args[0].node(), node);
        step.operand = type_of(step.args[0]);
        step.type = Type::kInteger;
        return;
      case Op::kExp:
      case Op::kLog:
      case Op::kTanh:
      case Op::kSigmoid:
        require_number(step.args[0], node.args[0].node(), node);
        step.args[0] = real(step.args[0]);
        step.operand = step.type = Type::kReal;
        return;
      default:
        step.operand = step.type = unify(node, step, 0);
        return;
    }
  }

  Formula& formula_;
  const Tables& tables_;
  std::string_view text_;  // what the expression was read from, if known: errors point into it
  Expr whole_;
  bool with_score_;
  int score_ = -1;
  int depth_ = 0;
  std::unordered_map<const Node*, int> visited_;
  std::map<std::vector<std::int64_t>, int> shared_;
};

Formula Formula::mask(const Expr& expression, const Tables& tables) {
  Formula formula;
  if (expression.empty()) return formula;
  Checker checker(formula, tables, "", false);
  formula.result_ = checker.begin(expression);
  checker.require_slot(formula.result_, expression.node(), Slot::kMask);
  return formula;
}

Formula Formula::score(std::span<const Expr> chain, const Tables& tables) {
  Formula formula;
  Checker checker(formula, tables, "", true);
  for (const Expr& expression : chain) {
    if (expression.empty()) continue;
    const int step = checker.begin(expression);
    checker.require_slot(step, expression.node(), Slot::kScore);
    formula.result_ = checker.real(step);
    checker.chain(formula.result_);
  }
  return formula;
}

void check_types(const Expr& expression, const Tables& tables, std::string_view text, Slot slot) {
  Formula formula;
  Checker checker(formula, tables, text, slot != Slot::kMask);
  checker.require_slot(checker.begin(expression), expression.node(), slot);
}

bool Formula::mentions(Op symbol) const {
  for (const Step& step : steps_) {
    if (step.op == symbol && step.kind == Step::Kind::kOperation) return true;
  }
  return false;
}

std::string Formula::describe(int index, std::span<const Value> values) const {
  const Step& step = steps_[static_cast<std::size_t>(index)];
  if (step.op == Op::kLookup) {
    const BoundTable& table = tables_[static_cast<std::size_t>(step.table)];
    std::string text = "lookup out of range: " + table.name + "[";
    for (std::size_t i = 0; i < step.indices.size(); ++i) {
      text += (i ? ", " : "") + std::to_string(values[static_cast<std::size_t>(step.indices[i])].integer);
    }
    return text + "] in a table of shape " + heed::to_text(table.view.shape);
  }
  const bool by_zero = (step.op == Op::kDivide || step.op == Op::kModulo) && values[static_cast<std::size_t>(step.args[1])].integer == 0;
  if (by_zero) return "integer division by zero in `" + std::string(info(step.op).text) + "`";
  if (step.op == Op::kFloor) return "floor of a number that no 64-bit integer can hold";
  return "integer overflow in `" + std::string(info(step.op).text) + "`";
}

}  // namespace heed::formula
