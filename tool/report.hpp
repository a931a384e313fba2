// What the tool says: lines, aligned tables, and standard output whose failures are not lost.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <heed/units.hpp>

namespace heed::tool {

/// A name from a file on one line: control and format characters (terminal codes, bidirectional overrides, zero widths) and bytes that
/// are no UTF-8 are written as escapes.
[[nodiscard]] std::string one_line(std::string_view text);
/// The same of as many characters as fit into `columns`, none of them cut: an escape stands whole or not at all.
[[nodiscard]] std::string first_characters(std::string_view text, std::size_t columns);
/// Terminal columns of UTF-8 text made of narrow characters.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// Rows of cells under a header, columns padded to their widest cell; columns of numbers (short cells that begin with a digit) stand right.
class Grid {
 public:
  explicit Grid(std::vector<std::string> header) : rows_{std::move(header)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text(std::string_view indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Writes the report: to standard output, or to standard error once that is asked for, because something else goes to the former. A reader
/// that went away is no error; the first other failure is kept for finish_output().
void say(std::string_view text);
void report_to_standard_error();
/// Throws Error when something said could not be written (a full disk).
void finish_output();
/// Columns and rows of the terminal on standard output; 80 x 40 where there is none.
struct TerminalSize {
  int columns = 80, rows = 40;
};
[[nodiscard]] TerminalSize terminal_size();

}  // namespace heed::tool
