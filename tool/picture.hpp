// A mask as a picture: in the terminal with Unicode blocks, and as PNG. Queries down, keys across, dark where a key is seen.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/png.hpp"
#include "scene.hpp"

namespace heed::tool {

/// Round positions along an axis: 0 and multiples of 1, 2 or 5 times a power of ten, at most `most` + 1 of them.
[[nodiscard]] std::vector<std::int64_t> round_ticks(std::int64_t extent, std::int64_t most);

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

/// The Tq x Tk places of one head in `grid.rows` x `grid.columns` cells. Cells whose verdict is Empty or Full cost one interval evaluation;
/// of others at most looked x looked places are looked at, one drawn from each of as many equal parts (by a fixed rule: the picture is the
/// same every time). `row_done` is called after each row with how many are done.
[[nodiscard]] Cells cells_of(const Scene& scene, std::int64_t b, std::int64_t h, Cells grid, const std::function<void(int)>& row_done = {});

/// Half blocks, two rows of cells in one line of text, for cells that are single places; no frame.
[[nodiscard]] std::vector<std::string> half_blocks(const Cells& cells);
/// One character per cell, shaded by its share; no frame.
[[nodiscard]] std::vector<std::string> shades(const Cells& cells);

/// The picture of one head for a terminal of this size, framed, with what the axes are.
[[nodiscard]] std::string terminal_picture(const Scene& scene, std::int64_t b, std::int64_t h, int columns, int lines);
[[nodiscard]] io::Canvas mask_canvas(const Scene& scene, std::int64_t b, std::int64_t h);

}  // namespace heed::tool
