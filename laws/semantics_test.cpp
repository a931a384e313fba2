// DESIGN.md section 2, line by line: semantics decided once, each with its test.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/hidden.hpp"
#include "plan/choice.hpp"

namespace heed::laws {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Semantics, AQueryThatSeesNoKey) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    for (const bool sink : {false, true}) {
      const Draw draw({.queries = 70, .keys = 70, .dim = 8, .value_dim = 8, .dtype = dtype, .mask = "q >= 5 & causal", .sink = sink});
      const Result result = run(draw, kernel);
      for (std::int64_t h = 0; h < 2; ++h) {
        for (std::int64_t i = 0; i < 5; ++i) {
          for (std::int64_t c = 0; c < 8; ++c) EXPECT_EQ(real_at(result.o.view(), (h * 70 + i) * 8 + c), 0) << kernel;
          EXPECT_EQ(real_at(result.lse.view(), h * 70 + i), sink ? draw.sink_store.data<float>()[h] : -kInf) << kernel << " sink " << sink;
        }
      }
    }
  }
}

TEST(Semantics, NoKeysAtAll) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    const Draw draw({.queries = 3, .keys = 0, .dim = 8, .value_dim = 8, .dtype = dtype, .align = Align::start()});
    const Result result = run(draw, kernel);
    for (std::int64_t i = 0; i < result.o.count(); ++i) EXPECT_EQ(real_at(result.o.view(), i), 0) << kernel;
    for (std::int64_t i = 0; i < result.lse.count(); ++i) EXPECT_EQ(real_at(result.lse.view(), i), -kInf) << kernel;
  }
}

TEST(Semantics, EmptyExtents) {
  for (const Kernel& kernel : kernels_of_any_dtype()) {
    for (const Case& of : {Case{.batch = 0}, Case{.heads = 0, .kv_heads = 0}, Case{.queries = 0}, Case{.value_dim = 0}}) {
      const Result result = run(Draw(kernel.of(of)), kernel.name);
      EXPECT_EQ(result.o.count(), 0) << kernel.name;
    }
  }
}

TEST(Semantics, AFormulaMayHideAnInfiniteKeyByItsScore) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const std::string& kernel : fast_kernels(dtype)) EXPECT_EQ(infinite_keys_violation(dtype, kernel), "");
  }
}

/// A score formula of -inf must give the same bits as a mask that hides the place, and the same counts.
TEST(Semantics, AScoreOfMinusInfinityIsMasked) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    if (kernel == "classic") continue;  // keeps no counts
    const Case scored{.queries = 70, .keys = 90, .dim = 8, .value_dim = 8, .dtype = dtype, .scores = {"select(k % 3 == q % 3, -inf, s)"}};
    Case masked = scored;
    masked.scores = {};
    masked.mask = "k % 3 != q % 3";
    const Result a = run(Draw(scored), kernel), b = run(Draw(masked), kernel);
    EXPECT_TRUE(same_bits(a.o, b.o)) << kernel;
    EXPECT_TRUE(same_bits(a.lse, b.lse)) << kernel;
    EXPECT_TRUE(same_bits(a.visible, b.visible)) << kernel;
  }
}

TEST(Semantics, SinksTakePartInLButNotInPartialResults) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    const Draw draw({.queries = 5, .keys = 9, .dim = 8, .value_dim = 8, .dtype = dtype, .sink = true});
    Case plain = draw.of;
    plain.sink = false;
    const Result with = run(draw, kernel), without = run(Draw(plain), kernel);
    Problem problem = draw.problem();
    problem.kernel = kernel;
    problem.partial = true;
    const Result partial = run(problem, {draw.q, draw.k, draw.v});
    EXPECT_TRUE(same_bits(partial.o, without.o)) << kernel;
    for (std::int64_t h = 0; h < 2; ++h) {
      for (std::int64_t i = 0; i < 5; ++i) {
        const double sink = draw.sink_store.data<float>()[h], alone = real_at(without.lse.view(), h * 5 + i);
        EXPECT_NEAR(real_at(with.lse.view(), h * 5 + i), std::log(std::exp(alone) + std::exp(sink)), 1e-5) << kernel;
      }
    }
  }
}

