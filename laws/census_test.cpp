// Census after every kernel, however large its scores: weights sum to what they should. The amx kernel: matrix_unit_kernel_test.cpp.
#include <gtest/gtest.h>

#include <cmath>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/whole.hpp"

namespace heed::laws {
namespace {

TEST(Census, RowsSumToOneAfterEveryKernel) {
  for (const Case& of : census_cases({.heads = 2, .kv_heads = 1, .queries = 70, .keys = 200, .dim = 64, .value_dim = 8})) {
    const Draw draw(of);
    for (const std::string& kernel : fast_kernels()) EXPECT_EQ(census_violation(draw, kernel), "") << kernel << ": " << of.text();
  }
  for (const Case& of : census_cases({.heads = 2, .kv_heads = 1, .queries = 3, .keys = 100, .dim = 64, .value_dim = 8}))
    EXPECT_EQ(census_violation(Draw(of), "reference"), "") << of.text();
}

TEST(Census, RowsSumToOneAfterDecode) {
  for (const bool without_dots : {false, true}) {
    if (without_dots) base::pretend_cpu(base::Cpu{});
    for (const std::int64_t queries : {1, 3, 8}) {
      for (const Case& of :
           census_cases({.heads = queries == 8 ? 2 : 4, .kv_heads = 2, .queries = queries, .keys = 300, .dim = 64, .value_dim = 8}))
        EXPECT_EQ(census_violation(Draw(of), "decode"), "") << of.text();
    }
    base::pretend_cpu({});
  }
}

/// Long rows of equal or nearly equal scores, whose L is small: nothing but the sums' own errors counts.
TEST(Census, LongRowsOfSmallL) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 2, .keys = 20'000, .dim = 8, .value_dim = 1, .dtype = dtype, .scores = {"s - 9.9"}};
    of.logits = 0.05;
    const Draw draw(of);
    for (const std::string& kernel : fast_kernels()) EXPECT_EQ(census_violation(draw, kernel), "") << kernel << ": " << of.text();
  }
}

/// Numbers that products do not take, in K, Q or V of some rows, seen by some rows: these rows may be folded in another arithmetic.
TEST(Census, RowsThatMetUnusualNumbers) {
  std::vector<std::string> all = fast_kernels();
  all.emplace_back("decode");
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const double logits : {1.0, 3e4}) {
      for (const double bad : {std::nan(""), HUGE_VAL, 1e-39}) {
        for (Tensor Draw::*store : {&Draw::q_store, &Draw::k_store, &Draw::v_store}) {
          Case of{
              .heads = 2, .kv_heads = 1, .queries = 4, .keys = 150, .dim = 64, .value_dim = 64, .dtype = dtype, .mask = "(q + k) % 3 != 0"};
          of.logits = logits;
          Draw draw(of);
          const std::int64_t row = store == &Draw::q_store ? 2 : 70;
          for (std::int64_t c = 0; c < 3; ++c) store_real((draw.*store).span(), row * 64 + c, bad);
          for (const std::string& kernel : all) EXPECT_EQ(census_violation(draw, kernel), "") << kernel << " " << bad << ": " << of.text();
        }
      }
    }
  }
}

/// What a row gets depends on nothing but the row and the keys it sees: its neighbours' unusual numbers change no bit of its weights.
TEST(Census, NeighboursChangeNoBit) {
  for (const std::string& kernel : fast_kernels()) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      Case of{.heads = 1, .kv_heads = 1, .queries = 70, .keys = 100, .dim = 40, .value_dim = 8, .dtype = dtype, .mask = "causal"};
      of.align = Align::start();
      const Draw clean(of);
      Draw dirty(of);
      store_real(dirty.q_store.span(), 20 * 40 + 3, 1e-39);
      store_real(dirty.k_store.span(), 60 * 40 + 3, 1e-39);
      Problem problem = clean.problem();
      problem.kernel = kernel;
      const auto weights = [&](const Draw& draw) {
        Tensor rows = poisoned(DType::kF32, {1, 1, 3, 100});
        CensusOutputs outputs{.rows = {19, 21, 59}, .weights = rows.span()};
        census(Plan(problem), draw.q, draw.k, {}, outputs);
        return rows;
      };
      EXPECT_TRUE(same_bits(weights(clean), weights(dirty))) << kernel << " " << of.text();
    }
  }
}

