// The words of a formula's text. See lexer.hpp.
#include "formula/lexer.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "formula/text_error.hpp"

namespace heed::formula {
namespace {

struct Spelling {
  std::string_view text;
  std::string_view advice;  // empty: it is ours
};

// Longer spellings stand before their beginnings.
constexpr std::array kSigns = std::to_array<Spelling>({
    {"===", "write `==`"},
    {"!==", "write `!=`"},
    {"&&", "write `&` (formulas are values: nothing is skipped)"},
    {"||", "write `|` (formulas are values: nothing is skipped)"},
    {"**", "write x * x, or exp(y * log(x))"},
    {"//", "write `/` (between integers it rounds toward minus infinity)"},
    {"<<", "multiply by the power of two"},
    {">>", "divide by the power of two"},
    {"<>", "write `!=`"},
    {"=<", "write `<=`"},
    {"=>", "write `>=`"},
    {"<=", ""},
    {">=", ""},
    {"==", ""},
    {"!=", ""},
    {"=", "write `==`"},
    {"^", "write x * x for a power, `!=` for an exclusive or"},
    {"?", "write select(condition, a, b)"},
    {":", "write select(condition, a, b)"},
    {"~", "write `!`"},
    {"\u2264", "write `<=`"},
    {"\u2265", "write `>=`"},
    {"\u2260", "write `!=`"},
    {"\u2227", "write `&`"},
    {"\u2228", "write `|`"},
    {"\u00ac", "write `!`"},
    {"\u2212", "write `-`"},
    {"\u2013", "write `-`"},
    {"\u00d7", "write `*`"},
    {"\u00b7", "write `*`"},
    {"\u221e", "write inf"},
    {"(", ""},
    {")", ""},
    {"[", ""},
    {"]", ""},
    {",", ""},
    {"+", ""},
    {"-", ""},
    {"*", ""},
    {"/", ""},
    {"%", ""},
    {"<", ""},
    {">", ""},
    {"&", ""},
    {"|", ""},
    {"!", ""},
});

constexpr std::array kWords = std::to_array<Spelling>({
    {"and", "write `&`"},
    {"or", "write `|`"},
    {"not", "write `!`"},
    {"xor", "write `!=` between booleans"},
    {"mod", "write `%`"},
    {"div", "write `/` (between integers it rounds toward minus infinity)"},
    {"if", "write select(condition, a, b)"},
    {"then", "write select(condition, a, b)"},
    {"else", "write select(condition, a, b)"},
    {"where", "write select(condition, a, b)"},
    {"pow", "write x * x, or exp(y * log(x))"},
    {"sqrt", "write exp(0.5 * log(x))"},
    {"ceil", "write -floor(-x)"},
    {"clamp", "write min(max(x, low), high)"},
});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Bytes of the character that begins at `begin`; 1 for what is not UTF-8.
std::size_t character_size(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  if ((static_cast<unsigned char>(text[begin]) & 0xc0) == 0xc0) {
    while (end < text.size() && end < begin + 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  }
  return end - begin;
}

std::string name_of_character(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  if (byte > 0x20 && byte != 0x7f && (byte < 0x80 || character.size() > 1)) return "`" + std::string(character) + "`";
  constexpr std::string_view kDigits = "0123456789abcdef";
  return std::string("byte 0x") + kDigits[byte / 16] + kDigits[byte % 16];
}

}  // namespace

std::string_view advice_on_word(std::string_view name) {
  const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const Spelling& word) { return word.text == name; });
  return found == kWords.end() ? std::string_view{} : found->advice;
}

Lexer::Lexer(std::string_view text) : text_(text) {
  take();
}

Token Lexer::take() {
  const Token taken = token_;
  token_ = read();
  place_ = static_cast<std::size_t>(token_.column - 1) + token_.text.size();
  return taken;
}

Token Lexer::after() const {
  return read();
}

Token Lexer::token(Token::Kind kind, std::size_t begin, std::size_t size) const {
  return {.kind = kind, .text = text_.substr(begin, size), .column = static_cast<int>(begin) + 1};
}

Token Lexer::read() const {
  std::size_t begin = place_;
  while (begin < text_.size() && is_blank(text_[begin])) ++begin;
  if (begin == text_.size()) return token(Token::Kind::kEnd, begin, 0);
  const char c = text_[begin];
  const bool fraction = c == '.' && begin + 1 < text_.size() && is_digit(text_[begin + 1]);
  if (is_digit(c) || fraction) return number(begin);
  if (!is_name(c)) return sign(begin);
  std::size_t end = begin;
  while (end < text_.size() && is_name(text_[end])) ++end;
  return token(Token::Kind::kName, begin, end - begin);
}

Token Lexer::number(std::size_t begin) const {
  std::size_t end = begin;
  const auto digits = [&] {
    while (end < text_.size() && is_digit(text_[end])) ++end;
  };
  digits();
  if (end < text_.size() && text_[end] == '.') ++end;
  digits();
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    std::size_t power = end + 1;
    if (power < text_.size() && (text_[power] == '+' || text_[power] == '-')) ++power;
    if (power < text_.size() && is_digit(text_[power])) {
      end = power;
      digits();
    }
  }
  const std::size_t good = end;
  while (end < text_.size() && (is_name(text_[end]) || text_[end] == '.')) ++end;
  if (end != good) {
    fail_at(text_, static_cast<int>(begin) + 1,
            "`" + std::string(text_.substr(begin, end - begin)) + "` is no number (a product is written with `*`)");
  }
  return token(Token::Kind::kNumber, begin, end - begin);
}

Token Lexer::sign(std::size_t begin) const {
  const int column = static_cast<int>(begin) + 1;
  for (const Spelling& sign : kSigns) {
    if (text_.substr(begin, sign.text.size()) != sign.text) continue;
    if (!sign.advice.empty())
      fail_at(text_, column, "`" + std::string(sign.text) + "` is not of this language: " + std::string(sign.advice));
    return token(Token::Kind::kSign, begin, sign.text.size());
  }
  const std::string_view character = text_.substr(begin, character_size(text_, begin));
  fail_at(text_, column, "unexpected " + name_of_character(character));
}

}  // namespace heed::formula
