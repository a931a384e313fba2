#include "problem/columns.hpp"

#include <algorithm>
#include <limits>

namespace heed::problem {
namespace {

/// The groups that a row sees, in ascending stretches.
void groups_of(std::span<const Run> runs, std::int64_t tiles, std::vector<Stretch>& groups) {
  groups.clear();
  for (const Run& run : runs) {
    const Stretch next{run.first / tiles, (run.last - 1) / tiles + 1};
    if (!groups.empty() && next.first <= groups.back().last)
      groups.back().last = next.last;
    else
      groups.push_back(next);
  }
}

/// change(group, second) for what lies in one of two ascending lists of stretches alone; `second`: in the second.
template <class Change>
void each_difference(std::span<const Stretch> first, std::span<const Stretch> second, const Change& change) {
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  auto a = first.begin();
  auto b = second.begin();
  for (std::int64_t at = 0; a != first.end() || b != second.end();) {
    const std::int64_t from_a = a == first.end() ? kNone : std::max(a->first, at),
                       from_b = b == second.end() ? kNone : std::max(b->first, at);
    if (from_a == from_b) {
      at = std::min(a->last, b->last);
    } else if (from_a < from_b) {
      at = std::min(a->last, from_b);
      for (std::int64_t group = from_a; group < at; ++group) change(group, false);
    } else {
      at = std::min(b->last, from_a);
      for (std::int64_t group = from_b; group < at; ++group) change(group, true);
    }
    if (a != first.end() && a->last <= at) ++a;
    if (b != second.end() && b->last <= at) ++b;
  }
}

struct Closed {
  std::int64_t group;
  Stretch rows;
};

}  // namespace

Columns TileMap::columns(std::int64_t b, std::int64_t h, std::int64_t tiles) const {
  const Map& map = maps_.empty() ? Map() : maps_[map_of(b, h)];
  return {map.query_tiles, (map.key_tiles + tiles - 1) / tiles,
          [&](std::int64_t row, std::vector<Stretch>& groups) { groups_of(runs(b, h, row), tiles, groups); }};
}

template <class GroupsOf>
Columns::Columns(std::int64_t rows, std::int64_t count, const GroupsOf& groups_of_row) {
  const auto groups = static_cast<std::size_t>(count);
  std::vector<std::int64_t> since(groups);
  std::vector<Stretch> before, now;
  std::vector<Closed> closed;
  for (std::int64_t row = 0; row <= rows; ++row) {
    now.clear();
    if (row < rows) groups_of_row(row, now);
    each_difference(before, now, [&](std::int64_t group, bool sees) {
      std::int64_t& first = since[static_cast<std::size_t>(group)];
      if (sees)
        first = row;
      else
        closed.push_back({group, {first, row}});
    });
    before.swap(now);
  }
  // Sorted by group; those of one group were closed in ascending order.
  begin_.assign(groups + 1, 0);
  for (const Closed& c : closed) ++begin_[static_cast<std::size_t>(c.group) + 1];
  for (std::size_t group = 0; group < groups; ++group) begin_[group + 1] += begin_[group];
  std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
  rows_.resize(closed.size());
  for (const Closed& c : closed) rows_[next[static_cast<std::size_t>(c.group)]++] = c.rows;
}

std::span<const Stretch> Columns::rows(std::int64_t group) const {
  const auto at = static_cast<std::size_t>(group);
  return std::span<const Stretch>(rows_).subspan(begin_[at], begin_[at + 1] - begin_[at]);
}

}  // namespace heed::problem
