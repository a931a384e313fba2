// See row.hpp; checked by row_test.cpp.
#include "formula/row.hpp"

#include <unordered_map>

#include "formula/node.hpp"

namespace heed::formula {
namespace {

class Row {
 public:
  Row(const Tables& tables, std::int64_t row) : tables_(tables), row_(row) {}

  Expr of(const Expr& expression) {
    const Node& node = expression.node();
    if (node.op == Op::kRow) return row_;
    if (node.args.empty()) return expression;
    const auto [place, fresh] = made_.try_emplace(&node);
    if (!fresh) return place->second;
    Node copy = node;
    for (Expr& argument : copy.args) argument = of(argument);
    if (node.fit != Fit::kFree) free(copy, node);
    return made_[&node] = make(std::move(copy));
  }

 private:
  /// Along an axis of extent 1 index 0 is read.
  void free(Node& copy, const Node& node) const {
    const auto bound = tables_.find(node.name);
    const Dims& shape = node.data ? node.data->shape() : bound->second.shape;
    for (std::size_t axis = 0; axis < copy.args.size(); ++axis) {
      const Op symbol = node.args[axis].node().op;
      if (info(symbol).form == Form::kSymbol && symbol != Op::kQuery && shape[static_cast<int>(axis)] == 1) copy.args[axis] = 0;
    }
    copy.fit = Fit::kFree;
  }

  const Tables& tables_;
  std::int64_t row_;
  std::unordered_map<const Node*, Expr> made_;
};

}  // namespace

Expr at_row(const Expr& expression, const Tables& tables, std::int64_t row) {
  return expression.empty() ? expression : Row(tables, row).of(expression);
}

}  // namespace heed::formula
