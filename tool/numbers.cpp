#include "numbers.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include <heed/error.hpp>

#include "report.hpp"

namespace heed::tool {
namespace {

std::string found(const std::string& text) {
  return text.empty() ? "nothing" : "\"" + one_line(text) + "\"";
}

/// Digits of a whole number, too many for 64 bits perhaps.
bool is_whole(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string range_text(const WholeRange& range) {
  const WholeRange all;
  if (range.first == all.first && range.last == all.last) return "a whole number";
  if (range.last == all.last) return "a whole number from " + std::to_string(range.first) + " on";
  return "a whole number from " + std::to_string(range.first) + " to " + std::to_string(range.last);
}

}  // namespace

double number_from(const std::string& where, const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure == std::errc::invalid_argument || rest != end) throw Error({"no number", where, "a decimal number", found(text)});
  if (failure == std::errc()) return value;
  const bool small = std::abs(std::strtod(text.c_str(), nullptr)) < 1;
  throw Error({small ? "the number is too small" : "the number is too large", where,
               small ? "0, or at least 4.9e-324 in size" : "at most 1.8e308 in size", found(text)});
}

std::int64_t whole_from(const std::string& where, const std::string& text, const WholeRange& range) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (!is_whole(text)) throw Error({"no whole number", where, range_text(range), found(text)});
  if (failure != std::errc() || rest != end || value < range.first || value > range.last)
    throw Error({"the number is out of range", where, range_text(range), found(text)});
  return value;
}

std::vector<std::int64_t> integers_from(const std::string& where, const std::string& text, const WholeRange& range) {
  std::vector<std::int64_t> values;
  for (std::size_t at = 0;;) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, comma - at);
    if (!is_whole(one)) throw Error({"no list of whole numbers", where, "N or N,N,...", found(text)});
    values.push_back(whole_from(where, one, range));
    if (comma == text.size()) return values;
    at = comma + 1;
  }
}

CLI::Option* add_number(CLI::App& verb, const std::string& name, std::optional<double>& value, const std::string& what) {
  return verb
      .add_option_function<std::string>(
          name, [name, &value](const std::string& text) { value = number_from(name, text); }, what)
      ->type_name("X");
}

}  // namespace heed::tool
