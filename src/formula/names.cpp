// Names in formulas. See names.hpp; checked by names_test.cpp.
#include "formula/names.hpp"

#include <algorithm>

#include "base/slips.hpp"
#include "formula/named.hpp"
#include "formula/node.hpp"

namespace heed::formula {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool is_identifier(std::string_view name) {
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

std::string_view taken_by(std::string_view name) {
  for (const std::string_view literal : {"true", "false", "inf", "nan"}) {
    if (name == literal) return "literal";
  }
  for (const OpInfo& op : all_ops()) {
    if (name == op.text && op.form == Form::kSymbol) return "symbol";
    if (name == op.text && op.form == Form::kFunction) return "function";
  }
  for (const Named& mask : named_masks()) {
    if (name == mask.name) return "named mask";
  }
  return {};
}

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
  constexpr std::size_t kLongest = 40;
  std::size_t fewest = name.size() < 6 ? 2 : 3;  // slips that are too many
  std::string best;
  if (name.size() < 2 || name.size() > kLongest) return best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() < 2 || candidate.size() > kLongest) continue;
    const std::size_t distance = base::slips(name, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace heed::formula
