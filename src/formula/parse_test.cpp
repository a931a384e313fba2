// parse: what it accepts, what it says when it does not, and that canonical text reads back to an equal tree.
#include <gtest/gtest.h>

#include <cstdint>

#include <heed/error.hpp>
#include <heed/masks.hpp>

#include "formula/formula.hpp"
#include "formula/named.hpp"
#include "formula/names.hpp"
#include "formula/node.hpp"
#include "formula/print.hpp"
#include "laws/support/random_formula.hpp"

namespace heed {
namespace {

const Tables& tables() {
  return formula::example_tables();
}

// The first line of the error, and below which character the caret stands ("" behind the end).
struct Refusal {
  std::string message;
  std::string marked;
};

Refusal refusal_of(const std::string& text) {
  try {
    const Expr parsed = parse(text, tables());
    return {"accepted as " + to_text(parsed), ""};
  } catch (const Error& error) {
    const std::string whole = error.what();
    const std::size_t first = whole.find('\n');
    const std::size_t last = whole.rfind('\n');
    if (first == last) return {whole, ""};
    return {whole.substr(0, first), whole.substr(first + 1, last - first - 1).substr(whole.size() - last - 2)};
  }
}

TEST(Parse, TextBecomesCanonicalText) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"k<=q", "k <= q"},
      {" ( ( k ) ) ", "k"},
      {"k <= q\n\t& q - k < 16", "k <= q & q - k < 16"},
      {"(q-k)-b", "q - k - b"},
      {"q-(k-b)", "q - (k - b)"},
      {"q - k * b % h", "q - k * b % h"},
      {"q < k & k < b | h == g & true", "q < k & k < b | h == g & true"},
      {"(q < k | k < b) & h == g", "(q < k | k < b) & h == g"},
      {"(q < k) == (k < q)", "(q < k) == (k < q)"},
      {"!causal", "!(k <= q)"},
      {"!!causal", "!!(k <= q)"},
      {"causal == true", "(k <= q) == true"},
      {"-q * k", "-q * k"},
      {"-(q * k)", "-(q * k)"},
      {"- 3", "-3"},
      {"-(3)", "-(3)"},
      {"--3", "-(-3)"},
      {"q--3", "q - -3"},
      {"q - - k", "q - -k"},
      {"007", "7"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"1.", "1.0"},
      {".5", "0.5"},
      {"1e3", "1000.0"},
      {"1E-05", "1e-05"},
      {"-0.0", "-0.0"},
      {"inf", "inf"},
      {"-inf", "-inf"},
      {"- inf", "-inf"},
      {"-(inf)", "-(inf)"},
      {"select(k <= q, s, -inf)", "select(k <= q, s, -inf)"},
      {"min(max(abs(q - k), floor(s)), 4)", "min(max(abs(q - k), floor(s)), 4)"},
      {"exp(log(tanh(sigmoid(s))))", "exp(log(tanh(sigmoid(s))))"},
      {"length[b]", "length[b]"},
      {"seen[q, k + 1]", "seen[q, k + 1]"},
      {"s + bias[0, q, k]", "s + bias[0, q, k]"},
      {"full", "true"},
      {"causal()", "k <= q"},
      {"window(4)", "k <= q & q - k < 4"},
      {"window(length[b])", "k <= q & q - k < length[b]"},
      {"window(2, 3) | causal", "q - k <= 2 & k - q <= 3 | k <= q"},
      {"bias(bias)", "s + dense(bias)"},
      {"bias(bias, b, i, k)", "s + dense(bias, b, i, k)"},
      {"dense(seen)", "dense(seen)"},
      {"dense(seen, i, k)", "dense(seen, i, k)"},
      {"!dense(seen, i, k - 1) | i % 3 == 0", "!dense(seen, i, k - 1) | i % 3 == 0"},
      {"padding(valid)", "dense(valid, b, k)"},
      {"lengths(length)", "k < dense(length, b)"},
      {"relative(distance, 8)", "s + dense(distance, h, min(max(k - q, -8), 8) + 8)"},
  };
  for (const auto& [text, canonical] : cases) {
    const Expr parsed = parse(text, tables());
    EXPECT_EQ(to_text(parsed), canonical) << text;
    EXPECT_TRUE(same(parse(canonical, tables()), parsed)) << text;
  }
}

