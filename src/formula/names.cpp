// Names in formulas. See names.hpp; checked by names_test.cpp.
#include "formula/names.hpp"

#include <algorithm>
#include <vector>

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

// Optimal string alignment: d[i][j] = slips between the first i letters of a and the first j of b.
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchange = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, exchange});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
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
    const std::size_t distance = slips(name, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace heed::formula
