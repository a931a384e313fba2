// Typing slips between two words: what "did you mean" counts, of formulas and of the command line.
#pragma once

#include <cstddef>
#include <string_view>

namespace heed::base {

/// Insertions, deletions, exchanges and swaps of neighbours that make one word of the other (optimal string alignment). Cost: the product
/// of the lengths. Checked: slips_test.cpp.
[[nodiscard]] std::size_t slips(std::string_view a, std::string_view b);

}  // namespace heed::base
