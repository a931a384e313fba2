#include "picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "progress.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

using io::Canvas;
using io::Color;

// Places along a side of a Partial cell, at most: a terminal has few cells, a picture 640 x 640.
constexpr std::int64_t kLookedInTerminal = 16, kLookedInPicture = 8;
constexpr Color kInk{20, 20, 30}, kSoft{95, 95, 110}, kSeen{38, 70, 130}, kHidden{233, 236, 241};
constexpr int kMargin = 32, kGutter = 96, kLine = 24, kSide = 640, kNarrowest = 860, kLeast = 16;

std::string framed(const std::vector<std::string>& lines, int columns) {
  std::string rule;
  for (int i = 0; i < columns; ++i) rule += "─";
  std::string text = "┌" + rule + "┐\n";
  for (const std::string& line : lines) text += "│" + line + "│\n";
  return text + "└" + rule + "┘\n";
}

std::string sampled_text(const Cells& cells) {
  return fmt::format("sampled, {} places a cell", cells.looked * cells.looked);
}

Color blend(float share) {
  Color color{};
  for (std::size_t i = 0; i < color.size(); ++i) {
    color[i] =
        static_cast<std::uint8_t>(static_cast<float>(kHidden[i]) + share * (static_cast<float>(kSeen[i]) - static_cast<float>(kHidden[i])));
  }
  return color;
}

}  // namespace

std::vector<std::int64_t> round_ticks(std::int64_t extent, std::int64_t most) {
  std::int64_t step = 1, lead = 1;
  while (extent > step * most) {
    step = lead == 2 ? step / 2 * 5 : step * 2;
    lead = lead == 1 ? 2 : lead == 2 ? 5 : 1;
  }
  std::vector<std::int64_t> ticks;
  for (std::int64_t at = 0; at < extent; at += step) ticks.push_back(at);
  return ticks;
}

std::vector<std::string> half_blocks(const Cells& cells) {
  constexpr std::array<const char*, 4> kBlocks{" ", "▀", "▄", "█"};
  std::vector<std::string> lines;
  for (int row = 0; row < cells.rows; row += 2) {
    std::string& line = lines.emplace_back();
    for (int column = 0; column < cells.columns; ++column) {
      const bool upper = cells.at(row, column) > 0, lower = row + 1 < cells.rows && cells.at(row + 1, column) > 0;
      line += kBlocks[(upper ? 1U : 0U) + (lower ? 2U : 0U)];
    }
  }
  return lines;
}

std::vector<std::string> shades(const Cells& cells) {
  std::vector<std::string> lines;
  for (int row = 0; row < cells.rows; ++row) {
    std::string& line = lines.emplace_back();
    for (int column = 0; column < cells.columns; ++column) {
      const float share = cells.at(row, column);
      line += share == 0 ? " " : share < 0.34F ? "░" : share < 0.67F ? "▒" : share < 1 ? "▓" : "█";
    }
  }
  return lines;
}

std::string terminal_picture(const Drawing& drawing, std::int64_t b, std::int64_t h, int columns, int lines) {
  const Problem& p = drawing.problem();
  const std::int64_t width = std::max(columns - 2, 8), height = std::max(lines - 8, 8);
  const bool exact = p.keys <= width && p.queries <= 2 * height;
  const std::int64_t pooled = std::max({(p.keys + width - 1) / width, (p.queries + 2 * height - 1) / (2 * height), std::int64_t{1}});
  const std::int64_t rows = exact ? p.queries : std::max<std::int64_t>(p.queries / (2 * pooled), 1),
                     across = exact ? p.keys : std::max<std::int64_t>(p.keys / pooled, 1);
  const Progress progress("drawing", 0);
  const Cells cells =
      drawing.cells(b, h, {.rows = static_cast<int>(rows), .columns = static_cast<int>(across), .looked = kLookedInTerminal});
  const std::string scale = exact ? ""
                                  : fmt::format("; one character is {} x {} places: ░ some, ▒ half, ▓ most, █ all",
                                                count_text(p.queries / cells.rows), count_text(p.keys / cells.columns)) +
                                        (cells.sampled ? "; " + sampled_text(cells) : "");
  return fmt::format("queries 0 to {} down, keys 0 to {} across{}\n", count_text(p.queries - 1), count_text(p.keys - 1), scale) +
         framed(exact ? half_blocks(cells) : shades(cells), cells.columns);
}

