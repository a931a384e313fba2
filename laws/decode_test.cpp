// Few queries on many keys: the decode kernel by the accuracy rule, for every number of rows it takes, every dtype, grouped heads,
// strides, masks and scores that tell heads apart, NaN and denormals, blocks shared by threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/hidden.hpp"
#include "plan/choice.hpp"
#include "plan/cost.hpp"

namespace heed::laws {
namespace {

constexpr DType kDtypes[] = {DType::kF32, DType::kBF16, DType::kF16};

void expect_lawful(const Case& of) {
  const Draw draw(of);
  const Result exact = truth(draw);
  EXPECT_EQ(violation(run(draw, "decode"), exact, naive(draw), of.dtype), "") << of.text();
}

/// Both ways to multiply bf16: by dot products where the processor has them, and without.
class Decode : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam())
      base::pretend_cpu(base::Cpu{});
    else if (base::real_cpu().slow_dots)
      base::pretend_cpu(base::Cpu{.avx512_bf16 = true});
  }
  void TearDown() override { base::pretend_cpu({}); }
};

TEST_P(Decode, EveryNumberOfRows) {
  for (const DType dtype : kDtypes) {
    for (const auto& [heads, kv_heads, queries] : {std::tuple{1, 1, 1},
                                                   {2, 1, 1},
                                                   {3, 1, 1},
                                                   {4, 2, 1},
                                                   {5, 1, 1},
                                                   {6, 2, 2},
                                                   {7, 1, 1},
                                                   {8, 2, 1},
                                                   {8, 1, 1},
                                                   {2, 2, 8},
                                                   {4, 4, 5}}) {
      for (const auto& [dim, value_dim, keys] : {std::tuple{64, 64, 200}, {128, 96, 65}, {20, 33, 7}, {7, 9, 130}}) {
        Case of{.heads = heads, .kv_heads = kv_heads, .queries = queries, .keys = keys, .dim = dim, .value_dim = value_dim};
        of.dtype = dtype;
        of.mask = "causal";
        of.align = queries <= keys ? Align::end() : Align::start();
        expect_lawful(of);
      }
    }
  }
}

TEST_P(Decode, WhatIsHiddenChangesNoBit) {
  for (const DType dtype : kDtypes) {
    for (const auto& [queries, heads] : {std::pair{1, 8}, {2, 8}, {3, 4}, {8, 2}}) {
      for (const Memory memory : {Memory::kDense, Memory::kColumns}) {
        Case of{.heads = heads, .kv_heads = 2, .queries = queries, .keys = 130, .dim = 40, .value_dim = 72, .dtype = dtype};
        of.memory = memory;
        of.mask = queries == 1 ? "k % 3 != 1" : "causal & (k + q) % 3 != 1";
        EXPECT_EQ(hidden_violation(of, "decode"), "") << of.text();
      }
    }
  }
}

TEST_P(Decode, EveryMaskScoreAndMemory) {
  for (const Case& of : sweep_of({.batch = 2, .heads = 4, .kv_heads = 2, .queries = 2, .keys = 100, .dim = 40, .value_dim = 24}))
    expect_lawful(of);
}

TEST_P(Decode, LargeLogits) {
  for (const DType dtype : kDtypes) {
    for (const double logits : {5.0, 40.0}) {
      expect_lawful({.heads = 8, .kv_heads = 2, .queries = 2, .keys = 700, .dim = 64, .value_dim = 64, .dtype = dtype, .logits = logits});
    }
  }
}

TEST_P(Decode, ThreadsShareBlocksWithTheSameBits) {
  for (const DType dtype : kDtypes) {
    const Draw draw({.heads = 4,
                     .kv_heads = 1,
                     .queries = 1,
                     .keys = 9000,
                     .dim = 32,
                     .value_dim = 32,
                     .dtype = dtype,
                     .mask = "causal",
                     .sink = true});
    const Result one = run(draw, "decode", 1);
    EXPECT_EQ(violation(one, truth(draw), naive(draw), dtype), "");
    for (const int threads : {2, 3, 7}) EXPECT_TRUE(same_bits(one.o, run(draw, "decode", threads).o)) << threads;
  }
}

TEST_P(Decode, PoisonBehindTheMask) {
  for (const DType dtype : kDtypes) {
    const Case of{.heads = 4, .kv_heads = 2, .queries = 2, .keys = 150, .dim = 16, .value_dim = 16, .dtype = dtype, .mask = "k % 3 != 1"};
    const Draw clean(of);
    Draw dirty(of);
    for (std::int64_t row = 0; row < 2 * 150; ++row) {
      if (row % 150 % 3 != 1) continue;
      for (std::int64_t c = 0; c < 16; ++c) {
        store_real(dirty.k_store.span(), row * 16 + c, c % 2 ? std::nan("") : HUGE_VAL);
        store_real(dirty.v_store.span(), row * 16 + c, c % 2 ? HUGE_VAL : std::nan(""));
      }
    }
    EXPECT_EQ(violation(run(dirty, "decode"), truth(clean), naive(clean), dtype), "") << name_of(dtype);
  }
}

