// Finite inputs, sums beyond f32: O is right wherever it is within the output's range, a scaled similarity of finite numbers beyond f32
// makes its row NaN (never an empty row), a factor never takes a product beyond f32 that is within it; in every kernel that runs here, amx
// emulated where the processor lacks it. What happens behind the mask changes no bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/matrix_unit.hpp"

namespace heed::laws {
namespace {

class Overflow : public testing::Test {
 protected:
  void SetUp() override {
    if (base::real_cpu().avx512_bf16 && !base::real_cpu().amx_bf16 && MatrixUnit::possible())
      base::pretend_cpu(base::Cpu{.avx512_bf16 = true, .amx_bf16 = true});
  }
  void TearDown() override { base::pretend_cpu({}); }
  MatrixUnit unit_;
};

/// Those that take a problem here; simd and classic take all of these. Emulated, the matrix unit is too slow for many keys.
std::vector<std::string> taking(Problem problem) {
  std::vector<std::string> names;
  for (const char* name : {"decode", "amx", "dot", "simd", "classic"}) {
    if (std::string_view(name) == "amx" && problem.keys > 10000 && !base::real_cpu().amx_bf16) continue;
    problem.kernel = name;
    try {
      const Plan plan(problem);
      names.emplace_back(name);
    } catch (const Error&) {
      EXPECT_STRNE(name, "simd");
      EXPECT_STRNE(name, "classic");
    }
  }
  return names;
}

Result run_with(Problem problem, const Draw& draw, const std::string& kernel, int threads = 1) {
  problem.kernel = kernel;
  problem.threads = threads;
  problem.statistics = kernel != "classic";
  return run(problem, {draw.q, draw.k, draw.v});
}

template <class Rule>
void set_all(Tensor& tensor, std::int64_t columns, const Rule& rule) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, rule(i / columns, i % columns));
}

double unit_of(DType dtype) {
  return dtype == DType::kBF16 ? 0x1p-7 : dtype == DType::kF16 ? 0x1p-9 : 0x1p-17;
}

/// O within some units of the largest value; L and statistics by the accuracy rule.
void expect_right(const Problem& problem, const Draw& draw, double largest, const std::string& what) {
  const Result exact = truth(problem, {draw.q, draw.k, draw.v});
  for (const std::string& kernel : taking(problem)) {
    const Result result = run_with(problem, draw, kernel);
    double error = 0;
    for (std::int64_t i = 0; i < exact.o.count(); ++i) {
      const double off = std::fabs(real_at(result.o.view(), i) - real_at(exact.o.view(), i));
      error = off <= error ? error : off;  // NaN stays
    }
    EXPECT_LE(error, unit_of(draw.of.dtype) * largest) << kernel << ": " << what << ", " << draw.of.text();
    EXPECT_EQ(statistic_violation(result, exact, draw.of.dtype), "") << kernel << ": " << what << ", " << draw.of.text();
  }
}

void expect_nan_rows(const Problem& problem, const Draw& draw, const std::string& what) {
  for (const std::string& kernel : taking(problem)) {
    const Result result = run_with(problem, draw, kernel);
    for (std::int64_t i = 0; i < result.o.count(); ++i) EXPECT_TRUE(std::isnan(real_at(result.o.view(), i))) << kernel << ": " << what;
    for (const Tensor* tensor : {&result.lse, &result.maximum, &result.entropy, &result.effective}) {
      if (tensor->shape().rank() == 0) continue;  // classic keeps no statistics
      for (std::int64_t i = 0; i < tensor->count(); ++i) EXPECT_TRUE(std::isnan(real_at(tensor->view(), i))) << kernel << ": " << what;
    }
  }
}

TEST_F(Overflow, ValuesOfAnySizeAreAveraged) {
  struct Size {
    DType dtype;
    double size;
    std::int64_t keys;
  };
  for (const Size& size : {Size{DType::kF32, 2e38, 2}, Size{DType::kF32, 1e38, 300}, Size{DType::kF32, 3.4028234e38, 3},
                           Size{DType::kBF16, 1e37, 100}, Size{DType::kBF16, 3.38e38, 5}, Size{DType::kF16, 65504, 300}}) {
    for (const auto& [heads, kv_heads, queries] : {std::tuple{1, 1, 2}, {4, 1, 1}, {2, 2, 40}}) {
      for (const bool sink : {false, true}) {
        Draw draw({.heads = heads,
                   .kv_heads = kv_heads,
                   .queries = queries,
                   .keys = size.keys,
                   .dim = 16,
                   .value_dim = 20,
                   .dtype = size.dtype,
                   .mask = sink ? "k < 1000" : "k <= q",
                   .align = Align::at({size.keys - 1}),
                   .sink = sink});
        // Both signs, the same in all rows of a column or not.
        set_all(draw.v_store, 20,
                [&](std::int64_t row, std::int64_t c) { return size.size * (c % 3 == 1 && row % 2 ? -1 : 1) / (c < 4 ? 1 : 3); });
        expect_right(draw.problem(), draw, size.size, "V " + std::to_string(size.size));
      }
    }
  }
}

