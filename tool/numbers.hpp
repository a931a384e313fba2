// The tool's one reader of numbers: decimal digits, wholly, within their range; what does not fit is refused in words, never rounded to 0
// or cut off. Options that take numbers are made here, so that none reads them another way.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace heed::tool {

/// "0.125", "-1e-3", "inf". Throws Error naming `where` for anything else, "0x10" among it, and for a number that double cannot tell
/// from 0 or infinity.
[[nodiscard]] double number_from(const std::string& where, const std::string& text);

struct WholeRange {
  std::int64_t first = std::numeric_limits<std::int64_t>::min(), last = std::numeric_limits<std::int64_t>::max();
};
/// A whole number in `range`. Throws Error naming `where`.
[[nodiscard]] std::int64_t whole_from(const std::string& where, const std::string& text, const WholeRange& range = {});
/// Whole numbers between commas, one or more. Throws Error naming `where`.
[[nodiscard]] std::vector<std::int64_t> integers_from(const std::string& where, const std::string& text, const WholeRange& range = {});

/// An option whose value is a whole number in `range`.
template <class Whole>
CLI::Option* add_whole(CLI::App& verb, const std::string& name, Whole& value, const WholeRange& range, const std::string& what) {
  return verb
      .add_option_function<std::string>(
          name, [name, &value, range](const std::string& text) { value = static_cast<Whole>(whole_from(name, text, range)); }, what)
      ->type_name("N");
}
/// An option whose value is a number.
CLI::Option* add_number(CLI::App& verb, const std::string& name, std::optional<double>& value, const std::string& what);

}  // namespace heed::tool
