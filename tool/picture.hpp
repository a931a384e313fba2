// A mask as a picture: in the terminal with Unicode blocks, and as PNG. Queries down, keys across, dark where a key is seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heed/draw.hpp>

#include "io/png.hpp"

namespace heed::tool {

/// Round positions along an axis: 0 and multiples of 1, 2 or 5 times a power of ten, at most `most` + 1 of them.
[[nodiscard]] std::vector<std::int64_t> round_ticks(std::int64_t extent, std::int64_t most);

/// Half blocks, two rows of cells in one line of text, for cells that are single places; no frame.
[[nodiscard]] std::vector<std::string> half_blocks(const Cells& cells);
/// One character per cell, shaded by its share; no frame.
[[nodiscard]] std::vector<std::string> shades(const Cells& cells);

/// The picture of one head for a terminal of this size, framed, with what the axes are.
[[nodiscard]] std::string terminal_picture(const Drawing& drawing, std::int64_t b, std::int64_t h, int columns, int lines);
[[nodiscard]] io::Canvas mask_canvas(const Drawing& drawing, std::int64_t b, std::int64_t h);

/// "9 tiles of 64 x 64: 3 empty, 3 partial, 3 full", or shares of a sample.
[[nodiscard]] std::string tiles_text(const Drawing& drawing);

}  // namespace heed::tool
