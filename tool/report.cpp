#include "report.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
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

bool is_number(std::string_view cell) {
  return !cell.empty() && columns_of(cell) <= 14 &&
         (std::isdigit(static_cast<unsigned char>(cell[0])) != 0 || cell == "-" || cell == "inf");
}

}  // namespace

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