/// One head, D = 1, scale 1, queries of 1: the score of key j is key j. Row i sees the keys up to i.
struct Rows {
  explicit Rows(const std::vector<float>& keys, const std::string& score, DType dtype = DType::kF32)
      : k(dtype, {1, 1, static_cast<std::int64_t>(keys.size()), 1}), q(k.dtype(), k.shape()), v(k.dtype(), k.shape()) {
    for (std::int64_t i = 0; i < k.count(); ++i) {
      store_real(k.span(), i, keys[static_cast<std::size_t>(i)]);
      store_real(q.span(), i, 1);
      store_real(v.span(), i, static_cast<double>(i + 1));
    }
    problem = problem_of(q.view(), k.view(), v.view());
    problem.scale = 1;
    problem.mask = parse("k <= q");
    problem.scores = {parse(score)};
  }
  [[nodiscard]] Result run(const std::string& kernel) const {
    Problem one = problem;
    one.kernel = kernel;
    one.statistics = kernel != "classic";
    return laws::run(one, {q.view(), k.view(), v.view()});
  }
  Tensor k, q, v;
  Problem problem;
};

/// Row i of a result must be NaN exactly where `nan[i]`.
void expect_nan_rows(const std::vector<float>& keys, const std::string& score, const std::vector<bool>& nan,
                     const std::vector<DType>& dtypes = {DType::kF32, DType::kF64}) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    if (std::find(dtypes.begin(), dtypes.end(), dtype) == dtypes.end()) continue;
    const Rows rows(keys, score, dtype);
    const Result result = rows.run(kernel);
    for (std::size_t i = 0; i < nan.size(); ++i) {
      const std::string where = kernel + ", " + to_text(rows.problem.scores[0]) + ", row " + std::to_string(i);
      EXPECT_EQ(std::isnan(real_at(result.o.view(), static_cast<std::int64_t>(i))), nan[i]) << where;
      EXPECT_EQ(std::isnan(real_at(result.lse.view(), static_cast<std::int64_t>(i))), nan[i]) << where;
      if (kernel != "classic") {
        EXPECT_EQ(std::isnan(real_at(result.entropy.view(), static_cast<std::int64_t>(i))), nan[i]) << where;
        EXPECT_EQ(std::isnan(real_at(result.effective.view(), static_cast<std::int64_t>(i))), nan[i]) << where;
        EXPECT_EQ(std::isnan(real_at(result.maximum.view(), static_cast<std::int64_t>(i))), nan[i]) << where;
      }
    }
  }
}

TEST(Semantics, AnOperationOnTheScoreWithoutAValueMakesItsRowNaN) {
  const std::vector<bool> from_the_third{false, false, true, true}, none(4, false);
  expect_nan_rows({0.5F, 2, 0, 1}, "s + floor(1.0 / s)", from_the_third);  // floor of infinity
  expect_nan_rows({1, 2, -1, 1}, "s + floor(log(s))", from_the_third);     // floor of NaN
  expect_nan_rows({1, 2, 1e30F, 1}, "s - floor(s)", from_the_third);       // floor beyond 64 bits
  expect_nan_rows({1, 2, 0.5F, 1}, "s + 3 / floor(s)", from_the_third);    // divisions by zero
  expect_nan_rows({1, 2, 0.5F, 1}, "s + 3 % floor(s)", from_the_third);
  expect_nan_rows({1, 2, 0.5F, 1}, "s + (q + k) / select(s < 0.75, 0, 1)", from_the_third);
  expect_nan_rows({1, 2, 0.5F, 1}, "s + (q + k) % select(s < 0.75, 0, 1)", from_the_third);
  expect_nan_rows({1, 2, 3e9F, 1}, "s - floor(s) * floor(s) * 4", from_the_third);             // beyond 64 bits
  expect_nan_rows({1, 2, 0.5F, 1}, "s + 9223372036854775807 + select(s < 0.75, 1, 0)", none);  // a real sum
  expect_nan_rows({1, 2, 0.5F, 1}, "s + (9223372036854775807 + select(s < 0.75, 1, 0))", from_the_third);
  // What is not reached is nothing.
  expect_nan_rows({1, 2, 0, 1}, "select(s > 0.5, s + floor(1.0 / s), s)", none);
  expect_nan_rows({1, 2, 0, 1}, "select(floor(1.0 / s) > 7 | k == 2, s, s)", none);
}

