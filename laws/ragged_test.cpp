// Packed sequences of any lengths: bit for bit what each gives by itself, dense, by the same kernel; whatever lies beside it. Statistics
// and L likewise; a plan may have one kernel for sequences of few queries and another for the others.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/posed.hpp"
#include "laws/support/refusal.hpp"
#include "plan/choice.hpp"

namespace heed::laws {
namespace {

/// Every sequence by itself gives the same bits, by a kernel of this name.
void expect_dense(const Packed& of, const std::string& kernel, int threads, bool statistics) {
  Problem problem = of.all.problem;
  problem.kernel = kernel;
  problem.threads = threads;
  problem.statistics = statistics;
  const Result made = run(problem, of.all.inputs);
  for (std::size_t b = 0; b < of.alone.size(); ++b) {
    Problem one = of.alone[b].problem;
    one.kernel = kernel;
    one.threads = 1;
    one.statistics = statistics;
    const Result alone = run(one, of.alone[b].inputs);
    const std::int64_t first = problem.query_offsets[b];
    const std::string what =
        kernel + ", sequence " + std::to_string(b) + ", " + std::to_string(threads) + " threads, mask " + of.whole.of.mask;
    ASSERT_EQ(rows_differ(made.o, alone.o, first), "") << what << ": O";
    ASSERT_EQ(rows_differ(made.lse, alone.lse, first), "") << what << ": L";
    ASSERT_EQ(rows_differ(made.entropy, alone.entropy, first), "") << what << ": entropy";
    ASSERT_EQ(rows_differ(made.visible, alone.visible, first), "") << what << ": visible";
  }
}

std::vector<std::string> kernels_for(const Problem& problem) {
  std::vector<std::string> names;
  for (const plan::Kernel& kernel : plan::kernels()) {
    const Plan plan(problem);
    const problem::Group all(inside(plan).question, problem::every_sequence(inside(plan).question.layout));
    if (kernel.missing().empty() && kernel.decline(inside(plan).question, all).empty()) names.emplace_back(kernel.name);
  }
  return names;
}

TEST(Ragged, IsEachSequenceByItself) {
  const Lengths mixed{{70, 0, 1, 130, 5, 3, 64}, {70, 40, 300, 130, 5, 0, 10}}, few{{1, 3, 8, 0, 2}, {300, 2600, 8, 5, 64}};
  int turn = 0;
  for (const Lengths& lengths : {mixed, few}) {
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      for (const char* mask : {"", "causal", "window(20) | k < 2", "b == 2 | causal", "k > q"}) {
        Case of{.heads = 4, .kv_heads = 2, .dim = 20, .value_dim = 12, .dtype = dtype, .mask = mask};
        of.sink = turn % 3 == 0;
        if (turn % 2 == 0) of.scores = {"s - 0.1 * h - 0.01 * abs(q - k)"};
        if (std::string(mask).find('b') != std::string::npos) continue;  // a sequence alone is number 0: the next test
        const Packed packed(of, lengths);
        for (const std::string& kernel : kernels_for(packed.all.problem)) expect_dense(packed, kernel, 1 + turn % 3, turn % 4 == 1);
        ++turn;
      }
    }
  }
}

/// b is the sequence: one that a mask shows to it alone.
TEST(Ragged, BIsTheSequence) {
  Case of{.heads = 2, .kv_heads = 2, .dim = 8, .value_dim = 8, .mask = "causal & b == 1"};
  const Packed packed(of, {{40, 50, 60}, {40, 50, 60}});
  const Result made = run(packed.all.problem, packed.all.inputs);
  for (std::int64_t row = 0; row < 150; ++row) EXPECT_EQ(std::isinf(real_at(made.lse.view(), row * 2)), row < 40 || row >= 90) << row;
}

/// The second sequence's one query stands late, the first has many: no query has a position beyond the longest sequence's last key.
TEST(Ragged, ATableOfPositionsIsAsLongAsPositionsAreSequenceBySequence) {
  const Packed packed({.dim = 8, .value_dim = 8, .mask = "longformer(10, global)"}, {{130, 1}, {200, 190}});
  ASSERT_EQ(packed.all.problem.tables.at("global").shape, (Dims{200}));
  for (const std::string& kernel : kernels_for(packed.all.problem)) expect_dense(packed, kernel, 1, false);
}

TEST(Ragged, TheDefinitionHasItToo) {
  Case of{.heads = 2, .kv_heads = 1, .dim = 16, .value_dim = 16, .dtype = DType::kF64, .mask = "causal"};
  expect_dense(Packed(of, {{9, 0, 33}, {20, 7, 33}}), "reference", 2, true);
}

/// Decode beside prefill: each class has its kernel, and explain says so.
TEST(Ragged, FewAndManyQueriesHaveKernelsOfTheirOwn) {
  Case of{.heads = 8, .kv_heads = 2, .dim = 64, .value_dim = 64, .mask = "causal"};
  const Packed packed(of, {{1, 400, 1, 300}, {900, 400, 700, 300}});
  const Plan plan(packed.all.problem);
  ASSERT_EQ(inside(plan).parts.size(), 2u);
  EXPECT_EQ(inside(plan).parts[0].group.sequences, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(inside(plan).parts[1].group.sequences, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(inside(plan).parts[1].choice.kernel->name, "decode");
  EXPECT_NE(plan.explain().find("decode, for 2 sequences of at most 8 queries"), std::string::npos) << plan.explain();
  const Result made = run(packed.all.problem, packed.all.inputs);
  for (std::size_t b = 0; b < 4; ++b) {
    Problem alone = packed.alone[b].problem;
    alone.kernel = inside(plan).parts[b % 2 == 0 ? 1 : 0].choice.kernel->name;
    Tensor o = poisoned(DType::kF32, {1, 8, alone.queries, 64});
    Plan(alone).run(packed.alone[b].inputs, {.o = o.span()});
    EXPECT_EQ(rows_differ(made.o, o, packed.all.problem.query_offsets[b]), "") << "sequence " << b;
  }
}

TEST(Ragged, InOneCall) {
  Case of{.heads = 2, .kv_heads = 1, .dim = 8, .value_dim = 8};
  const Packed packed(of, {{4, 0, 6}, {5, 3, 5}});
  const Problem& problem = packed.all.problem;
  const Tensor o = attend({.q = packed.all.inputs.q,
                           .k = packed.all.inputs.k,
                           .v = packed.all.inputs.v,
                           .query_offsets = problem.query_offsets,
                           .key_offsets = problem.key_offsets});
  EXPECT_TRUE(same_bits(o, run(problem, packed.all.inputs).o));
}

TEST(Ragged, CostsWhatItsTilesCost) {
  Case of{.heads = 2, .kv_heads = 2, .dim = 64, .value_dim = 64, .mask = "causal"};
  const Packed packed(of, {{200, 1000, 0}, {200, 1000, 70}});
  double flops = 0;
  for (const Posed& alone : packed.alone) flops += Plan(alone.problem).flops();
  EXPECT_EQ(Plan(packed.all.problem).flops(), flops);
}

TEST(Ragged, BadOffsetsAreRefused) {
  Case of{.heads = 2, .kv_heads = 2, .dim = 8, .value_dim = 8};
  const Packed packed(of, {{4, 6}, {5, 5}});
  const auto refused = [&](std::vector<std::int64_t> q, std::vector<std::int64_t> k, const char* what) {
    const std::string text =
        refusal([&] { (void)problem_of(packed.q.view(), packed.k.view(), packed.v.view(), std::move(q), std::move(k)); });
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  refused({0, 4}, {0, 5, 10}, "how many sequences");
  refused({1, 4, 10}, {0, 5, 10}, "does not begin at 0");
  refused({0, 7, 6}, {0, 5, 10}, "offsets fall");
  refused({0, 4, 9}, {0, 5, 10}, "not the end of the tensor");
  refused({}, {}, "no offsets");
  Problem problem = packed.all.problem;
  problem.queries = 7;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("size and offsets disagree"), std::string::npos);
  problem = packed.all.problem;
  problem.kernel = "classic";
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("one S x S matrix for all"), std::string::npos);
  problem = packed.all.problem;
  problem.weights = true;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("packed sequences"), std::string::npos);
  problem = packed.all.problem;
  problem.wanted_scores = Scores::kMasked;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("packed sequences"), std::string::npos);
  problem = packed.all.problem;
  problem.align = {};
  problem.mask = causal();
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("nothing says where the queries stand"), std::string::npos);
}

}  // namespace
}  // namespace heed::laws
