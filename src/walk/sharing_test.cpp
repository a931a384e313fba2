// The blocks that a band enters are those in which one of its tiles sees a key, and no others: against all blocks and all tiles.
#include "walk/sharing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "machine/machine.hpp"

namespace heed::walk {
namespace {

/// As a kernel of this machine has it, the last one's where none is named.
Sharing sharing_of(const problem::Question& question, const problem::Group& group) {
  const auto machines = machine::machines();
  const auto named = std::find_if(machines.begin(), machines.end(), [&](const auto& one) { return one.name == question.problem.kernel; });
  return {question, group, machine::words_of(named == machines.end() ? machines.back() : *named, question.problem.dtype)};
}

/// Whether the n-th tile of a band sees each block.
std::vector<bool> seen_blocks(const problem::Question& question, const Sharing& sharing, const Band& band, std::int64_t n) {
  std::vector<bool> tiles(static_cast<std::size_t>(question.layout.key_tiles())), blocks;
  for (const problem::Run& run : question.tiles.runs(band.b, band.h, band.tile(n)))
    std::fill(tiles.begin() + run.first, tiles.begin() + run.last, true);
  for (std::int64_t block = 0; block < sharing.blocks(); ++block)
    blocks.push_back(std::find(tiles.begin() + sharing.first_tile(block), tiles.begin() + sharing.last_tile(block), true) !=
                     tiles.begin() + sharing.last_tile(block));
  return blocks;
}

void expect_exact(const problem::Question& question, const std::string& name) {
  const problem::Group group(question, problem::every_sequence(question.layout));
  const Sharing sharing = sharing_of(question, group);
  std::int64_t all = 0;
  for (std::int64_t index = 0; index < sharing.bands(); ++index) {
    const Band band = sharing.band(index);
    std::vector<bool> entered(static_cast<std::size_t>(sharing.blocks())), expected(entered);
    std::int64_t last = -1;
    sharing.each_block(band, [&](std::int64_t block) {
      EXPECT_GT(block, last);
      last = block;
      entered[static_cast<std::size_t>(block)] = true;
      ++all;
    });
    for (std::int64_t n = 0; n < band.tiles; ++n) {
      const std::vector<bool> seen = seen_blocks(question, sharing, band, n);
      for (std::size_t block = 0; block < seen.size(); ++block) {
        ASSERT_EQ(!sharing.seen(band, n, static_cast<std::int64_t>(block)).empty(), seen[block]) << name << " block " << block;
        expected[block] = expected[block] || seen[block];
      }
    }
    ASSERT_EQ(entered, expected) << name << " band " << index;
  }
  EXPECT_EQ(sharing.parts(), sharing.split() ? all : 0) << name;
}

TEST(Sharing, ABandEntersTheBlocksThatItSees) {
  std::vector<std::string> masks = laws::sweep_masks();
  for (const char* mask : {"k % 2048 < 3", "abs(q - k) == 1500", "(q * k) % 97 == 0", "k == 0 | k / 512 == q / 512", "k > q + 5000"})
    masks.emplace_back(mask);
  for (const std::string& mask : masks) {
    for (const std::int64_t queries : {3, 70, 800}) {
      for (const int threads : {1, 3}) {
        const laws::Draw draw({.batch = 2, .queries = queries, .keys = 5000, .dim = 1, .value_dim = 1, .mask = mask});
        Problem problem = draw.problem();
        problem.dim = problem.value_dim = 64;
        problem.threads = threads;
        for (const std::string kernel : {"simd", "dot"}) {
          problem.kernel = kernel;
          problem.dtype = kernel == "simd" ? DType::kF32 : DType::kBF16;
          const std::vector<std::string>& all = laws::fast_kernels();
          if (std::find(all.begin(), all.end(), kernel) == all.end()) continue;
          expect_exact(problem::Question(problem), mask + ", " + std::to_string(queries) + " queries, " + kernel);
        }
      }
    }
  }
}

std::int64_t entered(std::int64_t length, const Expr& mask) {
  Problem problem{.queries = length, .keys = length, .dim = 128, .value_dim = 128, .mask = mask, .kernel = "simd", .threads = 2};
  const problem::Question question(problem);
  const problem::Group group(question, problem::every_sequence(question.layout));
  const Sharing sharing = sharing_of(question, group);
  std::int64_t blocks = 0;
  for (std::int64_t index = 0; index < sharing.bands(); ++index) sharing.each_block(sharing.band(index), [&](std::int64_t) { ++blocks; });
  return blocks;
}

/// Sixteen times the length, sixteen times the blocks, and about as many as there are bands.
TEST(Sharing, EnteredBlocksGrowWithWhatIsSeen) {
  for (const char* text : {"window(64)", "causal & window(300)", "chunked(256)", "dilated(8, 3)"}) {
    const std::int64_t once = entered(1 << 16, parse(text)), sixteen = entered(1 << 20, parse(text));
    EXPECT_NEAR(static_cast<double>(sixteen) / static_cast<double>(once), 16, 0.1) << text;
    EXPECT_LE(sixteen, 2 * (1 << 20) / kTile) << text;
  }
}

/// Three tiles of queries on two threads: halves, so that both are busy to the end; each query in one of them.
TEST(Sharing, HalvesWhereWholeTilesLeaveThreadsIdle) {
  const auto pieces = [](std::int64_t queries, const Expr& mask, int threads) {
    Problem problem{.queries = queries, .keys = 600, .dim = 128, .value_dim = 128, .mask = mask, .kernel = "simd", .threads = threads};
    problem.align = Align::end();
    const problem::Question question(problem);
    const problem::Group group(question, problem::every_sequence(question.layout));
    const Sharing sharing = sharing_of(question, group);
    std::int64_t next = queries;
    for (std::int64_t index = 0; index < sharing.bands(); ++index) {
      const Band band = sharing.band(index);
      EXPECT_EQ(band.queries(0).slot / kTile, band.tile(0));
      EXPECT_EQ(band.queries(band.tiles - 1).slot + band.queries(band.tiles - 1).slots, next) << "last queries first, none twice";
      next = band.queries(0).slot;
    }
    EXPECT_EQ(next, 0);
    return sharing.bands();
  };
  EXPECT_EQ(pieces(192, full(), 2), 6);
  EXPECT_EQ(pieces(150, full(), 2), 5);
  EXPECT_EQ(pieces(192, full(), 1), 3);
  EXPECT_EQ(pieces(256, full(), 2), 4);
  EXPECT_EQ(pieces(64, full(), 2), 2);
}

TEST(Sharing, HalvesChangeNoBit) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const char* mask : {"full", "causal", "(q * k) % 5 == 0"}) {
      const laws::Draw draw(
          {.heads = 1, .kv_heads = 1, .queries = 170, .keys = 500, .dim = 64, .value_dim = 64, .dtype = dtype, .mask = mask});
      for (const std::string& kernel : laws::fast_kernels()) {
        const laws::Result one = laws::run(draw, kernel, 1), two = laws::run(draw, kernel, 2);
        EXPECT_TRUE(laws::same_bits(one.o, two.o)) << kernel << " " << mask;
        EXPECT_TRUE(laws::same_bits(one.lse, two.lse)) << kernel << " " << mask;
      }
    }
  }
}

/// A thread is not started for less than it takes to start it.
TEST(Sharing, LittleWorkIsDoneByOneThread) {
  const auto workers = [](std::int64_t length) {
    const problem::Question question(
        Problem{.queries = length, .keys = length, .dim = 64, .value_dim = 64, .kernel = "simd", .threads = 2});
    const problem::Group group(question, problem::every_sequence(question.layout));
    return sharing_of(question, group).workers();
  };
  for (const std::int64_t length : {64, 128, 192}) EXPECT_EQ(workers(length), 1) << length;  // two lost there: docs/kernels.md
  EXPECT_EQ(workers(256), 2);
  EXPECT_EQ(workers(1024), 2);
}

/// Few rows over many keys: no state is kept, and no task made, for blocks that hold nothing.
TEST(Sharing, ASplitKeepsStatesOfEnteredBlocksAlone) {
  const auto scratch = [](std::int64_t keys) {
    Problem problem{.queries = 1, .keys = keys, .dim = 64, .value_dim = 64, .mask = window(5000), .threads = 4};
    problem.align = Align::end();
    return Plan(problem).scratch_bytes();
  };
  EXPECT_EQ(scratch(1 << 20), scratch(1 << 16));
}

}  // namespace
}  // namespace heed::walk
