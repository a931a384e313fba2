// Every kernel against the reference by the accuracy rule, over a seeded grid of shapes, strides, dtypes, masks and scores; and the
// simd kernel on every instruction set that runs here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/instruction_sets.hpp"
#include "laws/support/case.hpp"

namespace heed::laws {
namespace {

void expect_lawful(const Case& of, const std::vector<std::string>& kernels) {
  const Draw draw(of);
  const Result exact = truth(draw);
  const Naive plain = naive(draw);
  for (const std::string& kernel : kernels) {
    EXPECT_EQ(violation(run(draw, kernel), exact, plain, of.dtype), "") << kernel << ": " << of.text();
  }
}

/// By every kernel; a case in f32 in f64 too.
void expect_lawful(const Case& of) {
  expect_lawful(of, fast_kernels(of.dtype));
  if (of.dtype != DType::kF32) return;
  Case wide = of;
  wide.dtype = DType::kF64;
  expect_lawful(wide, fast_kernels(wide.dtype));
}

Case shaped(std::int64_t queries, std::int64_t keys, std::int64_t dim, std::int64_t value_dim) {
  Case of;
  of.queries = queries;
  of.keys = keys;
  of.dim = dim;
  of.value_dim = value_dim;
  of.align = queries > keys ? Align::start() : Align::end();
  of.seed = static_cast<std::uint64_t>(queries * 1000 + keys * 10 + dim);
  return of;
}

TEST(Kernels, EveryShape) {
  for (const std::int64_t queries : {0, 1, 17, 64, 129}) {
    for (const std::int64_t keys : {0, 1, 63, 65, 129}) {
      Case of = shaped(queries, keys, 24, 40);
      of.mask = "causal";
      expect_lawful(of);
    }
  }
}

TEST(Kernels, EveryDimension) {
  for (const auto& [dim, value_dim] : {std::pair{1, 1}, {3, 5}, {16, 7}, {64, 64}, {65, 63}, {128, 96}, {80, 129}, {320, 320}}) {
    expect_lawful(shaped(33, 70, dim, value_dim));
  }
}

TEST(Kernels, EveryMaskWithEveryScore) {
  std::uint64_t seed = 0;
  for (const std::string& mask : sweep_masks()) {
    for (const std::vector<std::string>& scores : sweep_scores()) {
      Case of = shaped(100, 100, 16, 16);
      of.batch = 2;
      of.mask = mask;
      of.scores = scores;
      of.seed = ++seed;
      of.sink = seed % 3 == 0;
      expect_lawful(of);
    }
  }
}

TEST(Kernels, EveryDtypeAndMemory) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const Memory memory : {Memory::kDense, Memory::kTokens, Memory::kColumns, Memory::kReversed, Memory::kOneKey}) {
      Case of = shaped(70, 90, 32, 48);
      of.heads = 6;
      of.dtype = dtype;
      of.memory = memory;
      of.mask = "causal";
      expect_lawful(of);
    }
  }
}

TEST(Kernels, GroupedQueries) {
  // Up to 16 queries: heads of a group share tiles, where the mask is the same for all of them.
  for (const std::int64_t queries : {1, 7, 16, 20}) {
    for (const auto& [heads, kv_heads] : {std::pair{8, 1}, {9, 3}, {4, 4}, {80, 1}}) {
      Case of = shaped(queries, 90, 16, 16);
      of.heads = heads;
      of.kv_heads = kv_heads;
      of.dtype = queries == 7 ? DType::kBF16 : DType::kF32;
      of.mask = "causal & (k < 80 | q - k < 9)";
      of.scores = {"alibi(slope)"};
      of.sink = queries == 16;
      expect_lawful(of);
      of.mask = "causal & k % (h + 2) != 0";
      expect_lawful(of);
    }
  }
}

TEST(Kernels, RowsOfQueries) {
  for (const std::int64_t queries : {1, 7, 70, 130}) {
    Case of = shaped(queries, 150, 16, 16);
    of.batch = 2;
    of.heads = 8;
    of.align = Align::at({20, -3});
    of.mask = "i % 3 != k % 4 & (dense(block, b, i, k) | k < i)";
    of.scores = {"s + 0.1 * (i % 7)", "bias(bias, h, i, k)"};
    expect_lawful(of);
    of.scores = {"s + 0.1 * h * (i % 5)"};
    expect_lawful(of);
  }
}

