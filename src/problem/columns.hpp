// Columns: the tiles from the side of the keys: which rows of tiles see some tile of a group of tiles of keys. TileMap::runs transposed,
// made by TileMap::columns.
//
// One sweep over the rows looks only at what changes from a row to the next, so it costs the runs and the answer, not the rectangle: a
// causal mask of a million keys takes one stretch of rows per group. Memory: the stretches. Checked: columns_test.cpp by brute force.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "problem/tiles.hpp"

namespace heed::problem {

/// [first, last).
struct Stretch {
  std::int64_t first = 0, last = 0;
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

class Columns {
 public:
  Columns() = default;
  /// The rows of tiles that see a tile of the group, ascending.
  [[nodiscard]] std::span<const Stretch> rows(std::int64_t group) const;

 private:
  friend class TileMap;
  template <class GroupsOf>
  Columns(std::int64_t rows, std::int64_t groups, const GroupsOf& groups_of_row);

  std::vector<std::size_t> begin_;  // [groups + 1]
  std::vector<Stretch> rows_;
};

}  // namespace heed::problem