Canvas mask_canvas(const Drawing& drawing, std::int64_t b, std::int64_t h) {
  const Problem& p = drawing.problem();
  const auto rows = static_cast<int>(std::min<std::int64_t>(p.queries, kSide)),
             columns = static_cast<int>(std::min<std::int64_t>(p.keys, kSide));
  Progress progress("drawing", 0);
  const Cells cells = drawing.cells(b, h, {.rows = rows, .columns = columns, .looked = kLookedInPicture},
                                    [&](int done) { progress.reached(static_cast<double>(done) / rows); });
  const int zoom = std::max(1, kSide / std::max(rows, columns)), down = std::max(zoom, kLeast / rows),
            across = std::max(zoom, kLeast / columns);
  const int left = kMargin + kGutter, top = kMargin + 4 * kLine, width = columns * across, height = rows * down;
  const std::string title = "mask " + (p.mask.empty() ? "full" : to_text(p.mask));
  const int wide = std::min(Canvas::text_width(title, 2), 2000);
  Canvas canvas(std::max({left + width + kMargin, wide + 2 * kMargin, kNarrowest}), top + height + 4 * kLine);
  canvas.text(kMargin, kMargin, title, kInk, 2);
  int x = kMargin + canvas.text(kMargin, kMargin + kLine, fmt::format("batch {}, head {}:  ", b, h), kSoft, 2);
  for (const auto& [share, label] : {std::pair{1.0F, "seen"}, std::pair{0.5F, "half"}, std::pair{0.0F, "hidden"}}) {
    canvas.fill(x, kMargin + kLine, 16, 16, blend(share));
    x += 24 + canvas.text(x + 24, kMargin + kLine, label, kInk, 2) + 24;
  }
  if (cells.sampled) canvas.text(x, kMargin + kLine, sampled_text(cells), kSoft, 2);
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column)
      canvas.fill(left + column * across, top + row * down, across, down, blend(cells.at(row, column)));
  }
  canvas.text(kMargin, top - kLine, "query", kSoft, 2);
  for (const std::int64_t at : round_ticks(p.queries, height / 60 + 1)) {
    const std::string number = std::to_string(at);
    canvas.text(left - 12 - Canvas::text_width(number, 2),
                top + static_cast<int>(static_cast<double>(at) / static_cast<double>(p.queries) * height), number, kInk, 2);
  }
  for (const std::int64_t at : round_ticks(p.keys, width / 120 + 1)) {
    canvas.text(left + static_cast<int>(static_cast<double>(at) / static_cast<double>(p.keys) * width), top + height + 10,
                std::to_string(at), kInk, 2);
  }
  canvas.text(left, top + height + 10 + kLine, "key ->", kSoft, 2);
  return canvas;
}

std::string tiles_text(const Drawing& drawing) {
  const Progress progress("looking at tiles", 0);
  const TilesSeen tiles = drawing.tiles();
  const TileCounts& counts = tiles.counts;
  if (!tiles.sampled) {
    return fmt::format("{} tiles of 64 x 64: {} empty, {} partial, {} full\n", count_text(counts.total()), count_text(counts.empty),
                       count_text(counts.partial), count_text(counts.full));
  }
  const auto share = [&](std::int64_t count) { return percent_text(static_cast<double>(count) / static_cast<double>(counts.total())); };
  return fmt::format("{} tiles of 64 x 64; of a sample of {}: {} empty, {} partial, {} full\n",
                     count_text(static_cast<std::int64_t>(tiles.total)), count_text(counts.total()), share(counts.empty),
                     share(counts.partial), share(counts.full));
}

}  // namespace heed::tool
