// Names in formulas. See names.hpp; checked by names_test.cpp.
#include "formula/names.hpp"

#include <algorithm>

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

}  // namespace heed::formula
