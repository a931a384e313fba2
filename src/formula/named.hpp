// The table of named masks and scores: what the parser may call, the catalogue prints, and the tests sweep.
// Adding a mask or a score is one function and its row here in masks.cpp or scores.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <heed/expression.hpp>

namespace heed::formula {

/// An argument of a named mask or score as typed: an expression, or a bare table name with its data.
struct NamedTable {
  std::string name;
  TensorView view;
};
using Argument = std::variant<Expr, NamedTable>;

struct Named {
  std::string kind;                     ///< "mask" or "score"
  std::string name;                     ///< "window"
  std::vector<std::string> parameters;  ///< {"left", "right"}; a name may have several rows of different length; a last "..." repeats
  std::string meaning;                  ///< one sentence
  std::string source;                   ///< paper, equation or program
  std::string example;                  ///< a call that parses once the example tables are bound: "window(16)"
  /// Throws Error when an argument is of the wrong sort.
  std::function<Expr(std::span<const Argument>)> build;
};

[[nodiscard]] std::span<const Named> named_masks();
[[nodiscard]] std::span<const Named> named_scores();

/// Small tables under the names that the examples use (length, offsets, global, seen, slope, bias, …): for the catalogue, `heed list`
/// and tests. For positions up to 64 and 4 heads.
[[nodiscard]] const Tables& example_tables();

/// The argument as an expression, or as a table; Error otherwise, naming the call and the parameter.
[[nodiscard]] Expr expression_argument(const Argument& argument, std::string_view call, std::string_view parameter);
[[nodiscard]] NamedTable table_argument(const Argument& argument, std::string_view call, std::string_view parameter);
/// All of them as expressions.
[[nodiscard]] std::vector<Expr> expression_arguments(std::span<const Argument> arguments, std::string_view call,
                                                     std::string_view parameter);
/// The argument as a literal integer.
[[nodiscard]] std::int64_t integer_argument(const Argument& argument, std::string_view call, std::string_view parameter);

}  // namespace heed::formula
