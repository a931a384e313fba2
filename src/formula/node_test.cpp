// The table of operations and the life of trees.
#include "formula/node.hpp"

#include <gtest/gtest.h>

#include <heed/error.hpp>

namespace heed::formula {
namespace {

TEST(Node, EveryOpHasItsRowInOrder) {
  ASSERT_EQ(all_ops().size(), static_cast<std::size_t>(kOps));
  for (int i = 0; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    EXPECT_EQ(info(op).op, op);
    EXPECT_FALSE(info(op).text.empty());
  }
}

TEST(Node, PrecedenceIsThatOfC) {
  // Each group binds tighter than the next.
  const std::vector<std::vector<Op>> groups{{Op::kNegate, Op::kNot},
                                            {Op::kMultiply, Op::kDivide, Op::kModulo},
                                            {Op::kAdd, Op::kSubtract},
                                            {Op::kLess, Op::kLessEqual, Op::kGreater, Op::kGreaterEqual},
                                            {Op::kEqual, Op::kNotEqual},
                                            {Op::kAnd},
                                            {Op::kOr}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const Op op : groups[i]) EXPECT_EQ(info(op).precedence, info(groups[i][0]).precedence) << info(op).text;
    if (i > 0) {
      EXPECT_LT(info(groups[i][0]).precedence, info(groups[i - 1][0]).precedence) << info(groups[i][0]).text;
    }
  }
}

TEST(Node, ArityFitsTheForm) {
  for (const OpInfo& op : all_ops()) {
    if (op.form == Form::kPrefix) {
      EXPECT_EQ(op.arity, 1) << op.text;
    }
    if (op.form == Form::kInfix) {
      EXPECT_EQ(op.arity, 2) << op.text;
    }
    if (op.form == Form::kLiteral || op.form == Form::kSymbol) {
      EXPECT_EQ(op.arity, 0) << op.text;
    }
  }
  EXPECT_EQ(info(Op::kSelect).arity, 3);
  EXPECT_EQ(info(Op::kMin).arity, 2);
  EXPECT_EQ(info(Op::kSigmoid).arity, 1);
}

TEST(Node, AnEmptyOperandIsRefused) {
  try {
    (void)(Expr() + 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.parts().what, "an operand is the empty expression");
  }
}

// Recursive destructors would need some hundred megabytes of stack here.
TEST(Node, DeepTreesDieWithoutRecursion) {
  Expr left = symbols::q;
  Expr right = symbols::q;
  Expr chain = symbols::q;
  for (int i = 0; i < 1'000'000; ++i) {
    left = left + 1;
    right = 1 + right;
    chain = -chain;
  }
  const std::weak_ptr<const Node> last = left.shared();
  left = Expr();
  EXPECT_TRUE(last.expired());
}

TEST(Node, SharedPartsOutliveTheirParents) {
  Expr part = symbols::q + 1;
  const std::weak_ptr<const Node> watched = part.shared();
  Expr whole = part * part;
  part = Expr();
  EXPECT_FALSE(watched.expired());
  const Expr kept = whole.node().args[1];
  whole = Expr();
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(to_text(kept), "q + 1");
}

}  // namespace
}  // namespace heed::formula
