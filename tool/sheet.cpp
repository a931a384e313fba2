#include "sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

using io::Canvas;
using io::Color;

constexpr Color kInk{20, 20, 30}, kSoft{95, 95, 110}, kHidden{228, 230, 235}, kPaper{255, 255, 255};
constexpr int kMargin = 32, kLine = 24, kGutter = 136, kFoot = 96, kHead = 84;
constexpr int kPanel = 560;                              // pixels of the longer side of a panel
constexpr int kMostCells = 280;                          // along it, so that a cell is two pixels wide
constexpr int kNarrowest = 1200;                         // sheet, for the legend
constexpr int kDecades = 4;                              // of the colour scale: 0.01 % to 100 %
constexpr std::size_t kTickWord = 12, kContentWord = 5;  // characters of a word at a tick: at most, at least
constexpr std::int64_t kTicks = 6;                       // steps along an axis, at most
constexpr int kLeast = 24;                               // pixels of the shorter side, at least
constexpr const char* kHowToRead =
    "How to read: each row is a place in the text (query, top to bottom); across it, the colour says where that place looked (key, left to "
    "right). Dark is much. A dark left edge is weight parked on the first token (a sink), a dark diagonal is the words just before, a "
    "vertical "
    "line is a word that many later places return to.";

/// 0 at 0.01 % and below, 1 at 100 %.
float on_scale(float share) {
  return std::clamp(1.0F + std::log10(std::max(share, 1e-30F)) / kDecades, 0.0F, 1.0F);
}

std::string bare_word(const std::vector<std::string>& tokens, std::int64_t key) {
  if (key < 0 || key >= static_cast<std::int64_t>(tokens.size())) return "";
  std::string text = tokens[static_cast<std::size_t>(key)];
  text.erase(0, std::min(text.find_first_not_of(" \n"), text.size()));
  return first_characters(text, kTickWord);
}

/// A tick and its word: the nearest longer word within an eighth of a step, and the tick moves there; the round number where none is.
struct Tick {
  std::int64_t at = 0;
  std::string word;
};
std::vector<Tick> named_ticks(std::int64_t extent, const std::vector<std::string>& tokens) {
  const std::vector<std::int64_t> round = round_ticks(extent, kTicks);
  const std::int64_t reach = round.size() > 1 ? round[1] / 8 : 0;
  std::vector<Tick> ticks;
  for (const std::int64_t at : round) {
    Tick tick{at, ""};
    for (std::int64_t away = 0; at > 0 && away <= reach && tick.word.empty(); ++away) {
      for (const std::int64_t tried : {at - away, at + away}) {
        const std::string text = bare_word(tokens, tried);
        if (text.size() >= kContentWord && tick.word.empty()) tick = {tried, text};
      }
    }
    ticks.push_back(tick);
  }
  return ticks;
}

std::vector<std::string> wrapped(const std::string& text, int width) {
  std::vector<std::string> lines{""};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string next = text.substr(at, end - at);
    if (!lines.back().empty() && Canvas::text_width(lines.back() + " " + next, 2) > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + next;
    at = end + 1;
  }
  return lines;
}

struct Geometry {
  int across, down;    // pixels of a cell
  int width, height;   // of a map in pixels
  int columns, lines;  // panels
  std::vector<std::string> header;
  explicit Geometry(const Sheet& sheet) : across(std::max(1, kPanel / std::max({sheet.rows, sheet.columns, 1}))), down(across) {
    down = std::max(down, kLeast / std::max(sheet.rows, 1));
    across = std::max(across, kLeast / std::max(sheet.columns, 1));
    width = across * sheet.columns;
    height = down * sheet.rows;
    const int panels = static_cast<int>(std::max<std::size_t>(sheet.panels.size(), 1));
    columns = static_cast<int>(std::ceil(std::sqrt(panels)));
    lines = (panels + columns - 1) / columns;
    header = wrapped(sheet.subtitle, sheet_width() - 2 * kMargin);
    header.emplace_back();
    for (std::string& line : wrapped(kHowToRead, sheet_width() - 2 * kMargin)) header.push_back(std::move(line));
  }
  [[nodiscard]] int top() const { return kMargin + 2 * kLine + static_cast<int>(header.size()) * kLine + 4 * kLine; }
  [[nodiscard]] int panel_width() const { return kGutter + std::max(width, 400) + kMargin; }
  [[nodiscard]] int panel_height() const { return kHead + height + kFoot; }
  [[nodiscard]] int sheet_width() const { return std::max(2 * kMargin + columns * panel_width(), kNarrowest); }
  [[nodiscard]] int sheet_height() const { return top() + lines * panel_height() + kMargin; }
};

