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

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

/// The UTF-8 character that begins at `at`; a byte that begins none is one by itself, not valid.
Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + bytes > text.size()) return {};
  char32_t code = lead & (0x7fU >> bytes);
  for (std::size_t i = at + 1; i < at + bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= kLeast[bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? Character{code, bytes, true} : Character{};
}

/// Characters that a terminal obeys or hides instead of showing: Unicode's Cc, Cf, Zl and Zp (15.0), where other languages do not need
/// them to be written (the joiners U+200C and U+200D among them: nothing here shapes text).
bool unseen(char32_t code) {
  constexpr std::array<std::array<char32_t, 2>, 20> kRanges{
      {{0x80, 0x9f},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
       {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},   {0x200b, 0x200f},
       {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd},
       {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe007f}}};
  return std::ranges::any_of(kRanges, [code](const auto& range) { return code >= range[0] && code <= range[1]; });
}

/// One character as people may see it.
std::string shown(std::string_view bytes, const Character& character) {
  if (bytes == "\n") return "\\n";
  if (bytes == "\t") return "\\t";
  if (!character.valid || character.code < 0x20 || character.code == 0x7f)
    return fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
  if (unseen(character.code)) return fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(character.code));
  return std::string(bytes);
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    line += shown(text.substr(at, next.bytes), next);
    at += next.bytes;
  }
  return line;
}

std::string first_characters(std::string_view text, std::size_t columns) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    const std::string one = shown(text.substr(at, next.bytes), next);
    if (columns_of(line) + columns_of(one) > columns) break;
    line += one;
    at += next.bytes;
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