TEST(Parse, ADenseLookupIsNoFreeOne) {
  EXPECT_FALSE(same(parse("dense(seen, i, k)", tables()), parse("seen[i, k]", tables())));
  EXPECT_FALSE(same(parse("dense(seen, i, k)", tables()), parse("dense(seen)", tables())));
}

TEST(Parse, PrecedenceBuildsTheTreeOfTheOperators) {
  using namespace symbols;
  EXPECT_TRUE(same(parse("q - k * b < h & k == g | q != k"), ((q - k * b < h) & (k == g)) | (q != k)));
  EXPECT_TRUE(same(parse("-q % 3 + 1"), (-q) % 3 + 1));
  EXPECT_TRUE(same(parse("q / 2 / 3"), (q / 2) / 3));
  EXPECT_TRUE(same(parse("-3"), Expr(-3)));
  EXPECT_TRUE(same(parse("-(3)"), -Expr(3)));
  EXPECT_TRUE(same(parse("q - 3"), q - 3));
  EXPECT_TRUE(same(parse("q -3"), q - 3));
}

TEST(Parse, NodesKnowTheirColumns) {
  const Expr parsed = parse("k <= q & window(q - 2)");
  EXPECT_EQ(parsed.node().column, 8);
  EXPECT_EQ(parsed.node().args[0].node().column, 3);
  const Expr& window = parsed.node().args[1];
  EXPECT_EQ(window.node().column, 10) << "what a named mask made stands at its call";
  EXPECT_EQ(window.node().args[1].node().args[1].node().column, 19) << "its arguments keep theirs";
}

