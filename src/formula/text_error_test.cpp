// The one form of errors about formulas.
#include "formula/text_error.hpp"

#include <gtest/gtest.h>

#include <heed/error.hpp>

#include "formula/node.hpp"

namespace heed::formula {
namespace {

std::string at(std::string_view text, int column, const std::string& message) {
  try {
    fail_at(text, column, message);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(TextError, MessageTextAndCaret) {
  EXPECT_EQ(at("k <= q & cusal", 10, "unknown name"),
            "column 10: unknown name\n"
            "  k <= q & cusal\n"
            "           ^");
  EXPECT_EQ(at("", 0, "nothing to show"), "formula: nothing to show");
  EXPECT_EQ(at("", 4, "no text"), "column 4: no text");
  EXPECT_EQ(at("q + k", 0, "no place"), "formula: no place\n  q + k");
  EXPECT_EQ(at("q +", 4, "at the end"), "column 4: at the end\n  q +\n     ^");
}

TEST(TextError, PartsAreSeparate) {
  try {
    fail_at("q", 1, "message");
  } catch (const Error& error) {
    EXPECT_EQ(error.parts().where, "column 1");
    EXPECT_EQ(error.parts().what, "message\n  q\n  ^");
  }
}

TEST(TextError, LineEndsAndTabsDoNotTearTheCaretAway) {
  EXPECT_EQ(at("q\t+\nx", 5, "m"), "column 5: m\n  q + x\n      ^");
}

TEST(TextError, OfALongTextTheNeighbourhood) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "1234567 + ";
  text[500] = 'X';
  const std::string shown = at(text, 501, "m");
  const std::size_t line = shown.find('\n') + 1;
  const std::size_t caret_line = shown.rfind('\n') + 1;
  EXPECT_LT(shown.size(), 300u);
  EXPECT_EQ(shown[line + (shown.find('^') - caret_line)], 'X') << shown;
  EXPECT_EQ(shown.substr(line, 5), "  ...");
  const std::string at_end = at(text, 1001, "m");
  EXPECT_EQ(at_end.find('^') - at_end.rfind('\n') - 1, at_end.rfind('\n') - at_end.find('\n') - 1) << at_end;
}

TEST(TextError, PointsAtANodeOfAnyTree) {
  const Expr part = symbols::k + 1;
  try {
    fail_in(symbols::q <= part, part.node(), "m");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "column 8: m\n  q <= k + 1\n         ^");
  }
}

}  // namespace
}  // namespace heed::formula
