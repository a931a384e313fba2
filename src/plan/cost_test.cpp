// Cost: what is counted grows with the work, the limit that is made small is the one that binds, and plans choose by it.
#include "plan/cost.hpp"

#include <gtest/gtest.h>

#include <heed/masks.hpp>

#include "base/cpu.hpp"
#include "machine/pairs/target.hpp"
#include "plan/choice.hpp"

namespace heed::plan {
namespace {

Expected expected(const Plan& plan, const Limits& limits) {
  return expected(inside(plan), limits);
}

Problem problem_of(DType dtype, std::int64_t length = 1024) {
  return {.heads = 4, .kv_heads = 4, .queries = length, .keys = length, .dim = 64, .value_dim = 64, .dtype = dtype};
}

constexpr Limits kPlenty{
    .multiply_add = 1e15, .bf16_dot = 1e15, .matrix_unit = 1e15, .exp = 1e15, .l1 = 1e15, .l2 = 1e15, .l3 = 1e15, .dram = 1e15};

TEST(Cost, GrowsWithTheVisitedTiles) {
  Problem problem = problem_of(DType::kF32);
  problem.kernel = "simd";
  const Work full = Plan(problem).work();
  EXPECT_EQ(full.unit, Unit::kMultiplyAdd);
  problem.mask = causal();
  const Work half = Plan(problem).work();
  EXPECT_EQ(full.flop, 4.0 * 4 * 1024 * 1024 * 64);
  EXPECT_NEAR(half.flop / full.flop, 0.5, 0.05);
  EXPECT_GT(half.exps, full.exps * 0.5);  // masks of Partial tiles take their steps
  EXPECT_EQ(full.dram, 4.0 * 4 * 4 * 1024 * 64);
  problem.kernel = "classic";
  EXPECT_EQ(Plan(problem).work().flop, full.flop);
}

/// A place costs what its steps cost in their lanes; what is of the distance alone costs one step.
TEST(Cost, OfFormulasByTheirLanes) {
  const auto exps = [](const char* score, const char* mask = "") {
    Problem problem = problem_of(DType::kF32);
    problem.kernel = "simd";
    if (*score) problem.scores = {parse(score)};
    if (*mask) problem.mask = parse(mask);
    problem.align = {.kind = Align::Kind::kStart};
    const Plan plan(problem);
    return plan.work().exps / (4.0 * 1024 * 1024);
  };
  const double none = exps(""), alibi = exps("s + 0.5 * (k - q)"), wide = exps("s + 0.5 * k - 0.5 * q"), soft = exps("softcap(50)");
  EXPECT_EQ(none, 1);
  EXPECT_GT(alibi, none);
  EXPECT_EQ(exps("s + log(1.0 + exp(0.1 * (q - k)))"), alibi);
  EXPECT_GT(soft, alibi);
  EXPECT_GT(wide - none, 4 * (alibi - none));
  EXPECT_GT(exps("s + exp(0.1 * k - 0.1 * q)"), 5 * wide);
  EXPECT_GT(exps("", "(k * 3 + q) % 5 < 4"), 10.0);
}

TEST(Cost, TheSmallestLimitBinds) {
  Problem problem = problem_of(DType::kF32);
  problem.kernel = "simd";
  const Plan plan(problem);
  const auto binding = [&](double Limits::*limit) {
    Limits limits = kPlenty;
    limits.*limit = 1e6;
    return expected(plan, limits).limit;
  };
  EXPECT_EQ(binding(&Limits::multiply_add), "f32 multiply-adds");
  EXPECT_EQ(binding(&Limits::exp), "exp");
  EXPECT_EQ(binding(&Limits::l2), "L2");
  EXPECT_EQ(binding(&Limits::dram), "DRAM");
  Limits limits = kPlenty;
  limits.multiply_add = 1e9;
  EXPECT_NEAR(expected(plan, limits).seconds, 4.0 * 4 * 1024 * 1024 * 64 / 1e9, 1e-3);
}

/// f64 takes the walk in double: twice the products of f32, and by far less than the definition.
TEST(Cost, OfDoubles) {
  const Plan narrow(problem_of(DType::kF32)), wide(problem_of(DType::kF64));
  EXPECT_EQ(wide.kernel(), "double");
  EXPECT_EQ(wide.work().flop, 2 * narrow.work().flop);
  EXPECT_GT(wide.work().exps, 2 * narrow.work().exps);
  EXPECT_EQ(expected(wide, kPlenty).limit.empty(), false);
  Problem problem = problem_of(DType::kF64);
  problem.strict = true;
  EXPECT_EQ(Plan(problem).kernel(), "double");
}

TEST(Cost, NoEstimateForTheReferenceAndForNothing) {
  Problem problem = problem_of(DType::kF64, 16);
  problem.kernel = "reference";
  EXPECT_EQ(expected(Plan(problem), kPlenty).limit, "");
  EXPECT_EQ(expected(Plan(problem_of(DType::kF32, 0)), kPlenty).seconds, 0);
}

TEST(Cost, OfLittleTimeIsSaidLittle) {
  const Plan plan(problem_of(DType::kF32, 256));
  EXPECT_GT(plan.expected().seconds, 0);
  EXPECT_LT(plan.expected().seconds, 1);
  EXPECT_NE(plan.explain().find("bound by " + plan.expected().limit), std::string::npos);
}

#if HEED_PAIRS
/// Plans as on a processor with these units.
std::string chosen(const base::Cpu& cpu, const Problem& problem) {
  base::pretend_cpu(cpu);
  const std::string kernel = Plan(problem).kernel();
  base::pretend_cpu({});
  return kernel;
}

TEST(Cost, DecidesWhichKernelRuns) {
  const base::Cpu plain{}, dots{.avx512_bf16 = true}, slow{.avx512_bf16 = true, .slow_dots = true},
      tiles{.avx512_bf16 = true, .amx_bf16 = true};
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    EXPECT_EQ(chosen(plain, problem_of(dtype)), "simd");
    EXPECT_EQ(chosen(dots, problem_of(dtype)), dtype == DType::kBF16 ? "dot" : "simd");  // parts cost more than they bring
    EXPECT_EQ(chosen(slow, problem_of(dtype)), "simd");
    EXPECT_EQ(chosen(tiles, problem_of(dtype)), "amx");
  }
  Problem decode = problem_of(DType::kBF16);
  decode.queries = 1;
  for (const base::Cpu& cpu : {plain, dots, slow, tiles}) EXPECT_EQ(chosen(cpu, decode), "decode");
}
#endif

TEST(Cost, EveryKernelPassedOverSaysWhatItWouldCost) {
  const Plan plan(problem_of(DType::kF32));
  for (const Refusal& refusal : plan.refusals()) {
    if (refusal.kernel != "classic") continue;
    EXPECT_NE(refusal.reason.find("times as much as"), std::string::npos) << refusal.reason;
  }
  EXPECT_EQ(plan.refusals().size() + 1, plan::kernels().size());
}

}  // namespace
}  // namespace heed::plan