int along(std::int64_t at, std::int64_t extent, int pixels) {
  return static_cast<int>(static_cast<double>(at) / static_cast<double>(std::max<std::int64_t>(extent, 1)) * pixels);
}

void draw_axes(Canvas& canvas, const Sheet& sheet, const Geometry& g, int x, int y) {
  int free_from = 0;
  for (const Tick& tick : named_ticks(sheet.queries, sheet.words_down ? sheet.tokens : std::vector<std::string>{})) {
    const int place = y + along(tick.at, sheet.queries, g.height);
    if (place < free_from) continue;
    const std::string number = std::to_string(tick.at);
    canvas.fill(x - 9, place, 6, 2, kSoft);
    canvas.text(x - 12 - Canvas::text_width(number, 2), place - 6, number, kInk, 2);
    canvas.text(x - 12 - Canvas::text_width(tick.word), place + 12, tick.word, kSoft);
    free_from = place + kLine;
  }
  free_from = 0;
  for (const Tick& tick : named_ticks(sheet.keys, sheet.tokens)) {
    const int place = x + along(tick.at, sheet.keys, g.width);
    const std::string number = std::to_string(tick.at);
    const int wide = std::max(Canvas::text_width(number, 2), Canvas::text_width(tick.word));
    if (place < free_from || place + wide > x + g.width + kMargin + 16) continue;
    canvas.fill(place, y + g.height + 3, 2, 6, kSoft);
    canvas.text(place - 4, y + g.height + 12, number, kInk, 2);
    canvas.text(place - 4, y + g.height + 31, tick.word, kSoft);
    free_from = place + wide + 8;
  }
  canvas.text(x, y + g.height + 48, "key: what is looked at ->", kSoft, 2);
}

void draw_panel(Canvas& canvas, const Sheet& sheet, const Geometry& g, const Panel& panel, int x, int y) {
  const int left = x + kGutter, top = y + kHead;
  const int after = canvas.text(left, y, panel.title, kInk, 3);
  canvas.text(left + after + 20, y + 8, panel.caption.substr(0, panel.caption.find('\n')), kInk, 2);
  if (const std::size_t second = panel.caption.find('\n'); second != std::string::npos)
    canvas.text(left, y + 34, panel.caption.substr(second + 1), kInk, 2);
  canvas.text(x, top - 30, "query:", kSoft, 2);
  for (int row = 0; row < sheet.rows; ++row) {
    for (int column = 0; column < sheet.columns; ++column) {
      const float share = panel.shares[static_cast<std::size_t>(row * sheet.columns + column)];
      const Color color = share == 0 ? kHidden : io::heat(std::isnan(share) ? share : on_scale(share));
      canvas.fill(left + column * g.across, top + row * g.down, g.across, g.down, color);
    }
  }
  draw_axes(canvas, sheet, g, left, top);
}

