// Literal arguments of named masks and scores. See literals.hpp; checked by masks_test.cpp and scores_test.cpp.
#include "formula/literals.hpp"

#include <heed/error.hpp>

#include "formula/node.hpp"

namespace heed::formula {

std::optional<std::int64_t> integer_literal(const Expr& argument) {
  if (argument.empty() || argument.node().op != Op::kInteger) return std::nullopt;
  return argument.node().integer;
}

void require_at_least(std::int64_t least, const Expr& argument, std::string_view call, std::string_view parameter) {
  const std::string expected = "an integer, at least " + std::to_string(least);
  if (argument.empty()) refuse(call, std::string(parameter) + " is empty", expected, "Expr()");
  if (info(argument.node().op).form != Form::kLiteral) return;
  const auto value = integer_literal(argument);
  if (!value) refuse(call, std::string(parameter) + " is not an integer", expected, to_text(argument));
  if (*value < least) refuse(call, std::string(parameter) + " is too small", expected, to_text(argument));
}

Expr negated(const Expr& a) {
  const auto value = integer_literal(a);
  return value && *value != INT64_MIN ? Expr(-*value) : -a;
}

Expr dense_by_rank(std::string_view call, const Table& table, const Dims& shape) {
  const std::array<Expr, 4> axes{symbols::b, symbols::h, symbols::i, symbols::k};
  const int rank = shape.rank();
  if (rank < 2 || rank > 4) {
    refuse(call, "table `" + table.name() + "` has no queries and keys",
           "[Tq, Tk], [H, Tq, Tk] or [B, H, Tq, Tk], or the axes said: " + std::string(call) + "(" + table.name() + ", b, k)",
           to_text(shape));
  }
  Node node = table.fitted({axes.end() - rank, axes.end()}).node();
  node.fit = Fit::kByRank;
  return make(std::move(node));
}

void refuse(std::string_view call, const std::string& what, const std::string& expected, const std::string& found) {
  throw Error({.what = what, .where = std::string(call), .expected = expected, .found = found});
}

}  // namespace heed::formula
