#include "picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

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

std::int64_t begin_of(std::int64_t cell, std::int64_t extent, std::int64_t cells) {
  return cell * extent / cells;
}

/// A run of slots along one axis and where its position 0 lies.
struct Stretch {
  std::int64_t first, last, offset;  // [first, last)
  std::int64_t most;                 // places looked at

  [[nodiscard]] std::int64_t size() const { return last - first; }
  [[nodiscard]] std::int64_t looked() const { return std::min(size(), most); }
  [[nodiscard]] bool sampled() const { return size() > most; }
  /// A slot of the i-th part of so many. Equal steps would meet a periodic mask at one phase: `noise` moves within the part.
  [[nodiscard]] std::int64_t slot(std::int64_t i, std::uint64_t noise) const {
    const std::int64_t begin = begin_of(i, size(), looked()), part = begin_of(i + 1, size(), looked()) - begin;
    return first + begin + static_cast<std::int64_t>(noise % static_cast<std::uint64_t>(part));
  }
  [[nodiscard]] formula::Range range() const { return {offset + first, offset + last - 1}; }
};

struct Share {
  float seen = 0;
  bool sampled = false;
};

Share share_of(const Scene& scene, std::int64_t b, std::int64_t h, const Stretch& queries, const Stretch& keys,
               std::span<formula::Value> values) {
  const std::int64_t g = scene.layout().kv_head(h);
  const formula::Box box{
      .q = queries.range(), .k = keys.range(), .b = {b, b}, .h = {h, h}, .g = {g, g}, .i = {queries.first, queries.last - 1}};
  const formula::Verdict verdict = scene.over().verdict(box);
  if (verdict == formula::Verdict::kEmpty) return {0};
  if (verdict == formula::Verdict::kFull) return {1};
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < queries.looked(); ++i) {
    for (std::int64_t j = 0; j < keys.looked(); ++j) {
      const std::uint64_t noise =
          scrambled(static_cast<std::uint64_t>(queries.first + i) * 0x100000001b3U + static_cast<std::uint64_t>(keys.first + j));
      const std::int64_t row = queries.slot(i, noise);
      const formula::Place place{.q = queries.offset + row, .k = keys.offset + keys.slot(j, noise >> 32), .b = b, .h = h, .g = g, .i = row};
      seen += scene.mask().at(place, values).integer;
    }
  }
  return {static_cast<float>(seen) / static_cast<float>(queries.looked() * keys.looked()), queries.sampled() || keys.sampled()};
}

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

Cells cells_of(const Scene& scene, std::int64_t b, std::int64_t h, Cells grid, const std::function<void(int)>& row_done) {
  const Problem& p = scene.problem();
  std::vector<formula::Value> values(scene.mask().steps().size());
  const std::int64_t offset = scene.layout().offsets[static_cast<std::size_t>(b)];
  for (int row = 0; row < grid.rows; ++row) {
    const Stretch queries{begin_of(row, p.queries, grid.rows), begin_of(row + 1, p.queries, grid.rows), offset, grid.looked};
    for (int column = 0; column < grid.columns; ++column) {
      const Stretch keys{begin_of(column, p.keys, grid.columns), begin_of(column + 1, p.keys, grid.columns), p.first_key, grid.looked};
      const Share share = share_of(scene, b, h, queries, keys, values);
      grid.shares.push_back(share.seen);
      grid.sampled |= share.sampled;
    }
    if (row_done) row_done(row + 1);
  }
  return grid;
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

std::string terminal_picture(const Scene& scene, std::int64_t b, std::int64_t h, int columns, int lines) {
  const Problem& p = scene.problem();
  const std::int64_t width = std::max(columns - 2, 8), height = std::max(lines - 8, 8);
  const bool exact = p.keys <= width && p.queries <= 2 * height;
  const std::int64_t pooled = std::max({(p.keys + width - 1) / width, (p.queries + 2 * height - 1) / (2 * height), std::int64_t{1}});
  const std::int64_t rows = exact ? p.queries : std::max<std::int64_t>(p.queries / (2 * pooled), 1),
                     across = exact ? p.keys : std::max<std::int64_t>(p.keys / pooled, 1);
  const Progress progress("drawing", 0);
  const Cells cells =
      cells_of(scene, b, h, {.rows = static_cast<int>(rows), .columns = static_cast<int>(across), .looked = kLookedInTerminal});
  const std::string scale = exact ? ""
                                  : fmt::format("; one character is {} x {} places: ░ some, ▒ half, ▓ most, █ all",
                                                count_text(p.queries / cells.rows), count_text(p.keys / cells.columns)) +
                                        (cells.sampled ? "; " + sampled_text(cells) : "");
  return fmt::format("queries 0 to {} down, keys 0 to {} across{}\n", count_text(p.queries - 1), count_text(p.keys - 1), scale) +
         framed(exact ? half_blocks(cells) : shades(cells), cells.columns);
}

Canvas mask_canvas(const Scene& scene, std::int64_t b, std::int64_t h) {
  const Problem& p = scene.problem();
  const auto rows = static_cast<int>(std::min<std::int64_t>(p.queries, kSide)),
             columns = static_cast<int>(std::min<std::int64_t>(p.keys, kSide));
  Progress progress("drawing", 0);
  const Cells cells = cells_of(scene, b, h, {.rows = rows, .columns = columns, .looked = kLookedInPicture},
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

}  // namespace heed::tool