TEST(Parse, EveryErrorSaysWhatAndWhere) {
  const std::string bound = " (tables: bias, block, buckets, distance, global, heat, length, offsets, seen, slope, valid)";
  const std::string foreign = " is not of this language: ";
  struct Case {
    std::string text, message, marked;
  };
  const std::vector<Case> cases{
      {"", "column 1: the formula is empty", ""},
      {" \n ", "column 4: the formula is empty", ""},
      {"k <= q & cusal", "column 10: unknown name `cusal`; did you mean `causal`?" + bound, "cusal"},
      {"lenght[b] > k", "column 1: unknown name `lenght`; did you mean `length`?" + bound, "lenght[b] > k"},
      {"j < i", "column 1: unknown name `j`; symbols are s q i k b h g" + bound, "j < i"},
      {"foo(q)", "column 1: unknown name `foo`" + bound, "foo(q)"},
      {"q < k < b", "column 7: comparisons do not chain: write `q < k & k < b`, or parentheses around one of them", "< b"},
      {"q == k == b", "column 8: comparisons do not chain: write `q == k & k == b`, or parentheses around one of them", "== b"},
      {"q < k == true", "column 7: comparisons do not chain: write `q < k & k == true`, or parentheses around one of them", "== true"},
      {"q == k < b", "column 3: comparisons do not chain: write `q == k & k < b`, or parentheses around one of them", "== k < b"},
      {"q < k == k < b", "column 7: comparisons do not chain: write `q < k & k == k & k < b`, or parentheses around one of them",
       "== k < b"},
      {"q < 11111111111111111111.0 * 1111111111111111111.0 * 111111111111111111111.0 < b",
       "column 78: comparisons do not chain: write `a < b & b < c`, or parentheses around one of them", "< b"},
      {"causal && causal", "column 8: `&&`" + foreign + "write `&` (formulas are values: nothing is skipped)", "&& causal"},
      {"causal || causal", "column 8: `||`" + foreign + "write `|` (formulas are values: nothing is skipped)", "|| causal"},
      {"causal and causal", "column 8: `and`" + foreign + "write `&`", "and causal"},
      {"causal or causal", "column 8: `or`" + foreign + "write `|`", "or causal"},
      {"not causal", "column 1: `not`" + foreign + "write `!`", "not causal"},
      {"q mod 3", "column 3: `mod`" + foreign + "write `%`", "mod 3"},
      {"sqrt(s)", "column 1: `sqrt`" + foreign + "write exp(0.5 * log(x))", "sqrt(s)"},
      {"q = k", "column 3: `=`" + foreign + "write `==`", "= k"},
      {"q === k", "column 3: `===`" + foreign + "write `==`", "=== k"},
      {"q => k", "column 3: `=>`" + foreign + "write `>=`", "=> k"},
      {"q <> k", "column 3: `<>`" + foreign + "write `!=`", "<> k"},
      {"q ^ 2", "column 3: `^`" + foreign + "write x * x for a power, `!=` for an exclusive or", "^ 2"},
      {"q ** 2", "column 3: `**`" + foreign + "write x * x, or exp(y * log(x))", "** 2"},
      {"q // 2", "column 3: `//`" + foreign + "write `/` (between integers it rounds toward minus infinity)", "// 2"},
      {"q << 2", "column 3: `<<`" + foreign + "multiply by the power of two", "<< 2"},
      {"causal ? 1 : 0", "column 8: `?`" + foreign + "write select(condition, a, b)", "? 1 : 0"},
      {"k \u2264 q", "column 3: `\u2264`" + foreign + "write `<=`", "\u2264 q"},
      {"~causal", "column 1: `~`" + foreign + "write `!`", "~causal"},
      {"q @ k", "column 3: unexpected `@`", "@ k"},
      {"q \u00e4 k", "column 3: unexpected `\u00e4`", "\u00e4 k"},
      {"q \x01", "column 3: unexpected byte 0x01", " "},
      {"q \xff k", "column 3: unexpected byte 0xff", "\xff k"},
      {"+q", "column 1: there is no prefix `+`", "+q"},
      {"3q", "column 1: `3q` is no number (a product is written with `*`)", "3q"},
      {"1.5.2", "column 1: `1.5.2` is no number (a product is written with `*`)", "1.5.2"},
      {"0x10", "column 1: `0x10` is no number (a product is written with `*`)", "0x10"},
      {"1e", "column 1: `1e` is no number (a product is written with `*`)", "1e"},
      {"9223372036854775808", "column 1: an integer beyond 64 bits (a real is written with a point or exponent)", "9223372036854775808"},
      {"-9223372036854775809", "column 2: an integer beyond 64 bits (a real is written with a point or exponent)", "9223372036854775809"},
      {"99999999999999999999", "column 1: an integer beyond 64 bits (a real is written with a point or exponent)", "99999999999999999999"},
      {"1e999", "column 1: no double holds `1e999`: it is too large (infinity is written inf)", "1e999"},
      {"nan", "column 1: NaN is not a literal", "nan"},
      {"q +", "column 4: expected a number, a name or `(`, found the end", ""},
      {"q + )", "column 5: expected a number, a name or `(`, found `)`", ")"},
      {"(q + k", "column 7: expected `)` for the `(` of column 1, found the end", ""},
      {"(q k)", "column 4: expected `)` for the `(` of column 1, found `k`", "k)"},
      {"length[b", "column 9: expected `]` for the `[` of column 7, found the end", ""},
      {"length[b)", "column 9: expected `]` for the `[` of column 7, found `)`", ")"},
      {"q + k)", "column 6: `)` closes nothing", ")"},
      {"q k", "column 3: unexpected `k` after a complete expression", "k"},
      {"q 3", "column 3: unexpected `3` after a complete expression", "3"},
      {"q, k", "column 2: unexpected `,` after a complete expression", ", k"},
      {"min(q,)", "column 7: expected an expression after `,`", ")"},
      {"min(,q)", "column 5: expected a number, a name or `(`, found `,`", ",q)"},
      {"min(q)", "column 1: `min` takes 2 arguments, min(a, b); found 1", "min(q)"},
      {"abs(q, k)", "column 1: `abs` takes 1 argument, abs(a); found 2", "abs(q, k)"},
      {"select(q, k)", "column 1: `select` takes 3 arguments, select(condition, a, b); found 2", "select(q, k)"},
      {"abs", "column 1: `abs` is a function: abs(a)", "abs"},
      {"q(3)", "column 2: `q` is a symbol: it has neither arguments nor indices", "(3)"},
      {"k[q]", "column 2: `k` is a symbol: it has neither arguments nor indices", "[q]"},
      {"window", "column 1: `window` is written `window(w)` or `window(left, right)`; found 0 arguments", "window"},
      {"window(1, 2, 3)", "column 1: `window` is written `window(w)` or `window(left, right)`; found 3 arguments", "window(1, 2, 3)"},
      {"dense(seen, i)", "column 1: table `seen` has rank 2 (shape [64, 64]) but is given 1 index", "dense(seen, i)"},
      {"causal(q)", "column 1: `causal` is written `causal`; found 1 argument", "causal(q)"},
      {"causal & window(0)", "column 10: window: w is too small; expected an integer, at least 1; found 0", "window(0)"},
      {"length", "column 1: `length` is a table of rank 1: it needs an index, as in `length[k]`", "length"},
      {"seen & causal", "column 1: `seen` is a table of rank 2: it needs 2 indices, as in `seen[i, k]`", "seen & causal"},
      {"length(b)", "column 1: `length` is a table: a lookup is written with brackets", "length(b)"},
      {"length[]", "column 1: a lookup without an index", "length[]"},
      {"causal[q]", "column 1: `causal` is a named mask, and no table of this name is bound", "causal[q]"},
      {"t5[q]", "column 1: `t5` is a named score, and no table of this name is bound", "t5[q]"},
  };
  for (const Case& expected : cases) {
    const Refusal found = refusal_of(expected.text);
    EXPECT_EQ(found.message, expected.message) << expected.text;
    EXPECT_EQ(found.marked, expected.marked) << expected.text;
  }
}

