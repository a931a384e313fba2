// The tiles visited are exactly those that hold a visible key: against brute force, for every named mask and random ones; and for the
// masks that intervals decide alone, without settling a bit.
#include "problem/tiles.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/random_formula.hpp"
#include "problem/question.hpp"

namespace heed::problem {
namespace {

using base::kTile;
using formula::Verdict;

struct Truth {
  bool any = false, all = true;
};

Truth truth_of(const problem::Question& question, std::int64_t b, std::int64_t h, std::int64_t row, std::int64_t tile) {
  Truth truth;
  std::vector<formula::Value> values(question.formulas.mask.steps().size());
  for (std::int64_t i = row * kTile; i < std::min((row + 1) * kTile, question.layout.queries); ++i) {
    for (std::int64_t j = tile * kTile; j < std::min((tile + 1) * kTile, question.layout.keys); ++j) {
      const bool seen = question.formulas.mask
                            .at({.q = question.layout.query_position(b, i),
                                 .k = question.layout.first_key + j,
                                 .b = b,
                                 .h = h,
                                 .g = question.layout.kv_head(h),
                                 .i = i},
                                values)
                            .integer;
      truth.any |= seen;
      truth.all &= seen;
    }
  }
  return truth;
}

/// Every tile of every head: visited iff it holds a visible key; Full only where all are; counts and pairs add up.
void expect_exact(const problem::Question& question, const std::string& name) {
  TileCounts counts;
  for (std::int64_t b = 0; b < question.layout.batch; ++b) {
    for (std::int64_t h = 0; h < question.layout.heads; ++h) {
      for (std::int64_t row = 0; row < question.layout.query_tiles(); ++row) {
        std::vector<int> visited(static_cast<std::size_t>(question.layout.key_tiles()), -1);
        std::int64_t last = 0;
        for (const Run& run : question.tiles.runs(b, h, row)) {
          ASSERT_GE(run.first, last) << name << ": runs ascend";
          last = run.last;
          for (std::int64_t tile = run.first; tile < run.last; ++tile)
            visited[static_cast<std::size_t>(tile)] = static_cast<int>(run.verdict);
        }
        for (std::int64_t tile = 0; tile < question.layout.key_tiles(); ++tile) {
          const Truth truth = truth_of(question, b, h, row, tile);
          const int verdict = visited[static_cast<std::size_t>(tile)];
          ASSERT_EQ(verdict >= 0, truth.any) << name << " b " << b << " h " << h << " row " << row << " tile " << tile;
          ASSERT_TRUE(truth.all || verdict != static_cast<int>(Verdict::kFull)) << name << " row " << row << " tile " << tile;
          ++(verdict < 0 ? counts.empty : verdict == static_cast<int>(Verdict::kFull) ? counts.full : counts.partial);
        }
      }
    }
  }
  EXPECT_EQ(counts.empty, question.tiles.visited().tiles.empty) << name;
  EXPECT_EQ(counts.partial, question.tiles.visited().tiles.partial) << name;
  EXPECT_EQ(counts.full, question.tiles.visited().tiles.full) << name;
}

TEST(Tiles, ExactForEveryMask) {
  for (const std::string& mask : laws::sweep_masks()) {
    const laws::Draw draw({.batch = 2, .queries = 200, .keys = 331, .dim = 1, .value_dim = 1, .mask = mask});
    expect_exact(problem::Question(draw.problem()), mask);
  }
}

TEST(Tiles, ExactForRandomMasks) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const laws::Draw draw({.batch = 2, .queries = 150, .keys = 150, .dim = 1, .value_dim = 1});
    laws::RandomFormula random(seed, draw.tables);
    Problem problem = draw.problem();
    problem.mask = random.mask();
    try {
      expect_exact(problem::Question(problem), to_text(problem.mask));
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("visible place"), std::string::npos) << error.what();
    }
  }
}

/// Rows of tiles whose alignment is not that of the keys.
TEST(Tiles, ExactForAnyOffset) {
  for (const std::int64_t offset : {-100, -1, 7, 63, 131}) {
    for (const char* mask : {"causal", "window(70)", "streaming(4, 20)", "chunked(50)", "prefix(90)"}) {
      const laws::Draw draw({.queries = 200, .keys = 331, .dim = 1, .value_dim = 1, .mask = mask, .align = Align::at({offset})});
      expect_exact(problem::Question(draw.problem()), std::string(mask) + " at " + std::to_string(offset));
    }
  }
}