TEST_F(Overflow, SoAreManySmallerOnes) {
  for (const DType dtype : {DType::kBF16, DType::kF32}) {
    Draw draw({.heads = 2, .kv_heads = 1, .queries = 1, .keys = 50000, .dim = 4, .value_dim = 3, .dtype = dtype});
    set_all(draw.k_store, 4, [](std::int64_t, std::int64_t) { return 0.5; });  // all weights alike
    set_all(draw.v_store, 3, [](std::int64_t, std::int64_t) { return 1e34; });
    expect_right(draw.problem(), draw, 4 * 1e34, "50,000 keys");  // classic adds 50,000 weights in one chain of f32
    const Problem problem = draw.problem();
    for (const std::string& kernel : taking(problem)) {
      const Result one = run_with(problem, draw, kernel);
      for (const int threads : {2, 5})
        EXPECT_TRUE(same_bits(one.o, run_with(problem, draw, kernel, threads).o)) << kernel << " " << threads;
    }
  }
}

TEST_F(Overflow, ValuesThatFewRowsSee) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Case of{.heads = 1, .kv_heads = 1, .queries = 100, .keys = 100, .dim = 16, .value_dim = 16, .dtype = dtype, .mask = "causal"};
    const Draw clean(of);
    Draw draw(of);
    constexpr std::int64_t kFirst = 40;
    for (std::int64_t i = kFirst * 16; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, 2e38);
    const Problem problem = draw.problem();
    expect_right(problem, draw, 2e38, "from key 40 on");
    for (const std::string& kernel : taking(problem)) {
      const Result before = run_with(problem, clean, kernel), after = run_with(problem, draw, kernel);
      EXPECT_EQ(std::memcmp(before.o.view().data, after.o.view().data, static_cast<std::size_t>(kFirst * 16 * size_of(dtype))), 0)
          << kernel;
    }
  }
}

TEST_F(Overflow, KeysThatFewRowsSee) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const std::int64_t queries : {2, 100}) {
      const Case of{.heads = 1,
                    .kv_heads = 1,
                    .queries = queries,
                    .keys = 100,
                    .dim = 16,
                    .value_dim = 16,
                    .dtype = dtype,
                    .mask = "causal",
                    .logits = 1000};
      const Draw clean(of);
      Draw draw(of);
      for (std::int64_t c = 0; c < 16; ++c) store_real(draw.k_store.span(), 99 * 16 + c, 3e38);
      const Problem problem = draw.problem();
      for (const std::string& kernel : taking(problem)) {
        const Result before = run_with(problem, clean, kernel), after = run_with(problem, draw, kernel);
        const std::int64_t past = queries - 1;
        EXPECT_EQ(std::memcmp(before.o.view().data, after.o.view().data, static_cast<std::size_t>(past * 16 * size_of(dtype))), 0)
            << kernel;
        EXPECT_EQ(std::memcmp(before.lse.view().data, after.lse.view().data, static_cast<std::size_t>(past) * sizeof(float)), 0) << kernel;
        EXPECT_TRUE(std::isnan(real_at(after.o.view(), past * 16))) << kernel;
        EXPECT_TRUE(std::isnan(real_at(after.lse.view(), past))) << kernel;
      }
    }
  }
}

TEST_F(Overflow, SimilaritiesBeyondF32AreSaid) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const double sign : {-1.0, 1.0}) {
      for (const std::int64_t queries : {1, 20}) {
        for (const std::vector<std::string>& scores : {std::vector<std::string>{}, {"softcap(5)"}, {"min(s, 3.0)"}}) {
          Draw draw({.queries = queries, .keys = 70, .dtype = dtype, .mask = "k < 68", .scores = scores});
          set_all(draw.q_store, 64, [&](std::int64_t, std::int64_t) { return sign * 1e20; });
          set_all(draw.k_store, 64, [](std::int64_t row, std::int64_t) { return 1e20 + 1.4e18 * static_cast<double>(row % 70); });
          expect_nan_rows(draw.problem(), draw, "q " + std::to_string(sign));
        }
      }
    }
  }
}