TEST(Semantics, AFormulaBeyondF32IsInfinite) {
  const std::vector<float> keys{1, 2, 0.5F, 1, 3, 0, 2};
  for (const char* score : {"s - 1e39 * select((q + k) % 3 == 1, 1, 0)", "s - exp(select((q + k) % 3 == 1, 400.0, -400.0))",
                            "s * select((q + k) % 3 == 1, -1e300, 1.0) - 1e39 * select((q + k) % 3 == 1, 1, 0)"}) {
    const Rows rows(keys, score);
    Rows masked(keys, "s");
    masked.problem.mask = parse("k <= q & (q + k) % 3 != 1");
    for (const std::string& kernel : kernels()) {
      const Result result = rows.run(kernel), expected = masked.run(kernel);
      for (std::int64_t i = 0; i < result.o.count(); ++i) {
        EXPECT_NEAR(result.o.data<float>()[i], expected.o.data<float>()[i], 1e-5) << kernel << " " << score << " row " << i;
        if (std::isinf(expected.lse.data<float>()[i]))
          EXPECT_EQ(result.lse.data<float>()[i], -kInf) << kernel << " " << score << " row " << i;
        else
          EXPECT_NEAR(result.lse.data<float>()[i], expected.lse.data<float>()[i], 1e-5) << kernel << " " << score << " row " << i;
      }
      if (kernel == "classic") continue;  // keeps no counts
      EXPECT_TRUE(same_bits(result.visible, expected.visible)) << kernel << " " << score;
    }
  }
  expect_nan_rows({1, 2, 0.5F, 1}, "s + 1e39 * select(q == 1 & k == 1, 1, 0)", {false, true, false, false}, {DType::kF32});
  expect_nan_rows({1, 2, 0.5F, 1}, "s + 1e39 * select(q == 1 & k == 1, 1, 0)", {false, false, false, false}, {DType::kF64});
  expect_nan_rows({1, 2, 100, 1}, "s + exp(s)", {false, false, true, true}, {DType::kF32});
  expect_nan_rows({1, 2, 100, 1}, "s + exp(s)", {false, false, false, false}, {DType::kF64});
  expect_nan_rows({1, 2, 800, 1}, "s + exp(s)", {false, false, true, true});
  // Beyond it inside the formula is no matter.
  expect_nan_rows({1, 2, 100, 1}, "log(1.0 + exp(s))", {false, false, false, false});
}

TEST(Semantics, AFormulaBeyondF64IsInfiniteOfF64) {
  const std::vector<float> keys{1, 2, 0.5F, 1, 3, 0, 2};
  const Rows rows(keys, "s - exp(select((q + k) % 3 == 1, 800.0, -800.0))", DType::kF64);
  Rows masked(keys, "s", DType::kF64);
  masked.problem.mask = parse("k <= q & (q + k) % 3 != 1");
  for (const std::string& kernel : kernels(DType::kF64)) {
    const Result result = rows.run(kernel), expected = masked.run(kernel);
    EXPECT_TRUE(same_bits(result.o, expected.o)) << kernel;
    EXPECT_TRUE(same_bits(result.lse, expected.lse)) << kernel;
    EXPECT_TRUE(same_bits(result.visible, expected.visible)) << kernel;
  }
}

