// Words an error about a formula. See text_error.hpp; checked by text_error_test.cpp.
#include "formula/text_error.hpp"

#include <algorithm>

#include <heed/error.hpp>

#include "formula/print.hpp"

namespace heed::formula {
namespace {

constexpr std::size_t kShown = 100;  // characters of a long text, half of them before the column

// One printable line: a newline or a tab would tear text and caret apart.
std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

// The first byte at or before `place` that begins a character.
std::size_t character_start(std::string_view text, std::size_t place) {
  while (place > 0 && place < text.size() && (static_cast<unsigned char>(text[place]) & 0xc0) == 0x80) --place;
  return place;
}

std::string excerpt(std::string_view text, int column) {
  const std::string line = one_line(text);
  const std::size_t place = column > 0 ? static_cast<std::size_t>(column - 1) : 0;
  const std::size_t begin = place > kShown / 2 && line.size() > kShown ? character_start(line, place - kShown / 2) : 0;
  const std::size_t end = character_start(line, std::min(line.size(), begin + kShown));
  std::string shown = "\n  ";
  if (begin > 0) shown += "...";
  const std::size_t indent = shown.size() - 1 + place - begin;
  shown.append(line, begin, end - begin);
  if (end < line.size()) shown += "...";
  if (column > 0) shown += "\n" + std::string(indent, ' ') + "^";
  return shown;
}

}  // namespace

void fail_at(std::string_view text, int column, const std::string& message) {
  Error::Parts parts;
  parts.what = text.empty() ? message : message + excerpt(text, column);
  parts.where = column > 0 ? "column " + std::to_string(column) : "formula";
  throw Error(parts);
}

void fail_in(const Expr& whole, const Node& part, const std::string& message) {
  const Written written = write(whole, &part);
  fail_at(written.text, written.column, message);
}

}  // namespace heed::formula
