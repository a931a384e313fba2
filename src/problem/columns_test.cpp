// The rows that see a group of tiles of keys: against looking at every row.
#include "problem/columns.hpp"

#include <gtest/gtest.h>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "problem/question.hpp"

namespace heed::problem {
namespace {

std::vector<Stretch> rows_by_looking(const problem::Question& question, std::int64_t b, std::int64_t h, std::int64_t first,
                                     std::int64_t last) {
  std::vector<Stretch> rows;
  for (std::int64_t row = 0; row < question.layout.query_tiles(); ++row) {
    bool sees = false;
    for (const Run& run : question.tiles.runs(b, h, row)) sees |= run.first < last && run.last > first;
    if (!sees) continue;
    if (!rows.empty() && rows.back().last == row)
      rows.back().last = row + 1;
    else
      rows.push_back({row, row + 1});
  }
  return rows;
}

TEST(Columns, RowsThatSeeAGroup) {
  std::vector<std::string> masks = laws::sweep_masks();
  for (const char* mask : {"k % 512 < 3", "abs(q - k) == 300", "(q * k) % 97 == 0", "q / 64 % 3 == k / 64 % 5", "h == 0 & k > q + 100"})
    masks.emplace_back(mask);
  for (const std::string& mask : masks) {
    const laws::Draw draw({.batch = 2, .queries = 700, .keys = 1100, .dim = 1, .value_dim = 1, .mask = mask});
    const problem::Question question(draw.problem());
    for (std::int64_t b = 0; b < 2; ++b) {
      for (std::int64_t h = 0; h < 2; ++h) {
        for (const std::int64_t tiles : {1, 3, 4}) {
          const Columns columns = question.tiles.columns(b, h, tiles);
          for (std::int64_t group = 0; group * tiles < question.layout.key_tiles(); ++group) {
            const auto rows = columns.rows(group);
            EXPECT_EQ(std::vector<Stretch>(rows.begin(), rows.end()), rows_by_looking(question, b, h, group * tiles, (group + 1) * tiles))
                << mask << " group " << group << " of " << tiles;
          }
        }
      }
    }
  }
}

/// A stretch per group where rows follow each other: the answer does not hold the rectangle.
TEST(Columns, OneStretchForNeighbours) {
  Problem problem{.queries = 1 << 20, .keys = 1 << 20, .dim = 64, .value_dim = 64};
  problem.mask = causal();
  const problem::Question question(problem);
  const Columns columns = question.tiles.columns(0, 0, 4);
  for (std::int64_t group = 0; group < question.layout.key_tiles() / 4; ++group) {
    ASSERT_EQ(columns.rows(group).size(), 1u);
    EXPECT_EQ(columns.rows(group)[0], (Stretch{4 * group, question.layout.query_tiles()}));
  }
}

}  // namespace
}  // namespace heed::problem