/// i is the position less the offset: bit for bit, in every kernel.
TEST(Kernels, ARowIsAPositionLessItsOffset) {
  for (const std::int64_t queries : {3, 100}) {
    Case by_row = shaped(queries, 150, 16, 16), by_position = by_row;
    by_row.align = by_position.align = Align::at({11});
    by_row.mask = "i % 3 != k % 4 & k <= i + 60";
    by_position.mask = "(q - 11) % 3 != k % 4 & k <= q - 11 + 60";
    by_row.scores = {"s + 0.25 * (i % 7)"};
    by_position.scores = {"s + 0.25 * ((q - 11) % 7)"};
    for (const Kernel& kernel : kernels_of_any_dtype()) {
      const Result one = run(Draw(kernel.of(by_row)), kernel.name), other = run(Draw(kernel.of(by_position)), kernel.name);
      EXPECT_TRUE(same_bits(one.o, other.o)) << kernel.name << " " << queries;
    }
  }
}

TEST(Kernels, LargeLogits) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {  // and f64 with f32
    for (const double logits : {5.0, 40.0}) {
      Case of = shaped(120, 700, 64, 64);
      of.dtype = dtype;
      of.logits = logits;
      of.mask = "causal";
      expect_lawful(of);
      of.dim = 32;
      of.scores = {"softcap(50)"};
      expect_lawful(of);
    }
  }
}

TEST(Kernels, TinyNumbersAreNumbers) {
  for (const double tiny : {0x1p-110, 0x1p-124, 0x1p-126, 1e-39}) {
    Case of = shaped(30, 300, 16, 16);
    of.dtype = DType::kBF16;
    Draw draw(of);
    for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, tiny);
    for (const std::string& kernel : fast_kernels()) {
      EXPECT_EQ(violation(run(draw, kernel), truth(draw), naive(draw), of.dtype), "") << kernel << " " << tiny;
    }
  }
}

TEST(Kernels, ManyBlocksOfKeys) {
  Case of = shaped(3, 5000, 16, 16);
  of.mask = "causal & (k % 3 != 0 | k < 100)";
  expect_lawful(of);
}

/// What float32 or 32-bit lanes would get wrong: overflow on the way, cancellation far from position 0, conditions that rounding turns.
TEST(Kernels, FormulasBeyondFloat32) {
  for (const char* mask : {"(q * k * 100000000) % 7 < 3 | q == k", "0.5 * q < k", "q - k < 3000000000000"}) {
    Case of = shaped(40, 40, 8, 8);
    of.mask = mask;
    expect_lawful(of);
  }
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{10000000}}) {
    for (const char* score : {"s + 0.01 * log(1.0 + exp(4.0 * min(q - k, 100)))", "s - 1e30 * select(k % 3 == 1, 1, 0)",
                              "s + 0.5 * k - 0.5 * q", "select(s > 0.1, 2.0 * s - 0.1, s)"}) {
      for (const std::int64_t queries : {40, 1}) {
        Case of = shaped(queries, 90, 8, 8);
        of.heads = 4;
        of.kv_heads = 2;
        of.scores = {score};
        of.align = Align::at({offset});
        expect_lawful(of);
      }
    }
  }
}

TEST(Kernels, ExplainSaysWhichScoresRunInDouble) {
  Case of = shaped(40, 40, 8, 8);
  of.scores = {"select(s > 0.1, 2.0 * s, s)"};
  EXPECT_NE(Plan(Draw(of).problem()).explain().find("the score runs in double lanes: a rounded number"), std::string::npos);
  of.scores = {"select(s > 0.5, 2.0 * s, s)"};
  EXPECT_EQ(Plan(Draw(of).problem()).explain().find("double lanes"), std::string::npos);
}

/// Restores the processor's own choice whatever happens in between.
struct Pretend {
  explicit Pretend(const std::string& name) { base::pretend(name); }
  ~Pretend() { base::pretend(""); }
};