void draw_legend(Canvas& canvas, int x, int y) {
  constexpr int kBar = 400, kThick = 20;
  x += canvas.text(x, y + 2, "share of a row's attention, log scale", kInk, 2) + 60;
  canvas.fill(x - 2, y - 2, kBar + 4, kThick + 4, kSoft);
  for (int i = 0; i < kBar; ++i) canvas.fill(x + i, y, 1, kThick, io::heat(static_cast<float>(i) / kBar));
  const char* const labels[] = {"<0.01%", "0.1%", "1%", "10%", "100%"};
  for (int decade = 0; decade <= kDecades; ++decade) {
    const int place = x + kBar * decade / kDecades;
    canvas.fill(place, y + kThick, 2, 7, kSoft);
    canvas.text(place - Canvas::text_width(labels[decade], 2) / 2, y + kThick + 10, labels[decade], kInk, 2);
  }
  x += kBar + 60;
  canvas.fill(x, y, kThick, kThick, kHidden);
  canvas.text(x + kThick + 10, y + 2, "no weight (masked)", kInk, 2);
}

}  // namespace

std::int64_t map_cells(std::int64_t positions) {
  const std::int64_t pooled = std::max<std::int64_t>((positions + kMostCells - 1) / kMostCells, 1);
  return std::max<std::int64_t>((positions + pooled - 1) / pooled, 1);
}

Canvas draw(const Sheet& sheet) {
  const Geometry g(sheet);
  Canvas canvas(g.sheet_width(), g.sheet_height(), kPaper);
  const int zoom = Canvas::text_width(sheet.title, 4) <= g.sheet_width() - 2 * kMargin ? 4 : 3;
  canvas.text(kMargin, kMargin, sheet.title, kInk, zoom);
  int y = kMargin + 2 * kLine;
  for (const std::string& line : g.header) {
    canvas.text(kMargin, y, line, kInk, 2);
    y += kLine;
  }
  draw_legend(canvas, kMargin, y + kLine);
  for (std::size_t i = 0; i < sheet.panels.size(); ++i) {
    const int at = static_cast<int>(i);
    draw_panel(canvas, sheet, g, sheet.panels[i], kMargin + at % g.columns * g.panel_width(), g.top() + at / g.columns * g.panel_height());
  }
  return canvas;
}

Sheet sheet_of(const Plan& plan, const Results& results, const std::vector<std::string>& tokens, const std::string& title) {
  const Problem& p = plan.problem();
  const Dims& shape = results.map.shape();
  Sheet sheet{.title = title,
              .rows = static_cast<int>(shape[2]),
              .columns = static_cast<int>(shape[3]),
              .queries = p.queries,
              .keys = p.keys,
              .tokens = tokens,
              .words_down = p.queries == p.keys};
  const bool known = results.entropy.shape().rank() == 3 && results.received.shape().rank() == 3;
  const std::vector<HeadSummary> heads = known ? summarise(results) : std::vector<HeadSummary>{};
  const auto all = static_cast<std::size_t>(shape[0] * shape[1]);
  const auto cells = static_cast<std::size_t>(shape[2] * shape[3]);
  for (std::size_t i = 0; i < std::min(all, kMostPanels); ++i) {
    const auto b = static_cast<std::int64_t>(i) / shape[1], h = static_cast<std::int64_t>(i) % shape[1];
    Panel panel{.title = (shape[0] > 1 ? fmt::format("batch {} ", b) : "") + fmt::format("head {}", h)};
    if (known)
      panel.caption = "entropy " + number(heads[i].entropy, fmt::format("{:.2f} nats", heads[i].entropy)) + "\n" +
                      (heads[i].key < 0 ? "weight on keys: " + number(heads[i].share, "none")
                                        : fmt::format("{} of all weight on key {}", percent_text(heads[i].share), heads[i].key));
    const float* const from = results.map.data<float>() + i * cells;
    panel.shares.assign(from, from + cells);
    sheet.panels.push_back(std::move(panel));
  }
  sheet.subtitle = fmt::format("{} queries x {} keys; mask {}; one cell pools {:.1f} x {:.1f} positions{}", count_text(p.queries),
                               count_text(p.keys), p.mask.empty() ? "full" : to_text(p.mask), static_cast<double>(p.queries) / sheet.rows,
                               static_cast<double>(p.keys) / sheet.columns,
                               all > kMostPanels ? fmt::format("; the first {} of {} heads", kMostPanels, all) : "");
  return sheet;
}

}  // namespace heed::tool
