// Literal arguments of named masks and scores: read where the definition needs the number, refused where it is senseless.
// Expressions that are no literals (a lookup n[b]) pass: their values are known only when the formula is evaluated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <heed/expression.hpp>

namespace heed::formula {

/// The value of an integer literal.
[[nodiscard]] std::optional<std::int64_t> integer_literal(const Expr& argument);
/// Throws Error unless the argument is an integer literal of at least `least`, or no literal at all.
void require_at_least(std::int64_t least, const Expr& argument, std::string_view call, std::string_view parameter);
/// -a, folded for a literal.
[[nodiscard]] Expr negated(const Expr& a);
/// The lookup of a whole tensor [Tq, Tk], [H, Tq, Tk] or [B, H, Tq, Tk], its axes told by the rank. Throws Error for any other rank.
[[nodiscard]] Expr dense_by_rank(std::string_view call, const Table& table, const Dims& shape);
/// Throws Error: "window: w is too small; expected at least 1; found 0".
[[noreturn]] void refuse(std::string_view call, const std::string& what, const std::string& expected, const std::string& found);

}  // namespace heed::formula
