// What the printer knows besides the text: where a node stands in it, and how large the tree is. For the parser and for errors.
#pragma once

#include <string>

#include <heed/expression.hpp>

#include "formula/node.hpp"

namespace heed::formula {

/// Limits of a text: its operations, operands and calls, and its levels of parentheses, brackets and prefix operators. parse() refuses
/// a text whose tree goes past either, so that to_text of what parse() returned is always within both.
inline constexpr int kMaxNodes = 10'000;
inline constexpr int kMaxNesting = 200;

struct Written {
  std::string text;  ///< ends in "..." where the tree has more than kMaxNodes nodes
  int nodes = 0;     ///< counts a shared sub-expression every time it is written; at most kMaxNodes + 1
  int nesting = 0;   ///< levels
  int column = 0;    ///< 1-based column of the marked node's operator or name; 0 when it was not met
};

[[nodiscard]] Written write(const Expr& expression, const Node* mark = nullptr);

/// A real literal: the shortest text that reads back to the same bits and looks real (1.0, 1e-05, -inf).
[[nodiscard]] std::string real_text(double value);

}  // namespace heed::formula
