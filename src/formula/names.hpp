// Names in formulas: what may name a table.
#pragma once

#include <string_view>

namespace heed::formula {

/// A letter or underscore, then letters, digits and underscores (ASCII).
[[nodiscard]] bool is_identifier(std::string_view name);
/// What the name already is: "symbol", "function", "named mask", "literal"; empty when a table may have it. Named scores are only
/// ever called, so a table may share their name: bias(bias), s + bias[h, k].
[[nodiscard]] std::string_view taken_by(std::string_view name);

}  // namespace heed::formula
