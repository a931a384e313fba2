// Names in formulas: what may name a table, and what was probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace heed::formula {

/// A letter or underscore, then letters, digits and underscores (ASCII).
[[nodiscard]] bool is_identifier(std::string_view name);
/// What the name already is: "symbol", "function", "named mask", "literal"; empty when a table may have it. Named scores are only
/// ever called, so a table may share their name: bias(bias), s + bias[h, k].
[[nodiscard]] std::string_view taken_by(std::string_view name);
/// The candidate with the fewest typing slips (base/slips.hpp), or nothing when none is near.
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string> candidates);

}  // namespace heed::formula
