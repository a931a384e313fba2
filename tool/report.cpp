#include "report.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <system_error>

#include <heed/error.hpp>

namespace heed::tool {
namespace {

int first_failure = 0;  // errno of writing the report
bool to_standard_error = false;

std::FILE* output() {
  return to_standard_error ? stderr : stdout;
}

/// A value in the first unit in which it is below `step`.
template <std::size_t N>
std::string scaled(double value, double step, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  while (std::abs(value) >= step && unit + 1 < N) {
    value /= step;
    ++unit;
  }
  return value == std::floor(value) && unit == 0 ? fmt::format("{:.0f} {}", value, units[unit])
                                                 : fmt::format("{:.1f} {}", value, units[unit]);
}

bool is_number(std::string_view cell) {
  return !cell.empty() && columns_of(cell) <= 14 &&
         (std::isdigit(static_cast<unsigned char>(cell[0])) != 0 || cell == "-" || cell == "inf");
}

}  // namespace

std::string bytes_text(double bytes) {
  return scaled(bytes, 1024, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string seconds_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 120) return fmt::format("{:.2f} s", seconds);
  const auto whole = std::llround(std::min(seconds, 1e15));
  if (whole < 7200) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", count_text(whole / 3600), whole % 3600 / 60);
}

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string percent_text(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

std::string flop_text(double flop) {
  return scaled(flop, 1000, std::array{"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"});
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      line += "\\n";
    else if (c == '\t')
      line += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      line += fmt::format("\\x{:02x}", byte);
    else
      line += c;
  }
  return line;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string Grid::text(std::string_view indent) const {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (const auto& cells : rows_) {
    widths.resize(std::max(widths.size(), cells.size()));
    right.resize(widths.size(), true);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(cells[i]));
      if (&cells != &rows_.front() && !cells[i].empty() && !is_number(cells[i])) right[i] = false;
    }
  }
  std::string out;
  for (const auto& cells : rows_) {
    std::string line(indent);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - columns_of(cells[i]), ' ');
      line += (i ? "  " : "") + (right[i] ? pad + cells[i] : cells[i] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

void say(std::string_view text) {
  if (first_failure != 0) return;
  if (std::fwrite(text.data(), 1, text.size(), output()) != text.size()) first_failure = errno;
}

void report_to_standard_error() {
  to_standard_error = true;
}

void finish_output() {
  if (first_failure == 0 && std::fflush(output()) != 0) first_failure = errno;
  if (first_failure != 0 && first_failure != EPIPE) {
    throw Error({"the output cannot be written", to_standard_error ? "standard error" : "standard output", "",
                 std::generic_category().message(first_failure)});
  }
}

TerminalSize terminal_size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return {};
  return {std::max<int>(window.ws_col, 20), std::max<int>(window.ws_row, 10)};
}

}  // namespace heed::tool
