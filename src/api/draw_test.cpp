// draw: places, cells and tiles against the mask counted by hand.
#include <heed/draw.hpp>

#include <gtest/gtest.h>

#include <string>

#include <heed/error.hpp>
#include <heed/masks.hpp>
#include <heed/plan.hpp>

namespace heed {
namespace {

Problem square(const Expr& mask, std::int64_t length) {
  return {.queries = length, .keys = length, .mask = mask};
}

/// The share of a cell's places that are seen, all looked at.
float counted(const Drawing& drawing, const Cells& grid, int row, int column) {
  const Problem& p = drawing.problem();
  const std::int64_t q0 = row * p.queries / grid.rows, q1 = (row + 1) * p.queries / grid.rows, k0 = column * p.keys / grid.columns,
                     k1 = (column + 1) * p.keys / grid.columns;
  std::int64_t seen = 0;
  for (std::int64_t i = q0; i < q1; ++i) {
    for (std::int64_t j = k0; j < k1; ++j) seen += drawing.sees(0, 0, i, j);
  }
  return static_cast<float>(seen) / static_cast<float>((q1 - q0) * (k1 - k0));
}

TEST(Draw, PlacesAreThoseOfTheMask) {
  const Drawing plain(square(causal(), 9));
  Problem shifted = square(window(2), 9);
  shifted.queries = 4;
  shifted.align = Align::end();
  shifted.first_key = 100;
  const Drawing end(shifted), everything(square({}, 3));
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 9; ++j) {
      EXPECT_EQ(plain.sees(0, 0, i, j), j <= i);
      EXPECT_EQ(end.sees(0, 0, i, j), j == i + 5 || j == i + 4) << i << " " << j;
    }
  }
  EXPECT_TRUE(everything.sees(0, 0, 2, 0));
}

TEST(Draw, CellsHoldTheirShares) {
  for (const char* mask : {"causal", "window(7) | k < 3", "(q * k) % 5 < 2", "q == 3"}) {
    const Drawing drawing(square(parse(mask), 50));
    int rows = 0;
    const Cells cells = drawing.cells(0, 0, {.rows = 7, .columns = 50, .looked = 8}, [&](int done) { EXPECT_EQ(done, ++rows); });
    EXPECT_EQ(rows, 7);
    EXPECT_FALSE(cells.sampled) << mask;
    for (int row = 0; row < 7; ++row) {
      for (int column = 0; column < 50; ++column)
        EXPECT_FLOAT_EQ(cells.at(row, column), counted(drawing, cells, row, column)) << mask << " " << row << " " << column;
    }
  }
}

TEST(Draw, LargeCellsAreSampledWithoutAPhase) {
  const Drawing drawing(square(parse("(q + k) % 4 == 0"), 1024));
  const Cells grid{.rows = 2, .columns = 2, .looked = 32}, cells = drawing.cells(0, 0, grid);
  EXPECT_TRUE(cells.sampled);
  for (const float share : cells.shares) EXPECT_NEAR(share, 0.25, 0.06);  // steps of 512 / 32 would see all or nothing
  EXPECT_EQ(cells.shares, drawing.cells(0, 0, grid).shares);
  EXPECT_FALSE(Drawing(square(causal(), 1024)).cells(0, 0, {.rows = 2, .columns = 1, .looked = 1024}).sampled);
}

TEST(Draw, TilesAreThePlans) {
  for (const char* mask : {"causal", "window(100)", "k < 3", "(q * k) % 7 == 0"}) {
    Problem problem = square(parse(mask), 300);
    problem.heads = 3;
    const TilesSeen tiles = Drawing(problem).tiles();
    problem.dim = problem.value_dim = 8;
    const Plan plan(problem);
    EXPECT_FALSE(tiles.sampled);
    EXPECT_EQ(tiles.total, static_cast<double>(plan.tiles().total()));
    EXPECT_EQ(tiles.counts.empty, plan.tiles().empty) << mask;
    EXPECT_EQ(tiles.counts.partial, plan.tiles().partial) << mask;
    EXPECT_EQ(tiles.counts.full, plan.tiles().full) << mask;
  }
}

TEST(Draw, TilesOfALargePatternAreSampled) {
  const TilesSeen tiles = Drawing(square(parse("(q * k) % 7 == 0"), 50'000)).tiles();
  EXPECT_TRUE(tiles.sampled);
  EXPECT_EQ(tiles.total, 782.0 * 782.0);
  EXPECT_EQ(tiles.counts.partial, tiles.counts.total());
  const TilesSeen sparse = Drawing(square(parse("(q * k) % 100003 == 7"), 200'000)).tiles();
  EXPECT_TRUE(sparse.sampled);
  EXPECT_GT(sparse.counts.empty, sparse.counts.total() / 2);  // which bounds leave open: places are looked at
  EXPECT_FALSE(Drawing(square(causal(), 50'000)).tiles().sampled);
}

TEST(Draw, ExtentsOfTablesAreTaken) {
  const Tensor seen(DType::kBool, {3, 64}), heads(DType::kBool, {1, 5, 64});
  const Tables tables{{"seen", seen.view()}, {"heads", heads.view()}};
  Problem problem = square(parse("dense(seen, b, k) | dense(heads, b, h, k)", tables), 64);
  problem.tables = tables;
  const Problem fitted = fitted_to_tables(problem);
  EXPECT_EQ(fitted.batch, 3);
  EXPECT_EQ(fitted.heads, 5);
  EXPECT_EQ(fitted.kv_heads, 5);
  EXPECT_THROW(Drawing{problem}, Error);
  EXPECT_FALSE(Drawing(fitted).sees(2, 4, 0, 0));
  problem.batch = 7;
  EXPECT_EQ(fitted_to_tables(problem).batch, 7);  // refused by Drawing, as a plan would
}

TEST(Draw, WhatIsNotThereIsRefused) {
  const Drawing drawing(square(causal(), 10));
  EXPECT_THROW((void)drawing.sees(0, 1, 0, 0), Error);
  EXPECT_THROW((void)drawing.sees(0, 0, 10, 0), Error);
  EXPECT_THROW((void)drawing.cells(1, 0, {.rows = 1, .columns = 1, .looked = 1}), Error);
  EXPECT_THROW((void)drawing.cells(0, 0, {.rows = 11, .columns = 1, .looked = 1}), Error);
  EXPECT_THROW((void)drawing.cells(0, 0, {.rows = 1, .columns = 1}), Error);
  EXPECT_THROW(Drawing(square(parse("q % (k - 3) == 0"), 10)), Error);
  Problem packed = square(causal(), 10);
  packed.query_offsets = packed.key_offsets = {0, 10};
  EXPECT_THROW(Drawing{packed}, Error);
}

}  // namespace
}  // namespace heed
