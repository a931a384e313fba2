// Checked by spelling_test.cpp.
#include <heed/spelling.hpp>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace heed {

std::size_t slips(std::string_view a, std::string_view b) {
  // d[i][j]: slips between the first i letters of a and the first j of b; rows i - 2, i - 1 and i of it.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchange = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, exchange});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr std::size_t kLongest = 40;
  std::size_t fewest = word.size() < 6 ? 2 : 3;  // slips that are too many
  std::string best;
  if (word.size() < 2 || word.size() > kLongest) return best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() < 2 || candidate.size() > kLongest) continue;
    const std::size_t distance = slips(word, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace heed
