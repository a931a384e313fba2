// Mechanisms: which attention, as a recipe. One recipe per file; the catalogue lists them all.
//
// A recipe names the similarity of query and key, the formula slots it fills, the state that turns scores into output, and its source.
#pragma once

#include <span>
#include <string_view>

namespace heed::mechanism {

struct Recipe {
  std::string_view name;
  std::string_view similarity;  ///< the first s
  std::string_view state;       ///< how scores become output
  std::string_view meaning;
  std::string_view source;
};

[[nodiscard]] const Recipe& softmax_attention();

/// All of them.
[[nodiscard]] std::span<const Recipe> recipes();

}  // namespace heed::mechanism
