// The amx kernel, on any processor with AVX-512 and bf16 products: where there is no matrix unit its instructions are emulated
// (support/matrix_unit.hpp), slowly, so the grid is small. Words and phrase are judged by the accuracy rule; the laws that need no
// reference run on it as on the others.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/hidden.hpp"
#include "laws/support/matrix_unit.hpp"
#include "laws/support/whole.hpp"
#include "machine/pairs/target.hpp"

#if HEED_PAIRS
#include "machine/amx/amx.hpp"

namespace heed::laws {
namespace {

class MatrixUnitKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (!base::real_cpu().avx512_bf16 || !MatrixUnit::possible()) GTEST_SKIP() << "no AVX-512 with bf16 products";
    if (!base::real_cpu().amx_bf16) base::pretend_cpu(base::Cpu{.avx512_bf16 = true, .amx_bf16 = true});
  }
  void TearDown() override { base::pretend_cpu({}); }
  MatrixUnit unit_;
};

void expect_lawful(const Case& of) {
  const Draw draw(of);
  EXPECT_EQ(violation(run(draw, "amx"), truth(draw), naive(draw), of.dtype), "") << of.text();
}

constexpr DType kDtypes[] = {DType::kF32, DType::kBF16, DType::kF16};

TEST_F(MatrixUnitKernel, EveryShapeAndDtype) {
  for (const DType dtype : kDtypes) {
    for (const auto& [queries, keys] : {std::pair{1, 1}, {17, 63}, {40, 65}, {64, 130}, {129, 200}, {33, 0}}) {
      for (const auto& [dim, value_dim] : {std::pair{64, 64}, {24, 40}, {1, 3}, {130, 16}}) {
        expect_lawful({.heads = 1,
                       .kv_heads = 1,
                       .queries = queries,
                       .keys = keys,
                       .dim = dim,
                       .value_dim = value_dim,
                       .dtype = dtype,
                       .align = Align::start()});
      }
    }
  }
}

TEST_F(MatrixUnitKernel, MasksScoresSinksAndMemory) {
  for (const Case& of : sweep_of({.heads = 2, .kv_heads = 1, .queries = 70, .keys = 70, .dim = 32, .value_dim = 32})) expect_lawful(of);
}

TEST_F(MatrixUnitKernel, LargeLogits) {
  for (const DType dtype : kDtypes) {
    for (const double logits : {5.0, 40.0}) {
      expect_lawful({.heads = 2,
                     .kv_heads = 2,
                     .queries = 100,
                     .keys = 300,
                     .dim = 64,
                     .value_dim = 64,
                     .dtype = dtype,
                     .mask = "causal",
                     .logits = logits});
    }
  }
}

TEST_F(MatrixUnitKernel, ManyBlocksBandsAndThreads) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Draw draw(
        {.heads = 1, .kv_heads = 1, .queries = 300, .keys = 2500, .dim = 32, .value_dim = 32, .dtype = dtype, .mask = "causal"});
    const Result one = run(draw, "amx", 1);
    EXPECT_EQ(violation(one, truth(draw), naive(draw), dtype), "");
    for (const int threads : {2, 5}) EXPECT_TRUE(same_bits(one.o, run(draw, "amx", threads).o)) << threads;
  }
}

TEST_F(MatrixUnitKernel, ScalesThatTurnTheOrder) {
  const Draw draw({.queries = 40, .keys = 90, .dim = 16, .value_dim = 16, .dtype = DType::kBF16});
  for (const double scale : {-0.5, 0.0, 2.0}) {
    Problem problem = draw.problem();
    problem.scale = scale;
    problem.kernel = "amx";
    const Inputs inputs{draw.q, draw.k, draw.v};
    EXPECT_EQ(statistic_violation(run(problem, inputs), truth(problem, inputs), DType::kBF16), "") << scale;
  }
}

TEST_F(MatrixUnitKernel, EqualScoresOfAnySizeShareEqually) {
  for (const DType dtype : kDtypes) {
    for (const double size : {1.0, 6e4, 1.7e5, 3e9, 1e15}) {
      if (dtype == DType::kF16 && size > 6e4) continue;
      Draw draw({.heads = 1, .kv_heads = 1, .queries = 16, .keys = 100, .dim = 16, .value_dim = 4, .dtype = dtype});
      for (Tensor* tensor : {&draw.q_store, &draw.k_store}) {
        for (std::int64_t i = 0; i < tensor->count(); ++i) store_real(tensor->span(), i, i % 16 ? 0.0 : size);
      }
      for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, 1.0);
      Problem problem = draw.problem();
      problem.kernel = "amx";
      problem.scale = 0.3;
      const Result result = run(problem, {draw.q, draw.k, draw.v});
      const double x = real_at(draw.q_store.view(), 0), lse = 0.3 * x * x + std::log(100.0);
      EXPECT_NEAR(real_at(result.o.view(), 0), 1.0, 1e-2) << name_of(dtype) << " " << size;
      EXPECT_NEAR(real_at(result.lse.view(), 0) / lse, 1.0, 1e-5) << name_of(dtype) << " " << size;
    }
  }
}