/// A run with statistics leaves the norms that census would make, bit for bit: blocks, sinks, masks, formulas, single and several heads to
/// a tile; every row has one.
TEST(Census, NormsOfTheRunChangeNoBit) {
  std::int64_t known = 0;
  for (const Case& of : census_cases({.heads = 2, .kv_heads = 1, .queries = 70, .keys = 2200, .dim = 16, .value_dim = 8})) {
    const Draw draw(of);
    for (const std::string& kernel : fast_kernels()) {
      if (kernel == "classic") continue;
      EXPECT_EQ(norms_violation(draw, kernel, known), "") << kernel << ": " << of.text();
      EXPECT_EQ(known, 140) << kernel << ": " << of.text();
    }
  }
  for (const Case& of : census_cases({.heads = 4, .kv_heads = 2, .queries = 2, .keys = 2200, .dim = 16, .value_dim = 8})) {
    EXPECT_EQ(norms_violation(Draw(of), "decode", known), "") << of.text();
    EXPECT_EQ(known, 8) << of.text();
    if (of.dtype == DType::kF32) continue;
    EXPECT_EQ(norms_violation(Draw(of), "reference", known), "") << of.text();
    EXPECT_EQ(known, 0) << of.text();
  }
}

/// Rows that met numbers which the products do not take may have been folded again: their norms are made anew.
TEST(Census, NormsOfRowsThatMetUnusualNumbers) {
  std::vector<std::string> all = fast_kernels();
  all.emplace_back("decode");
  std::erase(all, "classic");
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const double bad : {std::nan(""), HUGE_VAL, 1e-39}) {
      for (Tensor Draw::*store : {&Draw::q_store, &Draw::k_store, &Draw::v_store}) {
        Draw draw(
            {.heads = 2, .kv_heads = 1, .queries = 4, .keys = 150, .dim = 64, .value_dim = 64, .dtype = dtype, .mask = "(q + k) % 3 != 0"});
        const std::int64_t row = store == &Draw::q_store ? 2 : 70;
        for (std::int64_t c = 0; c < 3; ++c) store_real((draw.*store).span(), row * 64 + c, bad);
        std::int64_t known = 0;
        for (const std::string& kernel : all) EXPECT_EQ(norms_violation(draw, kernel, known), "") << kernel << " " << bad << name_of(dtype);
      }
    }
  }
}

/// The keys of a plan as a part of more: with L of all keys the weights are shares of the whole.
TEST(Census, PartsShareTheWhole) {
  const Draw draw({.heads = 1, .kv_heads = 1, .queries = 30, .keys = 200, .dim = 16, .value_dim = 16});
  const Result whole = run(draw, "simd");
  Problem problem = draw.problem();
  problem.keys = 100;
  problem.kernel = "simd";
  std::vector<double> sums(30);
  for (const std::int64_t first : {0, 100}) {
    TensorView k = draw.k;
    k.shape[2] = 100;
    k.data = static_cast<const float*>(k.data) + first * 16;
    Tensor weights = poisoned(DType::kF32, {1, 1, 30, 100});
    CensusOutputs outputs{.weights = weights.span(), .part = true};
    for (std::int64_t i = 0; i < 30; ++i) outputs.rows.push_back(i);
    census(Plan(problem), draw.q, k, whole.lse.view(), outputs);
    for (std::int64_t at = 0; at < weights.count(); ++at) sums[static_cast<std::size_t>(at / 100)] += weights.data<float>()[at];
  }
  for (const double sum : sums) EXPECT_NEAR(sum, 1, 1e-5);
}

}  // namespace
}  // namespace heed::laws