/// Of f64 tensors: NaN where q and k are finite; what comes of infinities is what it is.
TEST(Semantics, ASimilarityBeyondF64IsNaN) {
  for (const std::string& kernel : kernels(DType::kF64)) {
    for (const auto& [q, k, nan] :
         {std::tuple{1e200, 1e200, true}, {-1e200, 1e200, true}, {1e200, 1e100, false}, {1e300, -HUGE_VAL, false}}) {
      Draw draw({.heads = 1, .kv_heads = 1, .queries = 3, .keys = 70, .dim = 1, .value_dim = 2, .dtype = DType::kF64});
      for (Tensor* tensor : {&draw.q_store, &draw.k_store}) std::fill_n(tensor->data<double>(), tensor->count(), 0.5);
      draw.q_store.data<double>()[1] = q;
      draw.k_store.data<double>()[68] = k;
      const Result result = run(draw, kernel);
      for (std::int64_t row = 0; row < 3; ++row)
        EXPECT_EQ(std::isnan(real_at(result.lse.view(), row)), row == 1 && nan) << kernel << " " << q << " " << k << " row " << row;
      if (nan) continue;
      // All the weight is on the key whose score is 1e300, or on the others beside one of -inf.
      const double last = real_at(draw.v_store.view(), 68 * 2), got = real_at(result.o.view(), 2);
      EXPECT_EQ(got == last, k > 0) << kernel << " " << k;
      EXPECT_EQ(result.visible.data<std::int64_t>()[1], k > 0 ? 70 : 69) << kernel << " " << k;
    }
  }
}

TEST(Semantics, PositionOfAQuery) {
  const Draw draw({.queries = 3, .keys = 10, .dim = 4, .value_dim = 4, .mask = "causal"});
  const auto visible = [&](const Align& align) {
    Problem problem = draw.problem();
    problem.align = align;
    problem.statistics = true;
    const Result result = run(problem, {draw.q, draw.k, draw.v});
    return std::vector<std::int64_t>(result.visible.data<std::int64_t>(), result.visible.data<std::int64_t>() + 3);
  };
  EXPECT_EQ(visible(Align::start()), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(visible(Align::end()), (std::vector<std::int64_t>{8, 9, 10}));
  EXPECT_EQ(visible(Align::at({4})), (std::vector<std::int64_t>{5, 6, 7}));
  EXPECT_EQ(visible(Align::at({-2})), (std::vector<std::int64_t>{0, 0, 1}));
}

TEST(Semantics, NoDefaultAlignmentWhereItMatters) {
  Problem problem{.queries = 3, .keys = 10, .dim = 4, .value_dim = 4};
  EXPECT_NO_THROW(Plan{problem});
  problem.mask = causal();
  EXPECT_THROW(Plan{problem}, Error);
  problem.mask = Expr();
  problem.scores = {parse("s - 0.1 * abs(q - k)")};
  EXPECT_THROW(Plan{problem}, Error);
  problem.keys = 3;
  EXPECT_NO_THROW(Plan{problem});
}

TEST(Semantics, EachBatchEntryHasItsOffset) {
  Case of{.batch = 2, .queries = 4, .keys = 12, .dim = 4, .value_dim = 4, .mask = "causal", .align = Align::at({2, 8})};
  const Draw draw(of);
  EXPECT_EQ(violation(run(draw, "simd"), truth(draw), naive(draw), of.dtype), "");
  const Result result = run(draw, "simd");
  EXPECT_EQ(result.visible.data<std::int64_t>()[0], 3);
  EXPECT_EQ(result.visible.data<std::int64_t>()[8], 9);
}

TEST(Semantics, WindowCountsTheQueryItself) {
  const Draw draw({.queries = 30, .keys = 30, .dim = 4, .value_dim = 4, .mask = "window(7)"});
  Case pair = draw.of;
  pair.mask = "window(6, 0)";
  EXPECT_EQ(run(draw, "simd").visible.data<std::int64_t>()[20], 7);
  EXPECT_TRUE(same_bits(run(draw, "simd").o, run(Draw(pair), "simd").o));
}

TEST(Semantics, OrderIsScaleScoresMaskNormalise) {
  // One query, two keys, by hand: s = 2 q.k, capped at 1, then a bias; key 2 hidden although its score is the largest.
  const float q_of[] = {1}, k_of[] = {1, 3, 100}, v_of[] = {1, 5, 7};
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    const Tensor q = converted(view(q_of, {1, 1, 1, 1}), dtype), k = converted(view(k_of, {1, 1, 3, 1}), dtype),
                 v = converted(view(v_of, {1, 1, 3, 1}), dtype);
    Problem problem = problem_of(q.view(), k.view(), v.view());
    problem.scale = 2.0;
    problem.scores = {parse("min(s, 1.0)"), parse("s + 0.5 * k")};
    problem.mask = parse("k < 2");
    problem.kernel = kernel;
    Tensor o(dtype, {1, 1, 1, 1}), lse(dtype, {1, 1, 1});
    Plan(problem).run({q.view(), k.view(), v.view()}, {.o = o.span(), .lse = lse.span()});
    const double a = std::exp(1.0), b = std::exp(1.5);
    EXPECT_NEAR(real_at(o.view(), 0), (a * 1 + b * 5) / (a + b), 1e-5) << kernel;
    EXPECT_NEAR(real_at(lse.view(), 0), std::log(a + b), 1e-6) << kernel;  // natural logarithm
  }
}