/// For these, Empty by intervals is exact at every tile: settling never has to drop one.
TEST(Tiles, IntervalsAloneDecideTheseMasks) {
  for (const char* mask : {"full", "causal", "window(9)", "window(3, 20)", "prefix(12)", "lengths(length[b])", "documents(offsets)",
                           "causal & documents(offsets)", "chunked(24)", "streaming(4, 16)", "longformer(10, global)"}) {
    const laws::Draw draw({.batch = 2, .queries = 300, .keys = 300, .dim = 1, .value_dim = 1, .mask = mask});
    const problem::Question question(draw.problem());
    for (std::int64_t row = 0; row < question.layout.query_tiles(); ++row) {
      for (std::int64_t tile = 0; tile < question.layout.key_tiles(); ++tile) {
        for (std::int64_t b = 0; b < 2; ++b) {
          const formula::Box box = question.layout.box(b, 0, {row * kTile, std::min((row + 1) * kTile, question.layout.queries) - 1},
                                                       {tile * kTile, std::min((tile + 1) * kTile, question.layout.keys) - 1});
          EXPECT_EQ(question.formulas.mask_over().verdict(box) != Verdict::kEmpty, truth_of(question, b, 0, row, tile).any)
              << mask << " row " << row << " tile " << tile;
        }
      }
    }
  }
}

/// A final score of -inf is exactly as masked: tiles that hold nothing else are dropped, per head where heads differ.
TEST(Tiles, MinusInfiniteScoresEmptyATile) {
  laws::Draw draw({.queries = 200, .keys = 300, .dim = 4, .value_dim = 4, .scores = {"select(k < 70 | k / 64 == h + 2, -inf, s)"}});
  const problem::Question question(draw.problem());
  EXPECT_EQ(question.tiles.visited().tiles.empty, 2 * 4 * 2);
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t h = 0; h < 2; ++h) {
      for (const problem::Run& run : question.tiles.runs(0, h, row)) {
        EXPECT_GE(run.first, 1);
        EXPECT_TRUE(run.last <= h + 2 || run.first > h + 2) << "head " << h;
      }
    }
  }
  EXPECT_EQ(laws::violation(laws::run(draw, "simd"), laws::truth(draw), laws::naive(draw), DType::kF32), "");
}

TEST(Tiles, WhatTheScoreDecidesIsNotSearchedFor) {
  Problem problem{.queries = 1 << 16, .keys = 1 << 16, .dim = 64, .value_dim = 64};
  problem.scores = {parse("s + floor(s)")};
  EXPECT_EQ(Plan(problem).tiles().full, 1 << 20);  // place by place this would be 2^32 places
}

/// A table per head of numbers that cannot make -inf: one search serves all heads, and no bounds of scores are asked.
TEST(Tiles, FiniteTablesHideNothing) {
  const auto maps = [](const char* score) {
    const laws::Draw draw({.heads = 4, .queries = 200, .keys = 300, .dim = 4, .value_dim = 4, .mask = "causal", .scores = {score}});
    return problem::Question(draw.problem()).tiles.maps();
  };
  EXPECT_EQ(maps("s + slope[h] * (k - q)"), 1u);
  EXPECT_EQ(maps("s + log(q - k + h)"), 4u);
}

TEST(Tiles, PlanSaysWhatPlanningTook) {
  const Plan plan(Problem{.queries = 1 << 12, .keys = 1 << 12, .dim = 64, .value_dim = 64, .mask = causal()});
  EXPECT_GT(plan.planning_seconds(), 0);
  EXPECT_LT(plan.planning_seconds(), 5);
  EXPECT_NE(plan.explain().find("planned   in "), std::string::npos);
}

TEST(Tiles, PlanningCostsTheBorderNotTheArea) {
  Problem problem{.queries = 1 << 20, .keys = 1 << 20, .dim = 64, .value_dim = 64};
  problem.mask = causal() & window(4096);
  const Plan plan(problem);
  EXPECT_EQ(plan.tiles().total(), std::int64_t{1} << 28);
  EXPECT_EQ(plan.tiles().partial, 16384 + (16384 - 64));
  EXPECT_EQ(plan.tiles().full, 16384 * 63 - 63 * 64 / 2);
}

}  // namespace
}  // namespace heed::problem