TEST(Parse, TypeErrorsPointIntoTheText) {
  EXPECT_EQ(refusal_of("k <= q & 3").marked, "3");
  EXPECT_EQ(refusal_of("length[0.5] < k").marked, "0.5] < k");
  EXPECT_EQ(refusal_of("causal & seen[q]").marked, "seen[q]");
  EXPECT_EQ(refusal_of("q + chunked(causal)").marked, "causal)") << "inside an argument of a named mask";
}

TEST(Parse, WithoutTablesALookupSaysSo) {
  try {
    (void)parse("foo[q]");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "column 1: unknown name `foo` (no table is bound)\n  foo[q]\n  ^");
  }
}

TEST(Parse, ATableMayNotHideASymbolFunctionOrMask) {
  const Tensor data(DType::kF32, {4});
  for (const std::string name : {"q", "i", "exp", "causal", "padding", "true"}) {
    try {
      (void)parse("1", {{name, data.view()}});
      FAIL() << "no error for " << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("formula: table `" + name + "` has the name of a "), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("it must be renamed"), std::string::npos);
    }
  }
  EXPECT_EQ(to_text(parse("bias[q]", {{"bias", data.view()}})), "bias[q]");
  EXPECT_EQ(to_text(parse("q", {{"model.layers.0", data.view()}})), "q") << "names that text cannot write are no hindrance";
}

