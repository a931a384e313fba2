// Bitwise, within one kernel: run to run, threads, batch neighbours, strides, moving the future. By the accuracy rule: decode against
// prefill (DESIGN.md 2).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "laws/support/case.hpp"
#include "laws/support/hidden.hpp"

namespace heed::laws {
namespace {

void expect_same(const Result& a, const Result& b, const std::string& what) {
  EXPECT_TRUE(same_bits(a.o, b.o)) << what << ": O";
  EXPECT_TRUE(same_bits(a.lse, b.lse)) << what << ": L";
  EXPECT_TRUE(same_bits(a.entropy, b.entropy)) << what << ": entropy";
}

TEST(Determinism, ThreadsDoNotChangeBits) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    for (const std::string& kernel : kernels(dtype)) {
      const Draw draw(
          {.queries = 150, .keys = 150, .dim = 32, .value_dim = 32, .dtype = dtype, .mask = "causal", .scores = {"alibi(slope)"}});
      const Result one = run(draw, kernel, 1);
      for (const int threads : {1, 2, 3, 7}) expect_same(one, run(draw, kernel, threads), kernel + " threads " + std::to_string(threads));
    }
  }
}

TEST(Determinism, ThreadsShareOneLongRowWithTheSameBits) {
  for (const Kernel& kernel : {Kernel{"simd", DType::kF32}, Kernel{"double", DType::kF64}}) {
    const Draw draw(kernel.of({.heads = 1,
                               .kv_heads = 1,
                               .queries = 2,
                               .keys = 9000,
                               .dim = 16,
                               .value_dim = 16,
                               .mask = "causal & (k < 2000 | k > 4500)",
                               .sink = true}));
    const Result one = run(draw, kernel.name, 1);
    for (const int threads : {2, 3, 5})
      expect_same(one, run(draw, kernel.name, threads), kernel.name + " threads " + std::to_string(threads));
    EXPECT_EQ(violation(one, truth(draw), naive(draw), kernel.dtype), "");
  }
}

/// Batch entry `b` of a dense tensor.
TensorView entry(const TensorView& tensor, std::int64_t b) {
  TensorView one = tensor;
  one.shape[0] = 1;
  one.data = static_cast<const std::byte*>(tensor.data) + b * tensor.strides[0] * size_of(tensor.dtype);
  return one;
}

TEST(Determinism, NeighboursDoNotChangeBits) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    const Draw draw({.batch = 3, .queries = 70, .keys = 100, .dim = 16, .value_dim = 16, .dtype = dtype, .mask = "causal"});
    const Result all = run(draw, kernel);
    for (std::int64_t b = 0; b < 3; ++b) {
      Problem problem = draw.problem();
      problem.batch = 1;
      problem.kernel = kernel;
      const Result alone = run(problem, {entry(draw.q, b), entry(draw.k, b), entry(draw.v, b)});
      const auto size = static_cast<std::size_t>(alone.o.count() * size_of(dtype));
      EXPECT_EQ(std::memcmp(alone.o.view().data, all.o.data<std::byte>() + static_cast<std::size_t>(b) * size, size), 0)
          << kernel << " entry " << b;
    }
  }
}

TEST(Determinism, StridesDoNotChangeBits) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kF64}) {
    for (const std::string& kernel : kernels(dtype)) {
      for (const Memory memory : {Memory::kTokens, Memory::kColumns, Memory::kReversed}) {
        Case of{.queries = 70, .keys = 90, .dim = 20, .value_dim = 20, .dtype = dtype, .mask = "causal", .memory = memory};
        const Draw strided(of);
        Problem problem = strided.problem();
        problem.kernel = kernel;
        const Tensor q = converted(strided.q, dtype), k = converted(strided.k, dtype), v = converted(strided.v, dtype);
        const Result there = run(problem, {strided.q, strided.k, strided.v}), dense = run(problem, {q.view(), k.view(), v.view()});
        EXPECT_TRUE(same_bits(there.o, dense.o)) << kernel << " " << of.text();
      }
    }
  }
}