TEST(Semantics, AnyFiniteScaleDefaultOneOverRootD) {
  Case of{.queries = 5, .keys = 5, .dim = 16, .value_dim = 4};
  const Draw draw(of);
  Problem problem = draw.problem();
  EXPECT_DOUBLE_EQ(inside(Plan(problem)).question.scale, 0.25);
  for (const double scale : {-1.0, 0.0, 3.0}) {
    problem.scale = scale;
    const Inputs inputs{draw.q, draw.k, draw.v};
    EXPECT_EQ(violation(run(problem, inputs), truth(problem, inputs), naive(draw), of.dtype).find("lse"), std::string::npos) << scale;
  }
  for (const double scale : {std::nan(""), HUGE_VAL}) {
    problem.scale = scale;
    EXPECT_THROW(Plan{problem}, Error);
  }
}

TEST(Semantics, EqualScoresOfAnySizeShareEqually) {
  // Scores up to 1e30: softmax sees differences alone, and between equal scores there is none.
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const double size : {1.0, 1e3, 6e4, 1.7e5, 1e6, 3e9, 1e15}) {
      if (dtype == DType::kF16 && size > 6e4) continue;
      for (const std::int64_t queries : {1, 16}) {
        Draw draw({.heads = 1, .kv_heads = 1, .queries = queries, .keys = 16, .dim = 16, .value_dim = 4, .dtype = dtype});
        for (Tensor* tensor : {&draw.q_store, &draw.k_store}) {
          for (std::int64_t i = 0; i < tensor->count(); ++i) store_real(tensor->span(), i, i % 16 ? 0.0 : size);
        }
        for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, 1.0);
        std::vector<std::string> names = kernels(dtype);
        if (queries == 1 && dtype != DType::kF64) names.emplace_back("decode");
        for (const std::string& kernel : names) {
          Problem problem = draw.problem();
          problem.kernel = kernel;
          problem.scale = 0.3;
          const Result result = run(problem, {draw.q, draw.k, draw.v});
          const double x = real_at(draw.q_store.view(), 0), lse = 0.3 * x * x + std::log(16.0);
          EXPECT_NEAR(real_at(result.o.view(), 0), 1.0, 1e-2) << kernel << " " << size << " " << name_of(dtype);
          EXPECT_NEAR(real_at(result.lse.view(), 0) / lse, 1.0, 1e-5) << kernel << " " << size << " " << name_of(dtype);
        }
      }
    }
  }
}

