// One row of a formula alone is that row of the whole.
#include "formula/row.hpp"

#include <gtest/gtest.h>

#include <heed/masks.hpp>

#include "formula/formula.hpp"
#include "formula/named.hpp"

namespace heed::formula {
namespace {

TEST(AtRow, IsTheRowOfTheWhole) {
  const Tables& tables = example_tables();
  for (const char* text :
       {"dense(seen)", "dense(block, b, i, k) & causal", "i % 3 == k % 3 | padding(valid)", "longformer(4, global) | k < i"}) {
    const Expr whole = parse(text, tables);
    const Formula mask = Formula::mask(whole, tables);
    for (const std::int64_t row : {0, 1, 7, 63}) {
      const Formula alone = Formula::mask(at_row(whole, tables, row), tables);
      EXPECT_TRUE(alone.fitted().empty()) << text;
      for (std::int64_t k = 0; k < 64; ++k) {
        EXPECT_EQ(alone.at({.q = 20, .k = k, .b = 1, .h = 2}).integer, mask.at({.q = 20, .k = k, .b = 1, .h = 2, .i = row}).integer)
            << text << " row " << row << " k " << k;
      }
    }
  }
}

TEST(AtRow, ExtentsOfOneAreReadAtZero) {
  Tensor seen(DType::kBool, {1, 1, 5});
  EXPECT_EQ(to_text(at_row(dense(Table("m"), seen.shape()), {{"m", seen.view()}}, 3)), "m[0, 0, k]");
  EXPECT_EQ(to_text(at_row(dense(Table("m", seen), symbols::g, symbols::i, symbols::k), {}, 3)), "m[0, 0, k]");
  EXPECT_EQ(to_text(at_row(symbols::i + symbols::i * symbols::q, {}, 3)), "3 + 3 * q");
  EXPECT_TRUE(at_row({}, {}, 3).empty());
}

}  // namespace
}  // namespace heed::formula