TEST(Determinism, OtherQueriesDoNotChangeBits) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const std::string& kernel : kernels(dtype)) {
      // A scale that is no power of two; the last of many queries, and the same alone.
      const Draw draw(
          {.heads = 1, .kv_heads = 1, .queries = 150, .keys = 150, .dim = 48, .value_dim = 16, .dtype = dtype, .mask = "causal"});
      const LastRow row = last_row(draw, kernel);
      EXPECT_TRUE(same_bits(row.among, row.alone)) << kernel << " " << name_of(dtype);
    }
  }
}

TEST(Determinism, MovingTheFutureLeavesThePastBitEqual) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    for (const std::int64_t now : {1, 63, 64, 100}) {
      Draw draw({.heads = 1,
                 .kv_heads = 1,
                 .queries = 150,
                 .keys = 150,
                 .dim = 16,
                 .value_dim = 16,
                 .dtype = dtype,
                 .mask = "causal",
                 .scores = {"alibi(slope)"}});
      const Result before = run(draw, kernel);
      for (std::int64_t i = now * 16; i < draw.k_store.count(); ++i) {
        store_real(draw.k_store.span(), i, i % 3 ? 1000.0 * std::cos(static_cast<double>(i)) : std::nan(""));
        store_real(draw.v_store.span(), i, i % 5 ? -77.0 : std::numeric_limits<double>::infinity());
      }
      const Result after = run(draw, kernel);
      EXPECT_EQ(std::memcmp(before.o.view().data, after.o.view().data, static_cast<std::size_t>(now * 16 * size_of(dtype))), 0)
          << kernel << " at " << now;
      EXPECT_EQ(std::memcmp(before.lse.view().data, after.lse.view().data, static_cast<std::size_t>(now * size_of(dtype))), 0)
          << kernel << " at " << now;
    }
  }
}

TEST(Determinism, WhatIsHiddenChangesNoBit) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const std::string& kernel : kernels(dtype)) {
      for (const char* mask : {"causal", "(k + q) % 3 != 1", "k <= i + 60 & k % 5 != i % 3"}) {
        Case of{.heads = 2, .kv_heads = 1, .queries = 70, .keys = 130, .dim = 24, .value_dim = 40, .dtype = dtype, .mask = mask};
        if (kernel == "reference") of.queries = 6;
        of.scores = {"alibi(slope)"};
        EXPECT_EQ(hidden_violation(of, kernel), "") << kernel << " " << of.text();
      }
    }
  }
}

TEST(Determinism, DecodeAgreesWithPrefill) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    Case of{.heads = 4,
            .queries = 130,
            .keys = 130,
            .dim = 32,
            .value_dim = 32,
            .dtype = dtype,
            .mask = "streaming(3, 40)",
            .scores = {"alibi(slope)"}};
    of.kv_heads = 2;
    const Draw draw(of);
    const Result exact = truth(draw);
    const Naive plain = naive(draw);
    const DType statistic = dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    Result decoded{.o = poisoned(dtype, exact.o.shape()), .lse = poisoned(statistic, exact.lse.shape())};
    for (std::int64_t step = 0; step < of.queries; ++step) {
      Problem problem = draw.problem();
      problem.queries = 1;
      problem.keys = step + 1;
      problem.align = Align::end();
      const auto cut = [&](TensorView tensor, std::int64_t first, std::int64_t count) {
        tensor.shape[2] = count;
        tensor.data = static_cast<const std::byte*>(tensor.data) + first * tensor.strides[2] * size_of(tensor.dtype);
        return tensor;
      };
      const Plan plan(problem);
      TensorSpan o = decoded.o.span(), lse = decoded.lse.span();
      o.shape[2] = lse.shape[2] = 1;
      o.data = static_cast<std::byte*>(o.data) + step * o.strides[2] * size_of(o.dtype);
      lse.data = static_cast<std::byte*>(lse.data) + step * size_of(statistic);
      plan.run({cut(draw.q, step, 1), cut(draw.k, 0, step + 1), cut(draw.v, 0, step + 1)}, {.o = o, .lse = lse});
    }
    EXPECT_EQ(violation(decoded, exact, plain, dtype), "");
  }
}

}  // namespace
}  // namespace heed::laws