TEST(Kernels, EveryInstructionSet) {
  for (const std::string& name : base::runnable()) {
    const Pretend pretend(name);
    SCOPED_TRACE(name);
    for (const std::vector<std::string>& scores : sweep_scores()) {
      Case of = shaped(70, 131, 20, 36);
      of.mask = "window(50) | k < 3";
      of.scores = scores;
      of.dtype = DType::kBF16;
      expect_lawful(of, {"simd"});
    }
    Case of = shaped(65, 65, 64, 64);
    of.mask = "causal & documents(offsets)";
    of.logits = 5;
    expect_lawful(of, {"simd"});
    of.dtype = DType::kF64;
    expect_lawful(of, {"double"});
    for (const std::vector<std::string>& scores : sweep_scores()) {
      Case wide = shaped(70, 131, 20, 36);
      wide.mask = "window(50) | k < 3";
      wide.scores = scores;
      wide.dtype = DType::kF64;
      expect_lawful(wide, {"double"});
    }
  }
}

/// Infinities and NaN of 16 bits are themselves where no instruction widens them.
TEST(Kernels, InfinitiesAndNaNOnEveryInstructionSet) {
  for (const std::string& name : base::runnable()) {
    const Pretend pretend(name);
    for (const DType dtype : {DType::kF16, DType::kBF16}) {
      for (const double bad : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
        for (const bool values : {false, true}) {
          Case of = shaped(4, 90, 32, 32);
          of.dtype = dtype;
          of.mask = "causal";
          Draw draw(of);
          for (std::int64_t key = 3; key < 90; key += 29)
            store_real((values ? draw.v_store : draw.k_store).span(), key * 32 + key % 32, bad);
          for (const char* kernel : {"simd", "decode"})
            EXPECT_EQ(violation(run(draw, kernel), truth(draw), naive(draw), dtype), "")
                << name << " " << kernel << " " << bad << " " << values;
        }
      }
    }
  }
}

TEST(Kernels, ReferenceTakesEveryDtype) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) {
    Case of = shaped(9, 12, 8, 4);
    of.dtype = dtype;
    of.mask = "causal";
    const Draw draw(of);
    EXPECT_EQ(violation(run(draw, "reference"), truth(draw), naive(draw), dtype), "") << of.text();
  }
}

/// The largest error of a small tensor is a matter of luck, naive's too: here both are judged over several draws of the same case.
void expect_lawful_over_draws(Case of) {
  for (const std::string& kernel : fast_kernels(of.dtype)) {
    reference::Accuracy all;
    std::string statistics;
    for (int draws = 0; draws < 6; ++draws, of.seed += 7919) {
      const Draw draw(of);
      const Result exact = truth(draw), result = run(draw, kernel);
      const Naive plain = naive(draw);
      const reference::Accuracy one = reference::judge(result.o.view(), exact.o.view(), plain.yardstick(), of.dtype);
      all.max_error = std::max(all.max_error, one.max_error);
      all.max_bound = std::max(all.max_bound, one.max_bound);
      all.rms_error += one.rms_error;
      all.rms_bound += one.rms_bound;
      statistics += statistic_violation(result, exact, of.dtype, plain);
    }
    EXPECT_TRUE(all.holds()) << kernel << ": " << of.text() << " max " << all.max_error << " of " << all.max_bound << ", RMS "
                             << all.rms_error << " of " << all.rms_bound;
    EXPECT_EQ(statistics, "") << kernel << ": " << of.text();
  }
}

TEST(SlowKernels, SeededSweep) {
  std::uint64_t seed = 1000;
  for (int round = 0; round < 150; ++round) {
    const auto pick = [&seed](std::int64_t below) {
      return static_cast<std::int64_t>((seed = seed * 6364136223846793005ULL + 1442695040888963407ULL) >> 33) % below;
    };
    Case of = shaped(pick(200), pick(300), 1 + pick(140), 1 + pick(140));
    of.kv_heads = 1 + pick(3);
    of.heads = of.kv_heads * (1 + pick(3));
    of.batch = 1 + pick(2);
    of.dtype = std::vector{DType::kF32, DType::kBF16, DType::kF16, DType::kF64}[static_cast<std::size_t>(pick(4))];
    of.memory = static_cast<Memory>(pick(5));
    of.mask = sweep_masks()[static_cast<std::size_t>(pick(static_cast<std::int64_t>(sweep_masks().size())))];
    of.scores = sweep_scores()[static_cast<std::size_t>(pick(static_cast<std::int64_t>(sweep_scores().size())))];
    of.sink = pick(2) == 1;
    of.logits = pick(4) == 0 ? 5 : 1;
    of.seed = seed;
    expect_lawful_over_draws(of);
  }
}

}  // namespace
}  // namespace heed::laws