TEST_F(MatrixUnitKernel, NumbersTheUnitDoesNotTake) {
  Case of{.heads = 1, .kv_heads = 1, .queries = 80, .keys = 80, .dim = 16, .value_dim = 16, .mask = "causal"};
  for (const DType dtype : kDtypes) {
    of.dtype = dtype;
    const Draw clean(of);
    const Result before = run(clean, "amx");
    for (const double bad : {std::nan(""), HUGE_VAL, 1e-39, 3e38}) {
      if (dtype == DType::kF16 && std::isfinite(bad)) continue;
      for (Tensor Draw::*store : {&Draw::q_store, &Draw::k_store, &Draw::v_store}) {
        Draw dirty(of);
        for (std::int64_t c = 0; c < 3; ++c) store_real((dirty.*store).span(), 50 * 16 + c, bad);
        const Result after = run(dirty, "amx");
        const auto past = static_cast<std::size_t>(50 * 16 * size_of(dtype));
        EXPECT_EQ(std::memcmp(before.o.view().data, after.o.view().data, past), 0) << name_of(dtype) << " " << bad;
        if (std::fabs(bad) < 1) {
          EXPECT_EQ(violation(after, truth(dirty), naive(dirty), dtype), "") << name_of(dtype) << " " << bad;
        }
      }
    }
  }
}

TEST_F(MatrixUnitKernel, WhatIsHiddenChangesNoBit) {
  for (const DType dtype : kDtypes) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 40, .keys = 100, .dim = 24, .value_dim = 24, .dtype = dtype, .mask = "causal"};
    EXPECT_EQ(hidden_violation(of, "amx"), "") << of.text();
  }
}

TEST_F(MatrixUnitKernel, AFormulaMayHideAnInfiniteKeyByItsScore) {
  for (const DType dtype : kDtypes) EXPECT_EQ(infinite_keys_violation(dtype, "amx"), "");
}

TEST_F(MatrixUnitKernel, CensusRowsSumToOne) {
  for (const Case& of : census_cases({.heads = 1, .kv_heads = 1, .queries = 20, .keys = 100, .dim = 64, .value_dim = 8}))
    EXPECT_EQ(census_violation(Draw(of), "amx"), "") << of.text();
}

TEST_F(MatrixUnitKernel, NormsOfTheRunChangeNoBitOfCensus) {
  std::int64_t known = 0;
  for (const Case& of : census_cases({.heads = 1, .kv_heads = 1, .queries = 20, .keys = 100, .dim = 40, .value_dim = 8})) {
    EXPECT_EQ(norms_violation(Draw(of), "amx", known), "") << of.text();
    EXPECT_EQ(known, 20) << of.text();
  }
}

TEST_F(MatrixUnitKernel, OtherQueriesDoNotChangeBits) {
  for (const DType dtype : kDtypes) {
    const Draw draw({.heads = 1, .kv_heads = 1, .queries = 100, .keys = 100, .dim = 48, .value_dim = 16, .dtype = dtype, .mask = "causal"});
    const LastRow row = last_row(draw, "amx");
    EXPECT_TRUE(same_bits(row.among, row.alone)) << name_of(dtype);
  }
}

TEST_F(MatrixUnitKernel, DenormalsAreNumbers) {
  Draw tiny({.heads = 1, .kv_heads = 1, .queries = 20, .keys = 300, .dim = 16, .value_dim = 16, .dtype = DType::kBF16});
  for (std::int64_t i = 0; i < tiny.v_store.count(); ++i) store_real(tiny.v_store.span(), i, 0x1p-124);
  EXPECT_EQ(violation(run(tiny, "amx"), truth(tiny), naive(tiny), DType::kBF16), "");
  // All values denormal: the result is denormal as well, not 0.
  Draw draw({.heads = 1, .kv_heads = 1, .queries = 20, .keys = 30, .dim = 16, .value_dim = 16, .dtype = DType::kBF16});
  for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, 1e-39 * static_cast<double>(1 + i % 7));
  const Result result = run(draw, "amx");
  EXPECT_EQ(violation(result, truth(draw), naive(draw), DType::kBF16), "");
  EXPECT_GT(real_at(result.o.view(), 0), 0.0);
}

/// A tile's queries are read before any row of it is written; rows that are folded again read theirs a second time.
TEST_F(MatrixUnitKernel, OOverQHasTheBitsOfOElsewhere) {
  for (const DType dtype : kDtypes) {
    Case of{.heads = 2, .kv_heads = 1, .queries = 100, .keys = 130, .dim = 24, .value_dim = 24, .dtype = dtype, .mask = "causal & k != 3"};
    for (const bool spoiled : {false, true}) {
      Draw draw(of);
      if (spoiled) store_real(draw.v_store.span(), 3 * 24, std::nan(""));
      if (spoiled) store_real(draw.q_store.span(), 80 * 24, dtype == DType::kF16 ? 0x1p-24 : 1e-39);
      const Result apart = run(draw, "amx");
      Problem problem = draw.problem();
      problem.kernel = "amx";
      problem.threads = 1;
      Plan(problem).run({draw.q, draw.k, draw.v}, {.o = draw.q_store.span()});
      EXPECT_TRUE(same_bits(draw.q_store, apart.o)) << of.text() << spoiled;
    }
  }
}

}  // namespace
}  // namespace heed::laws
#endif
