#include "laws/support/tenth.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string_view>

namespace heed::laws {
namespace {

/// FNV-1a, then a finaliser: neighbouring seeds give unlike orders.
std::uint64_t hash(std::string_view name, std::uint64_t seed) {
  std::uint64_t h = 0xCBF2'9CE4'8422'2325ULL ^ (seed * 0x9E37'79B9'7F4A'7C15ULL);
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100'0000'01B3ULL;
  h = (h ^ h >> 33) * 0xFF51'AFD7'ED55'8CCDULL;
  return h ^ h >> 33;
}

/// GoogleTest's patterns: * any text, ? one character.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) && matches(pattern.substr(1), name.substr(1));
}

bool any_matches(std::string_view patterns, std::string_view name) {
  while (true) {
    const std::size_t end = patterns.find(':');
    if (matches(patterns.substr(0, end), name)) return true;
    if (end == std::string_view::npos) return false;
    patterns.remove_prefix(end + 1);
  }
}

bool passes(std::string_view filter, std::string_view name) {
  const std::size_t minus = filter.find('-');
  const std::string_view positive = filter.substr(0, minus);
  if (!positive.empty() && !any_matches(positive, name)) return false;
  return minus == std::string_view::npos || !any_matches(filter.substr(minus + 1), name);
}

}  // namespace

std::vector<std::string> tenth_of(std::vector<std::string> names, std::uint64_t seed) {
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) { return hash(a, seed) < hash(b, seed); });
  names.resize((names.size() + 9) / 10);
  return names;
}

void keep_a_tenth(std::uint64_t seed) {
  std::vector<std::string> names;
  const testing::UnitTest& program = *testing::UnitTest::GetInstance();
  for (int s = 0; s < program.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *program.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      const std::string name = std::string(suite.name()) + '.' + suite.GetTestInfo(t)->name();
      if (passes(GTEST_FLAG_GET(filter), name)) names.push_back(name);
    }
  }
  const std::size_t all = names.size();
  std::string filter;
  for (const std::string& name : names = tenth_of(std::move(names), seed)) filter += (filter.empty() ? "" : ":") + name;
  std::cout << "A tenth of the tests, by seed " << seed << ": " << names.size() << " of " << all << '\n';
  GTEST_FLAG_SET(filter, filter);
}

}  // namespace heed::laws