TEST_F(Overflow, PartialSumsMayLeaveF32) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const std::int64_t queries : {1, 20}) {
      Draw draw({.queries = queries, .keys = 70, .dim = 4, .value_dim = 8, .dtype = dtype, .mask = "causal"});
      set_all(draw.q_store, 4, [](std::int64_t, std::int64_t c) { return c < 2 ? 1e20 : 1.0; });
      set_all(draw.k_store, 4, [](std::int64_t row, std::int64_t c) {
        return c == 0 ? 1e20 : c == 1 ? -1e20 : 0.125 * static_cast<double>(row % 9);
      });
      expect_right(draw.problem(), draw, 4, "a sum of +-1e40 and 2");
    }
  }
}

TEST_F(Overflow, NoScaleTakesAScoreBeyondF32) {
  struct Factors {
    double q, k, scale;
  };
  for (const Factors& f :
       {Factors{3e38, 7e-38, 2}, {3e38, 7e-38, -2}, {3e-38, 1e38, 2}, {1e19, 4e19, 1e-37}, {1e-20, 1e-18, 3e37}, {1e30, 1e-30, 0}}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const std::int64_t queries : {1, 20}) {
        Draw draw({.queries = queries, .keys = 70, .dim = 1, .value_dim = 8, .dtype = dtype, .mask = "causal"});
        set_all(draw.q_store, 1, [&](std::int64_t row, std::int64_t) { return f.q * (row % 2 ? 1 : 0.5); });
        set_all(draw.k_store, 1, [&](std::int64_t row, std::int64_t) { return f.k * static_cast<double>(row % 5 - 2) / 2; });
        Problem problem = draw.problem();
        problem.scale = f.scale;
        expect_right(problem, draw, 4, "scale " + std::to_string(f.scale));
      }
    }
  }
}

TEST_F(Overflow, AFormulasLowestScoreIsNoMaskedKey) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const std::int64_t queries : {1, 20}) {
      const Draw draw({.queries = queries, .keys = 70, .dtype = dtype, .scores = {"select(q % 2 == 0, -3.4028235e38, s)"}});
      expect_right(draw.problem(), draw, 4, "lowest f32");
    }
  }
}

TEST_F(Overflow, PartsAndTheirMerge) {
  Draw draw({.heads = 1, .kv_heads = 1, .queries = 2, .keys = 6, .dim = 8, .value_dim = 4});
  set_all(draw.v_store, 4, [](std::int64_t, std::int64_t) { return 3e38; });
  Problem problem = draw.problem();
  problem.partial = true;
  for (const std::string& kernel : taking(problem)) {
    const Result part = run_with(problem, draw, kernel);
    Result merged{.o = poisoned(DType::kF32, part.o.shape()), .lse = poisoned(DType::kF32, part.lse.shape())};
    const std::vector<Partial> parts{{part.o.view(), part.lse.view()}, {part.o.view(), part.lse.view()}};
    merge(parts, {}, merged.o.span(), merged.lse.span());
    for (std::int64_t i = 0; i < merged.o.count(); ++i) EXPECT_NEAR(real_at(merged.o.view(), i) / 3e38, 1, 1e-6) << kernel;
  }
}

TEST_F(Overflow, ValuesBehindTheMaskMayBeNaNMeanwhile) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Draw draw({.queries = 30, .keys = 90, .dim = 8, .value_dim = 8, .dtype = dtype, .mask = "k % 3 != 1"});
    set_all(draw.v_store, 8, [](std::int64_t, std::int64_t c) { return c % 2 ? 2e38 : 1.0; });
    for (std::int64_t i = 0; i < draw.v_store.count(); ++i) {
      if (i / 8 % 90 % 3 == 1) store_real(draw.v_store.span(), i, i % 2 ? std::nan("") : HUGE_VAL);
    }
    const Problem problem = draw.problem();
    for (const std::string& kernel : taking(problem)) {
      const Result dirty = run_with(problem, draw, kernel);
      for (std::int64_t i = 0; i < dirty.o.count(); ++i)
        EXPECT_NEAR(real_at(dirty.o.view(), i) / (i % 2 ? 2e38 : 1), 1, 0x1p-7) << kernel << " " << i;
    }
  }
}

}  // namespace
}  // namespace heed::laws
