// Spelling: what was probably meant by a word that is not known; of formulas and of command lines.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace heed {

/// Insertions, deletions, exchanges and swaps of neighbours that make one word of the other (optimal string alignment). Cost: the product
/// of the lengths.
[[nodiscard]] std::size_t slips(std::string_view a, std::string_view b);

/// The candidate with the fewest slips, the first among equals, where they are few: one, in a word of six letters or more two. Empty
/// where none is near, for a word of one letter and for one of more than 40.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace heed
