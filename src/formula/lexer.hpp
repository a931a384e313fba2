// The words of a formula's text, one after the other.
//
//   number  = digits [ "." [ digits ] ] [ exponent ] | "." digits [ exponent ] ;   exponent = ( "e" | "E" ) [ "+" | "-" ] digits
//   name    = letter or underscore, then letters, digits, underscores
//   sign    = ( ) [ ] , + - * / % < <= > >= == != & | !
//
// Blanks, tabs and line ends separate words. What other languages write (&&, =, ^, ?, …) is refused by naming the spelling here.
// Checked by parse_test.cpp.
#pragma once

#include <string_view>

namespace heed::formula {

struct Token {
  enum class Kind { kEnd, kNumber, kName, kSign };
  Kind kind = Kind::kEnd;
  std::string_view text{};
  int column = 1;  ///< 1-based

  [[nodiscard]] bool is(std::string_view sign) const { return kind == Kind::kSign && text == sign; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text);

  /// The word at hand. Throws Error where the text has none of ours.
  [[nodiscard]] const Token& peek() const { return token_; }
  /// The word at hand; the next one comes to hand.
  Token take();
  /// The word after the one at hand.
  [[nodiscard]] Token after() const;

 private:
  [[nodiscard]] Token read() const;
  [[nodiscard]] Token number(std::size_t begin) const;
  [[nodiscard]] Token sign(std::size_t begin) const;
  [[nodiscard]] Token token(Token::Kind kind, std::size_t begin, std::size_t size) const;

  std::string_view text_;
  std::size_t place_ = 0;  // behind token_
  Token token_;
};

/// "write `&`" for `and`, and so on; empty for a word that no other language uses for an operation.
[[nodiscard]] std::string_view advice_on_word(std::string_view name);

}  // namespace heed::formula