// ---- limits ----

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST(Parse, LongChainsUpToTheLimit) {
  const std::string most = "1" + repeated("+1", (formula::kMaxNodes - 1) / 2);
  const Expr parsed = parse(most);
  EXPECT_TRUE(same(parse(to_text(parsed)), parsed));
  EXPECT_NE(refusal_of(most + "+1").message.find("the formula is too large: more than 10000"), std::string::npos);
  EXPECT_NE(refusal_of(repeated("1+", 400'000) + "1").message.find("too large"), std::string::npos);
  EXPECT_NE(refusal_of(std::string(2'000'000, ' ')).message.find("a text of 2000000 bytes"), std::string::npos);
}

TEST(Parse, NestingUpToTheLimit) {
  const auto nested = [](const std::string& open, const std::string& close, int levels) {
    return repeated(open, levels) + "q" + repeated(close, levels);
  };
  const int most = formula::kMaxNesting;
  EXPECT_EQ(to_text(parse(nested("(", ")", most))), "q");
  EXPECT_EQ(to_text(parse(nested("-", "", most))), nested("-", "", most));
  EXPECT_EQ(to_text(parse(nested("abs(", ")", most))), nested("abs(", ")", most));
  for (const auto& [open, close] : {std::pair<std::string, std::string>{"(", ")"}, {"-", ""}, {"abs(", ")"}, {"offsets[", "]"}}) {
    for (const int levels : {most + 1, 20'000}) {
      const std::string message = refusal_of(nested(open, close, levels)).message;
      EXPECT_NE(message.find("nested too deeply: more than 200 levels"), std::string::npos) << open << levels << message;
    }
  }
}

// A named mask may write its argument twice, or deeper than the call: what it expands to is bounded as well.
TEST(Parse, ExpansionsStayWithinTheLimits) {
  EXPECT_NE(refusal_of(repeated("chunked(", 30) + "2" + repeated(")", 30)).message.find("too large"), std::string::npos);
  EXPECT_NE(refusal_of(repeated("streaming(1, ", 150) + "2" + repeated(")", 150)).message.find("nested too deeply"), std::string::npos);
}

// ---- the law: canonical text reads back to an equal tree ----

TEST(Parse, RandomTreesReadBackEqual) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    laws::RandomFormula random(seed, tables());
    for (int i = 0; i < 40; ++i) {
      const Expr tree = i % 2 == 0 ? random.mask(1 + i % 6) : random.score(1 + i % 6);
      const std::string text = to_text(tree);
      Expr parsed;
      try {
        parsed = parse(text, tables());
      } catch (const Error& error) {
        FAIL() << "seed " << seed << ": " << error.what();
      }
      ASSERT_TRUE(same(parsed, tree)) << "seed " << seed << ": " << text << "\nread as: " << to_text(parsed);
      ASSERT_EQ(to_text(parsed), text);
    }
  }
}

TEST(Parse, TheSlotOfATextIsCheckedInItsOwnWords) {
  EXPECT_TRUE(same(parse_mask("k <= q"), parse("k <= q")));
  EXPECT_TRUE(same(parse_score("s*2.0"), parse("s * 2.0")));
  const auto said = [](const auto& read, const char* text) -> std::string {
    try {
      (void)read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  };
  const auto mask = [](const char* text) { return parse_mask(text); };
  const auto score = [](const char* text) { return parse_score(text); };
  EXPECT_NE(said(mask, "k+q").find("must be boolean"), std::string::npos);
  EXPECT_NE(said(mask, "k+q").find("k+q"), std::string::npos) << "as typed";
  EXPECT_NE(said(mask, "s>0.5").find("s>0.5"), std::string::npos);
  EXPECT_NE(said(score, "k<q").find("must be a number"), std::string::npos);
  EXPECT_NE(said(score, "k<q").find("k<q"), std::string::npos) << "as typed";
  EXPECT_EQ(said([](const char* text) { return parse(text); }, "k<q"), "nothing");
  EXPECT_EQ(said(score, "s + k"), "nothing");
}

TEST(Parse, ANumberThatDoubleDoesNotHoldIsTooSmallOrTooLarge) {
  const auto said = [](const char* text) -> std::string {
    try {
      (void)parse(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  };
  for (const char* small : {"1e-400", "0.0001e-390", "-1.5e-999", "100000.0e-400", "1e-99999999999999999999"})
    EXPECT_NE(said(small).find("too small"), std::string::npos) << small << ": " << said(small);
  for (const char* large : {"1e400", "1000.0e306", "-0.01e999", "1e99999999999999999999"})
    EXPECT_NE(said(large).find("too large"), std::string::npos) << large << ": " << said(large);
  for (const char* held : {"1e-300", "1e300", "0.0e-999", "0.000001e310"}) EXPECT_EQ(said(held), "nothing") << held;
}

TEST(Parse, RandomFormulasUseEveryOperation) {
  std::vector<int> uses(formula::kOps);
  const auto count = [&](const auto& self, const Expr& tree) -> void {
    ++uses[static_cast<std::size_t>(tree.node().op)];
    for (const Expr& argument : tree.node().args) self(self, argument);
  };
  laws::RandomFormula random(1, tables());
  for (int i = 0; i < 300; ++i) {
    count(count, random.mask());
    count(count, random.score());
  }
  for (int i = 0; i < formula::kOps; ++i)
    EXPECT_GT(uses[static_cast<std::size_t>(i)], 5) << formula::info(static_cast<formula::Op>(i)).text;
}

TEST(Parse, RandomFormulasAreWellTyped) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    laws::RandomFormula random(seed, tables());
    EXPECT_NO_THROW((void)formula::Formula::mask(random.mask(), tables()));
    const Expr score = random.score();
    EXPECT_NO_THROW((void)formula::Formula::score(std::span(&score, 1), tables()));
  }
}

}  // namespace
}  // namespace heed
