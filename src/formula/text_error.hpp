// How an error about a formula is worded: one form for the parser and the type checker.
//
//   column 10: unknown name `cusal`; did you mean `causal`?
//     k <= q & cusal
//              ^
//
// Columns count from 1; 0 means that no place is known: then there is neither a column nor a caret.
#pragma once

#include <string>
#include <string_view>

#include <heed/expression.hpp>

namespace heed::formula {

/// Throws Error with `where` "column N" (or "formula") and, in `what`, the message, the text and a caret. An empty text is not shown;
/// of a long one only the neighbourhood of the column.
[[noreturn]] void fail_at(std::string_view text, int column, const std::string& message);

/// The same for `part`, a node of the tree `whole`: shows to_text(whole) with the caret under that node's operator or name. Serves
/// expressions built in C++ and read from text alike; the column is the one in the text shown.
[[noreturn]] void fail_in(const Expr& whole, const formula::Node& part, const std::string& message);

}  // namespace heed::formula