TEST_P(Decode, DenormalsAreNumbers) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Draw values({.heads = 2, .kv_heads = 1, .queries = 1, .keys = 30, .dim = 16, .value_dim = 16, .dtype = dtype});
    for (std::int64_t i = 0; i < values.v_store.count(); ++i) store_real(values.v_store.span(), i, 1e-39 * static_cast<double>(1 + i % 7));
    EXPECT_EQ(violation(run(values, "decode"), truth(values), naive(values), dtype), "");
    Draw keys(values.of);
    for (std::int64_t i = 0; i < keys.k_store.count(); ++i) {
      store_real(keys.k_store.span(), i, 1e-39 * static_cast<double>(1 + i % 5));
      store_real(keys.q_store.span(), i % keys.q_store.count(), 3e37);
    }
    EXPECT_EQ(violation(run(keys, "decode"), truth(keys), naive(keys), dtype), "");
  }
}

TEST(DecodeChoice, ATinyProductWithALargeScaleGoesElsewhere) {
  Problem problem{.heads = 4, .kv_heads = 1, .queries = 1, .keys = 64, .dim = 16, .value_dim = 16, .dtype = DType::kBF16, .scale = 3e37};
  EXPECT_EQ(Plan(problem).kernel() == "decode", !base::cpu().avx512_bf16 || base::cpu().slow_dots);
}

TEST(DecodeChoice, TheDecodeKernelIsTakenForFewRowsAlone) {
  Problem problem{.heads = 32, .kv_heads = 8, .queries = 1, .keys = 1000, .dim = 64, .value_dim = 64, .dtype = DType::kBF16};
  EXPECT_EQ(Plan(problem).kernel(), "decode");
  problem.queries = 9;
  EXPECT_NE(Plan(problem).kernel(), "decode");
  const Plan plan(problem);
  bool said = false;
  for (const Refusal& refusal : plan.refusals()) said |= refusal.kernel == "decode" && refusal.reason.find("here 9") != std::string::npos;
  EXPECT_TRUE(said);
}

/// A group of more than 8 rows falls into tiles of as many heads as fill 8; each reads the keys, and the price counts it.
TEST_P(Decode, MoreRowsFallIntoSeveralTiles) {
  for (const auto& [heads, kv_heads, queries, share] :
       {std::tuple{32, 4, 2, 4}, {12, 1, 1, 6}, {32, 8, 3, 2}, {5, 1, 2, 1}, {9, 1, 1, 3}, {6, 2, 8, 1}}) {
    for (const DType dtype : kDtypes) {
      Case of{.heads = heads, .kv_heads = kv_heads, .queries = queries, .keys = 150, .dim = 20, .value_dim = 12, .dtype = dtype};
      of.mask = "causal";
      of.align = Align::end();
      of.scores = {"s + 0.01 * h"};
      Problem problem = Draw(of).problem();
      problem.kernel = "decode";
      const Plan plan(problem);
      const problem::Question& question = inside(plan).question;
      EXPECT_EQ(problem::heads_that_share(question.layout, question.layout.queries, question.tiles.by_head(),
                                          inside(plan).parts[0].choice.kernel->machine->most_lanes),
                share);
      expect_lawful(of);
    }
  }
}

TEST(DecodeChoice, TilesThatReadTheKeysAgainPayForThem) {
  Problem once{.heads = 8, .kv_heads = 1, .queries = 1, .keys = 1024, .dim = 64, .value_dim = 64}, twice = once;
  twice.heads = 16;
  once.kernel = twice.kernel = "decode";
  const Plan one(once), two(twice);
  EXPECT_EQ(two.work().l2, 2 * one.work().l2);
  EXPECT_EQ(plan::cost_of(inside(two).question, inside(two).parts[0].group, *inside(two).parts[0].choice.kernel),
            2 * plan::cost_of(inside(one).question, inside(one).parts[0].group, *inside(one).parts[0].choice.kernel));
  once.kernel.clear();
  twice.kernel.clear();
  EXPECT_EQ(Plan(once).kernel(), "decode");
  EXPECT_EQ(Plan(twice).kernel(), "simd");
}

INSTANTIATE_TEST_SUITE_P(Both, Decode, testing::Values(false, true));

}  // namespace
}  // namespace heed::laws
