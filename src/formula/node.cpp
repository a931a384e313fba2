// The table of operations, and how nodes are made and dismantled. Checked by node_test.cpp.
#include "formula/node.hpp"

#include <cstdint>
#include <utility>

#include <heed/error.hpp>

namespace heed::formula {
namespace {

constexpr int kTightest = 11;  // of no use to an operation that is not prefix or infix

constexpr std::array<OpInfo, kOps> kTable{{
    {Op::kInteger, Form::kLiteral, 0, "integer", kTightest},
    {Op::kReal, Form::kLiteral, 0, "real", kTightest},
    {Op::kBoolean, Form::kLiteral, 0, "boolean", kTightest},
    {Op::kScore, Form::kSymbol, 0, "s", kTightest},
    {Op::kQuery, Form::kSymbol, 0, "q", kTightest},
    {Op::kRow, Form::kSymbol, 0, "i", kTightest},
    {Op::kKey, Form::kSymbol, 0, "k", kTightest},
    {Op::kBatch, Form::kSymbol, 0, "b", kTightest},
    {Op::kHead, Form::kSymbol, 0, "h", kTightest},
    {Op::kKvHead, Form::kSymbol, 0, "g", kTightest},
    {Op::kLookup, Form::kLookup, -1, "[]", kTightest},
    {Op::kNegate, Form::kPrefix, 1, "-", 10},
    {Op::kNot, Form::kPrefix, 1, "!", 10},
    {Op::kMultiply, Form::kInfix, 2, "*", 9},
    {Op::kDivide, Form::kInfix, 2, "/", 9},
    {Op::kModulo, Form::kInfix, 2, "%", 9},
    {Op::kAdd, Form::kInfix, 2, "+", 8},
    {Op::kSubtract, Form::kInfix, 2, "-", 8},
    {Op::kLess, Form::kInfix, 2, "<", 7},
    {Op::kLessEqual, Form::kInfix, 2, "<=", 7},
    {Op::kGreater, Form::kInfix, 2, ">", 7},
    {Op::kGreaterEqual, Form::kInfix, 2, ">=", 7},
    {Op::kEqual, Form::kInfix, 2, "==", 6},
    {Op::kNotEqual, Form::kInfix, 2, "!=", 6},
    {Op::kAnd, Form::kInfix, 2, "&", 5},
    {Op::kOr, Form::kInfix, 2, "|", 4},
    {Op::kSelect, Form::kFunction, 3, "select", kTightest},
    {Op::kMin, Form::kFunction, 2, "min", kTightest},
    {Op::kMax, Form::kFunction, 2, "max", kTightest},
    {Op::kAbs, Form::kFunction, 1, "abs", kTightest},
    {Op::kFloor, Form::kFunction, 1, "floor", kTightest},
    {Op::kExp, Form::kFunction, 1, "exp", kTightest},
    {Op::kLog, Form::kFunction, 1, "log", kTightest},
    {Op::kTanh, Form::kFunction, 1, "tanh", kTightest},
    {Op::kSigmoid, Form::kFunction, 1, "sigmoid", kTightest},
}};

constexpr bool in_order() {
  for (int i = 0; i < kOps; ++i) {
    if (static_cast<int>(kTable[static_cast<std::size_t>(i)].op) != i) return false;
  }
  return true;
}
static_assert(in_order(), "one row for every Op, in its order");

// Deletes a node and whatever it was the last to hold. The children of a dying node die here too, but one after the other instead of
// inside one another, so that no tree is too deep. Waiting nodes are linked through their `integer`: nothing is allocated.
void dismantle(Node* node) noexcept {
  thread_local Node* waiting = nullptr;
  thread_local bool busy = false;
  node->integer = reinterpret_cast<std::intptr_t>(waiting);
  waiting = node;
  if (busy) return;
  busy = true;
  while (waiting != nullptr) {
    Node* last = waiting;
    waiting = reinterpret_cast<Node*>(static_cast<std::intptr_t>(last->integer));
    delete last;
  }
  busy = false;
}

}  // namespace

const OpInfo& info(Op op) {
  return kTable[static_cast<std::size_t>(op)];
}

std::span<const OpInfo> all_ops() {
  return kTable;
}

Expr make(Node node) {
  for (const Expr& argument : node.args) {
    if (argument.empty()) {
      throw Error({.what = "an operand is the empty expression",
                   .where = std::string("formula operation ") + std::string(info(node.op).text),
                   .expected = "an expression",
                   .found = "Expr() (or a symbol used before main, when it was not yet made)"});
    }
  }
  return Expr(std::shared_ptr<const Node>(new Node(std::move(node)), [](const Node* last) { dismantle(const_cast<Node*>(last)); }));
}

Expr make(Op op, std::vector<Expr> args) {
  Node node;
  node.op = op;
  node.args = std::move(args);
  return make(std::move(node));
}

}  // namespace heed::formula
