// Tiles: how the Tq x Tk rectangle falls into tiles of 64 x 64, found by halving rectangles.
//
// A rectangle whose verdict is Empty or Full ends the recursion, so planning costs the border of a pattern, not its area. A single
// tile still Partial is settled: one visible place is looked for (corners first), and a tile without any is dropped. So the tiles
// visited are exactly those in which the mask shows a key. A rectangle whose final scores are bounded by -inf is Empty as well. Memory: a
// run of equal verdicts per stretch of each row of tiles. Checked: tiles_test.cpp against brute force for every named mask and random ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <heed/problem.hpp>

#include "formula/over.hpp"
#include "problem/formulas.hpp"
#include "problem/layout.hpp"

namespace heed::problem {

/// Tiles [first, last) of one row of tiles, all Partial or all Full.
struct Run {
  std::int64_t first = 0, last = 0;
  formula::Verdict verdict = formula::Verdict::kFull;
};

/// Those of ascending runs that meet tiles [first, last), by bisection; the first and the last may reach beyond.
[[nodiscard]] std::span<const Run> meeting(std::span<const Run> runs, std::int64_t first, std::int64_t last);

/// What is visited: tiles, and pairs of a query and a key inside them.
struct Visited {
  TileCounts tiles{};
  double pairs = 0;
  void add(const Visited& more, std::int64_t times = 1) {
    tiles.empty += more.tiles.empty * times;
    tiles.partial += more.tiles.partial * times;
    tiles.full += more.tiles.full * times;
    pairs += more.pairs * static_cast<double>(times);
  }
};

class Columns;

class TileMap {
 public:
  TileMap() = default;
  TileMap(const Layout& layout, const Formulas& formulas);

  /// Visible tiles of row `query_tile` of a head, ascending.
  [[nodiscard]] std::span<const Run> runs(std::int64_t b, std::int64_t h, std::int64_t query_tile) const;
  /// The same from the side of the keys, for groups of `tiles` tiles of keys (columns.hpp); made anew by each call, so once per map_of().
  [[nodiscard]] Columns columns(std::int64_t b, std::int64_t h, std::int64_t tiles) const;
  /// Heads of the same number see the same tiles.
  [[nodiscard]] std::size_t map_of(std::int64_t b, std::int64_t h) const;
  [[nodiscard]] std::size_t maps() const { return std::max<std::size_t>(maps_.size(), 1); }
  /// Whether heads may see different tiles.
  [[nodiscard]] bool by_head() const { return by_head_; }
  /// Over all heads of everything, of one batch entry or sequence.
  [[nodiscard]] const Visited& visited() const { return all_; }
  [[nodiscard]] Visited visited(std::int64_t b) const;

 private:
  struct Map {
    std::size_t first_row = 0;  // in begin_
    std::int64_t query_tiles = 0, key_tiles = 0;
    Visited visited{};  // by one head
  };
  static Visited visited_of(const Layout& layout, std::int64_t b, std::span<const std::vector<Run>> rows);
  std::int64_t heads_ = 1;
  bool by_batch_ = false, by_head_ = false;
  std::vector<Map> maps_;
  std::vector<std::size_t> begin_;  // [rows of tiles of all maps + 1]
  std::vector<Run> runs_;
  Visited all_;
};

}  // namespace heed::problem
