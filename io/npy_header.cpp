// A reader for the one Python literal that .npy headers hold; a descent of one function per rule of the grammar
//   dict  = "{" [ key ":" value { "," key ":" value } [ "," ] ] "}"
//   tuple = "(" [ number { "," number } [ "," ] ] ")"      with the comma required after a single number
//   number = digits [ "L" ]                                (Python 2 wrote the L)
// No recursion, no backtracking, one pass.
// Checked in npy_test.cpp, and by npy_fuzz.cpp.
#include "io/npy_header.hpp"

#include <limits>

#include <heed/error.hpp>

namespace heed::io {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader dict() {
    demand('{');
    while (!accept('}')) {
      entry();
      if (!accept(',')) {
        demand('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) refuse("nothing after the dict");
    if (!seen_descr_ || !seen_order_ || !seen_shape_) refuse("the keys 'descr', 'fortran_order' and 'shape'");
    return header_;
  }

 private:
  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string rest(text_.substr(at_, 24));
    throw Error({"the .npy header is not understood", where_, expected,
                 (rest.empty() ? "its end" : "\"" + rest + "\"") + " at byte " + std::to_string(at_) + " of the header"});
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  bool accept(char wanted) {
    skip_spaces();
    const bool there = at_ < text_.size() && text_[at_] == wanted;
    if (there) ++at_;
    return there;
  }

  void demand(char wanted) {
    if (!accept(wanted)) refuse(std::string("'") + wanted + "'");
  }

  bool accept_word(std::string_view word) {
    skip_spaces();
    const bool there = text_.substr(at_).starts_with(word);
    if (there) at_ += word.size();
    return there;
  }

  void entry() {
    const std::string key = quoted();
    demand(':');
    if (key == "descr") {
      once(seen_descr_, key);
      header_.descr = quoted();
    } else if (key == "fortran_order") {
      once(seen_order_, key);
      header_.fortran_order = boolean();
    } else if (key == "shape") {
      once(seen_shape_, key);
      tuple();
    } else {
      throw Error({"unknown key in the .npy header", where_, "descr, fortran_order and shape", "'" + key + "'"});
    }
  }

  void once(bool& seen, const std::string& key) {
    if (seen) throw Error({"a key stands twice in the .npy header", where_, "each key once", "'" + key + "'"});
    seen = true;
  }

  std::string quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') refuse("a quoted string (structured arrays are not read)");
    const std::size_t end = text_.find(quote, at_ + 1);
    const std::string_view inside = end == std::string_view::npos ? "\\" : text_.substr(at_ + 1, end - at_ - 1);
    if (inside.find('\\') != std::string_view::npos) refuse("a closed string without backslashes");
    at_ = end + 1;
    return std::string(inside);
  }

  bool boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) refuse("True or False");
    return false;
  }

  void tuple() {
    demand('(');
    while (!accept(')')) {
      if (header_.shape.rank() == Dims::kMaxRank) throw Error({"too many axes", where_, "at most 8", "9 or more"});
      header_.shape.push(number());
      if (accept(',')) continue;
      if (header_.shape.rank() == 1) refuse("',' after a single extent");
      demand(')');
      break;
    }
  }

  std::int64_t number() {
    skip_spaces();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const int digit = text_[at_] - '0';
      if (value > (std::numeric_limits<std::int64_t>::max() - digit) / 10) refuse("an extent below 2^63");
      value = value * 10 + digit;
    }
    if (at_ == begin) refuse("an extent of at least 0");
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;
    return value;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  NpyHeader header_;
  bool seen_descr_ = false, seen_order_ = false, seen_shape_ = false;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& where) {
  return Reader(text, where).dict();
}

}  // namespace heed::io
