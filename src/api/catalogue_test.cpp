// The catalogue's examples do what they say: every mask draws itself over the example tables, every score parses as one.
#include <heed/catalogue.hpp>

#include <gtest/gtest.h>

#include <heed/draw.hpp>

namespace heed {
namespace {

TEST(Catalogue, EveryExampleStandsOnTheExampleTables) {
  const Tables& tables = example_tables();
  EXPECT_TRUE(tables.contains("length"));
  int masks = 0, scores = 0;
  for (const Entry& entry : catalogue()) {
    if (entry.kind == "mask") {
      ++masks;
      const Drawing drawing(
          fitted_to_tables({.batch = 2, .queries = 64, .keys = 64, .mask = parse_mask(entry.example, tables), .tables = tables}));
      const Cells cells = drawing.cells(1, 0, {.rows = 1, .columns = 1, .looked = 64});
      EXPECT_GT(cells.at(0, 0), 0) << entry.usage;
      EXPECT_EQ(to_text(parse(entry.example, tables)), entry.text);
    }
    if (entry.kind == "score") {
      ++scores;
      EXPECT_FALSE(parse_score(entry.example, tables).empty()) << entry.usage;
    }
  }
  EXPECT_GE(masks, 10);
  EXPECT_GE(scores, 5);
}

}  // namespace
}  // namespace heed
