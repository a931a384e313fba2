// The table of named masks and scores, and how arguments of the wrong sort are refused.
#include "formula/named.hpp"

#include <gtest/gtest.h>

#include <set>

#include <heed/error.hpp>

#include "formula/formula.hpp"
#include "formula/names.hpp"
#include "formula/node.hpp"

namespace heed::formula {
namespace {

std::string refusal(const std::string& text) {
  try {
    return "accepted as " + to_text(parse(text, example_tables()));
  } catch (const Error& error) {
    const std::string what = error.what();
    return what.substr(0, what.find('\n'));
  }
}

// Tables that travel with a tree, by name: with them its text reads back.
void bind_travelling(const Expr& tree, Tables& tables) {
  if (tree.node().data) tables.emplace(tree.node().name, tree.node().data->view());
  for (const Expr& argument : tree.node().args) bind_travelling(argument, tables);
}

TEST(Named, EveryExampleParsesChecksAndReadsBack) {
  for (const std::span<const Named> rows : {named_masks(), named_scores()}) {
    for (const Named& row : rows) {
      const Expr tree = parse(row.example, example_tables());
      EXPECT_EQ(row.example.substr(0, row.name.size()), row.name);
      Tables tables = example_tables();
      bind_travelling(tree, tables);
      EXPECT_TRUE(same(parse(to_text(tree), tables), tree)) << row.example;
      if (row.kind == "mask") {
        EXPECT_NO_THROW((void)Formula::mask(tree, example_tables())) << row.example;
      } else {
        EXPECT_EQ(row.kind, "score");
        EXPECT_NO_THROW((void)Formula::score(std::span(&tree, 1), example_tables())) << row.example;
      }
    }
  }
}

TEST(Named, RowsAreCompleteAndDistinct) {
  std::set<std::pair<std::string, std::size_t>> seen;
  for (const std::span<const Named> rows : {named_masks(), named_scores()}) {
    for (const Named& row : rows) {
      EXPECT_TRUE(seen.emplace(row.name, row.parameters.size()).second) << row.name;
      EXPECT_TRUE(is_identifier(row.name));
      EXPECT_FALSE(row.meaning.empty() || row.source.empty()) << row.name;
      EXPECT_EQ(row.meaning.back(), '.') << row.name;
    }
  }
}

TEST(Named, AnArgumentOfTheWrongSortNamesCallAndParameter) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"window(slope)", "column 1: window: w is a whole table; expected an expression, such as a lookup slope[b]; found the table `slope`"},
      {"documents(q)", "column 1: documents: offsets is not a table; expected the bare name of a bound table; found `q`"},
      {"longformer(16, slope)", "column 1: longformer: global is not boolean; expected a boolean table; found `slope` of f32"},
      {"padding(bias)", "column 1: padding: mask is not boolean; expected a boolean table; found `bias` of f32"},
      {"dense(q, i, k)", "column 1: dense: table is not a table; expected the bare name of a bound table; found `q`"},
      {"dense(global)",
       "column 1: dense: table `global` has no queries and keys; expected [Tq, Tk], [H, Tq, Tk] or [B, H, Tq, Tk], or the axes said: "
       "dense(global, b, k); found [64]"},
      {"alibi(q)", "column 1: alibi: heads is not an integer literal; expected a number such as 8; found `q`"},
      {"t5(buckets, 32, 128, 1)", "column 1: t5: bidirectional is not a boolean literal; expected true or false; found 1"},
      {"t5(slope, 32, 128, true)", "column 1: t5: table `slope` has not one column per bucket; expected [Hq, 32]; found [4]"},
      {"t5(buckets, 16, 128, true)", "column 1: t5: table `buckets` has not one column per bucket; expected [Hq, 16]; found [4, 32]"},
      {"relative(distance, 9)",
       "column 1: relative: table `distance` has not one column per distance; expected [Hq, 2 m + 1], m = 9; found [4, 17]"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(refusal(text), message);
}

TEST(Named, LiteralsThatMakeNoSenseAreRefused) {
  for (const char* text : {"window(0)",
                           "window(-1)",
                           "window(2.5)",
                           "window(true)",
                           "window(-1, 2)",
                           "window(2, -1)",
                           "prefix(-1)",
                           "lengths(-1)",
                           "chunked(0)",
                           "chunked(-3)",
                           "streaming(-1, 4)",
                           "streaming(4, 0)",
                           "longformer(3, global)",
                           "longformer(-2, global)",
                           "alibi(0)",
                           "alibi(-4)",
                           "alibi(1000000)",
                           "t5(buckets, 32, 8, true)",
                           "relative(distance, -8)",
                           "temperature(0)",
                           "temperature(0.0)"}) {
    EXPECT_NE(refusal(text).find("; expected "), std::string::npos) << refusal(text);
  }
  for (const char* text : {"window(1)", "window(0, 0)", "prefix(0)", "lengths(0)", "chunked(1)", "streaming(0, 1)", "longformer(0, global)",
                           "alibi(1)", "temperature(-1)", "scale(0)", "window(length[b])"}) {
    EXPECT_EQ(refusal(text).find("accepted"), 0u) << refusal(text);
  }
}

TEST(Named, ExampleTablesCoverSixtyFourPositions) {
  const Tables& tables = example_tables();
  EXPECT_EQ(tables.at("length").shape, (Dims{2}));
  EXPECT_EQ(tables.at("global").shape, (Dims{64}));
  EXPECT_EQ(tables.at("global").dtype, DType::kBool);
  EXPECT_EQ(tables.at("seen").shape, (Dims{64, 64}));
  EXPECT_EQ(tables.at("slope").shape, (Dims{4}));
  EXPECT_EQ(integer_at(tables.at("offsets"), 4), 64);
  for (const auto& [name, view] : tables) EXPECT_EQ(taken_by(name), "") << name;
}

}  // namespace
}  // namespace heed::formula
