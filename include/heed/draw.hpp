// draw: what pictures of a mask are made of: which places are seen, shares of cells, how tiles fall. Turning them into characters or
// pixels is the caller's.
//
// Cost of a cell: one interval evaluation where all of it is seen or hidden, else at most looked x looked places. Tiles are counted as a
// plan counts them, in time that follows the border of the mask; of masks without a border that could take minutes they are sampled, and
// said to be. Checked: src/api/draw_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <heed/problem.hpp>

namespace heed {

/// A grid of cells, each with the share of its places that are seen.
struct Cells {
  int rows = 0, columns = 0;
  std::int64_t looked = 0;      ///< places along a side of a cell that are looked at, at most
  bool sampled = false;         ///< some cell holds more places than were looked at, and its share is an estimate
  std::vector<float> shares{};  ///< [rows, columns]
  [[nodiscard]] float at(int row, int column) const {
    return shares[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column)];
  }
};

/// How the Tq x Tk rectangles of all heads fall into tiles of 64 x 64.
struct TilesSeen {
  double total = 0;
  TileCounts counts{};   ///< of all tiles, or of a sample of them
  bool sampled = false;  ///< a fixed one: the same every time
};

/// The problem with as many batch entries and heads as the tables of its mask are made for, where these are more; added heads have keys of
/// their own.
[[nodiscard]] Problem fitted_to_tables(Problem problem);

/// A mask ready to be looked at. Immutable; safe from many threads.
class Drawing {
 public:
  /// Of a problem's mask, tables, sizes and alignment; the rest is not asked for, D and Dv may be 0. Throws Error as Plan does: where the
  /// mask has no value in a place, there is no picture; and for packed sequences, each of which is to be drawn as a problem of its own.
  explicit Drawing(Problem problem);

  [[nodiscard]] const Problem& problem() const;
  /// Whether query i of head h of batch entry b sees key j.
  [[nodiscard]] bool sees(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const;
  /// The Tq x Tk places of one head in `grid.rows` x `grid.columns` cells, at most Tq x Tk of them. Of a cell that is neither seen nor
  /// hidden as a whole, at most looked x looked places are looked at, one drawn from each of as many equal parts (by a fixed rule: the
  /// picture is the same every time). `row_done` is called after each row with how many are done. Throws Error where there is no such head
  /// or grid.
  [[nodiscard]] Cells cells(std::int64_t b, std::int64_t h, Cells grid, const std::function<void(int)>& row_done = {}) const;
  [[nodiscard]] TilesSeen tiles() const;

 private:
  struct Inside;
  std::shared_ptr<const Inside> inside_;
};

}  // namespace heed