TEST(Semantics, QueryHeadsReadTheirGroup) {
  // Value of kv head g is g everywhere: the output of query head h must be h / (Hq / Hkv).
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    Draw draw({.heads = 6, .kv_heads = 3, .queries = 4, .keys = 7, .dim = 4, .value_dim = 1, .dtype = dtype});
    for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, static_cast<double>(i / 7));
    const Result result = run(draw, kernel);
    for (std::int64_t h = 0; h < 6; ++h) EXPECT_NEAR(real_at(result.o.view(), h * 4), static_cast<double>(h / 2), 1e-5) << kernel;
  }
}

TEST(Semantics, RowStatisticsSpeakOfTheKeysAlone) {
  const Draw draw({.queries = 40, .keys = 60, .dim = 8, .value_dim = 8, .mask = "causal", .sink = true});
  Case plain = draw.of;
  plain.sink = false;
  const Result with = run(draw, "simd"), without = run(Draw(plain), "simd");
  EXPECT_TRUE(same_bits(with.entropy, without.entropy));
  EXPECT_TRUE(same_bits(with.effective, without.effective));
  EXPECT_TRUE(same_bits(with.maximum, without.maximum));
}

TEST(Semantics, UniformAttentionHasFullEntropy) {
  Draw draw({.queries = 2, .keys = 500, .dim = 8, .value_dim = 8});
  for (std::int64_t i = 0; i < draw.q_store.count(); ++i) store_real(draw.q_store.span(), i, 0);
  const Result result = run(draw, "simd");
  EXPECT_NEAR(result.entropy.data<float>()[0], std::log(500.0), 1e-5);
  EXPECT_NEAR(result.effective.data<float>()[0], 500.0, 1e-2);
  EXPECT_EQ(result.maximum.data<float>()[0], 0.0f);
  EXPECT_EQ(result.visible.data<std::int64_t>()[0], 500);
}

/// Sixteen-bit inputs accumulate in float32: a long sum of small equal values does not stagnate.
TEST(Semantics, AccumulatesInFloat32) {
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    Draw draw({.heads = 1, .kv_heads = 1, .queries = 1, .keys = 20000, .dim = 4, .value_dim = 1, .dtype = dtype});
    for (std::int64_t i = 0; i < draw.q_store.count(); ++i) store_real(draw.q_store.span(), i, 0);
    for (std::int64_t i = 0; i < draw.v_store.count(); ++i) store_real(draw.v_store.span(), i, i % 2 ? 1.0 : 0.5);
    EXPECT_NEAR(run(draw, "simd", 1, true).o.data<float>()[0], 0.75, 1e-5);
  }
}

TEST(Semantics, LookupsCountOnlyWhereTheMaskIsTrue) {
  Case of{.queries = 20, .keys = 20, .dim = 4, .value_dim = 4};
  const Draw draw(of);
  Problem problem = draw.problem();
  const float slopes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  problem.tables["short"] = view(slopes, {8});
  problem.scores = {parse("s + short[k]", problem.tables)};
  problem.mask = parse("k < 8");
  EXPECT_NO_THROW(Plan{problem});
  problem.mask = parse("k < 9");
  try {
    const Plan plan(problem);
    FAIL() << "key 8 is visible";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("short[8]"), std::string::npos) << error.what();
  }
  problem.mask = parse("k < 8 & short[k] < 3.0 | k == 19 & q > 100", problem.tables);
  EXPECT_NO_THROW(Plan{problem});
  problem.scores = {parse("select(k < 8, s + short[k], s)", problem.tables)};
  problem.mask = Expr();
  EXPECT_NO_THROW(Plan{problem});
}

}  // namespace
}  // namespace heed::laws
