// The catalogue: every mask, score, kernel and mechanism that heed has, with its text and source.
#pragma once

#include <string>
#include <vector>

#include <heed/expression.hpp>

namespace heed {

struct Entry {
  std::string kind;       ///< "mask", "score", "kernel", "mechanism"
  std::string usage;      ///< as typed: "window(w)"
  std::string text;       ///< the formula of an example, or what a kernel does
  std::string meaning;    ///< one sentence
  std::string source;     ///< paper or program
  std::string example;    ///< a call that `heed draw --mask` accepts (masks only)
  std::string missing{};  ///< what this machine lacks to run it (kernels only); empty: nothing
};

[[nodiscard]] std::vector<Entry> catalogue();

/// Small tables under the names that the examples use (length, offsets, global, seen, slope, bias, ...): for positions up to 64, 4 heads
/// and 2 batch entries or more.
[[nodiscard]] const Tables& example_tables();

}  // namespace heed
