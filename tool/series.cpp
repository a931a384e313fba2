#include "series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "report.hpp"

namespace heed::tool {
namespace {

constexpr int kLines = 12, kWidest = 72, kNarrowest = 20, kLabel = 10;
constexpr std::array<const char*, 4> kMarks{"●", "○", "▲", "△"};

/// The range of the logarithms of what is measured.
struct Axis {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void take(double value) {
    low = std::min(low, std::log(value));
    high = std::max(high, std::log(value));
  }
  [[nodiscard]] int cell(double value, int cells) const {
    return high > low ? static_cast<int>(std::lround((std::log(value) - low) / (high - low) * (cells - 1))) : 0;
  }
};

bool measured(double seconds) {
  return std::isfinite(seconds) && seconds > 0;
}

}  // namespace

double exponent_of(const std::vector<double>& sizes, const std::vector<double>& seconds) {
  double count = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (!measured(seconds[i])) continue;
    const double a = std::log(sizes[i]), b = std::log(seconds[i]);
    count += 1;
    x += a;
    y += b;
    xx += a * a;
    xy += a * b;
  }
  const double spread = count * xx - x * x;
  return spread > 1e-9 * std::max(1.0, xx) ? (count * xy - x * y) / spread : std::numeric_limits<double>::quiet_NaN();
}

std::string plot_text(const std::string& size_name, const std::vector<double>& sizes, const std::vector<Series>& series, int columns) {
  const int width = std::clamp(columns - kLabel - 4, kNarrowest, kWidest);
  Axis across, up;
  for (const double size : sizes) across.take(size);
  for (const Series& one : series) {
    for (const double seconds : one.seconds) {
      if (measured(seconds)) up.take(seconds);
    }
  }
  if (up.low > up.high) return "";
  std::vector<std::vector<std::string>> cells(kLines, std::vector<std::string>(static_cast<std::size_t>(width), " "));
  std::string legend;
  for (std::size_t s = series.size(); s-- > 0;) {  // the first is drawn last, and stays where two meet
    const char* const mark = kMarks[s % kMarks.size()];
    legend = std::string(mark) + " " + series[s].name + (legend.empty() ? "" : "   ") + legend;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (!measured(series[s].seconds[i])) continue;
      const int line = kLines - 1 - up.cell(series[s].seconds[i], kLines), column = across.cell(sizes[i], width);
      cells[static_cast<std::size_t>(line)][static_cast<std::size_t>(column)] = mark;
    }
  }
  std::string text;
  for (int line = 0; line < kLines; ++line) {
    const std::string label = line == 0 ? seconds_text(std::exp(up.high)) : line == kLines - 1 ? seconds_text(std::exp(up.low)) : "";
    std::string row = fmt::format("{:>{}} │", label, kLabel);
    for (const std::string& cell : cells[static_cast<std::size_t>(line)]) row += cell;
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  const std::string low = count_text(static_cast<std::int64_t>(std::llround(std::exp(across.low)))),
                    high = count_text(static_cast<std::int64_t>(std::llround(std::exp(across.high))));
  std::string rule;
  for (int i = 0; i < width; ++i) rule += "─";
  text += std::string(kLabel + 1, ' ') + "└" + rule + "\n";
  const int gap = std::max(1, width - static_cast<int>(low.size() + high.size()));
  return text + std::string(kLabel + 2, ' ') + low + std::string(static_cast<std::size_t>(gap), ' ') + high + "\n" +
         std::string(kLabel + 2, ' ') + size_name + ", time; both axes logarithmic   " + legend + "\n";
}

}  // namespace heed::tool
