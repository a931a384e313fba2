// What a row gets depends on nothing but the row and the keys it sees: numbers that are hidden from it change none of its bits.
#pragma once

#include <string>

#include "laws/support/case.hpp"

namespace heed::laws {

/// Puts NaN, infinities, numbers at the end of the range and denormals into K or V of one key, several keys in turn, and compares the bits
/// of all rows that do not see that key (O, L, statistics), also where other rows of their tile see it. "" when none changes.
[[nodiscard]] std::string hidden_violation(const Case& of, const std::string& kernel);

/// Keys with an infinite component and formulas that decide by |s| what becomes of them: "" where `kernel` gives what the definition does.
/// Products that do not take infinities make another score of such a key than its own; the formula speaks of its own.
[[nodiscard]] std::string infinite_keys_violation(DType dtype, const std::string& kernel);

}  // namespace heed::laws
