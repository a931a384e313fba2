// Packed sequences of any lengths: bit for bit what each gives by itself, dense, by the same kernel; whatever lies beside it. Statistics
// and L likewise; a plan may have one kernel for sequences of few queries and another for the others.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"
#include "plan/choice.hpp"

namespace heed::laws {
namespace {

struct Lengths {
  std::vector<std::int64_t> queries, keys;
};

std::vector<std::int64_t> offsets_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

/// Packed tensors of a case whose batch entries have these lengths; q, k and v of each are those of a Draw of it alone.
struct Packed {
  Packed(const Case& given, const Lengths& of) : lengths(of) {
    const std::int64_t all_queries = std::reduce(of.queries.begin(), of.queries.end()),
                       all_keys = std::reduce(of.keys.begin(), of.keys.end());
    q = poisoned(given.dtype, {all_queries, given.heads, given.dim});
    k = poisoned(given.dtype, {all_keys, given.kv_heads, given.dim});
    v = poisoned(given.dtype, {all_keys, given.kv_heads, given.value_dim});
    const std::vector<std::int64_t> query_offsets = offsets_of(of.queries), key_offsets = offsets_of(of.keys);
    for (std::size_t b = 0; b < of.queries.size(); ++b) {
      Case alone = given;
      alone.queries = of.queries[b];
      alone.keys = of.keys[b];
      alone.seed = given.seed + b;
      draws.emplace_back(alone);
      copy(draws.back().q, q, query_offsets[b]);
      copy(draws.back().k, k, key_offsets[b]);
      copy(draws.back().v, v, key_offsets[b]);
    }
    problem = draws[0].problem();
    const Problem packed = problem_of(q.view(), k.view(), v.view(), query_offsets, key_offsets);
    problem.batch = packed.batch;
    problem.queries = packed.queries;
    problem.keys = packed.keys;
    problem.query_offsets = packed.query_offsets;
    problem.key_offsets = packed.key_offsets;
  }
  /// [1, H, T, D] into rows [first, first + T) of [T_total, H, D].
  static void copy(const TensorView& from, Tensor& to, std::int64_t first) {
    const std::int64_t heads = from.shape[1], columns = from.shape[3];
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t t = 0; t < from.shape[2]; ++t) {
        for (std::int64_t c = 0; c < columns; ++c)
          store_real(to.span(), ((first + t) * heads + h) * columns + c,
                     real_at(from, h * from.strides[1] + t * from.strides[2] + c * from.strides[3]));
      }
    }
  }
  Lengths lengths;
  std::vector<Draw> draws;
  Tensor q, k, v;
  Problem problem;
};

struct Lines {
  Tensor o, lse, entropy, visible;
};

Lines run_packed(const Packed& packed, Problem problem) {
  const DType wide = problem.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const std::int64_t total = problem.query_offsets.back();
  Lines made{poisoned(problem.dtype, {total, problem.heads, problem.value_dim}), poisoned(wide, {total, problem.heads}),
             poisoned(wide, {total, problem.heads}), poisoned(DType::kI64, {total, problem.heads})};
  Outputs out{.o = made.o.span(), .lse = made.lse.span()};
  if (problem.statistics) {
    out.entropy = made.entropy.span();
    out.visible = made.visible.span();
  }
  Plan(problem).run({packed.q.view(), packed.k.view(), packed.v.view()}, out);
  return made;
}

/// Rows of sequence b of [T_total, H, ...] against [1, H, T, ...].
void expect_rows(const Tensor& packed, const Tensor& alone, std::int64_t first, const std::string& what) {
  const std::int64_t heads = alone.shape()[1], rows = alone.shape()[2], columns = alone.shape().rank() == 4 ? alone.shape()[3] : 1;
  const std::int64_t bytes = columns * size_of(alone.dtype());
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t t = 0; t < rows; ++t) {
      ASSERT_EQ(std::memcmp(packed.data<std::byte>() + ((first + t) * heads + h) * bytes, alone.data<std::byte>() + (h * rows + t) * bytes,
                            static_cast<std::size_t>(bytes)),
                0)
          << what << ", head " << h << ", row " << t;
    }
  }
}

/// Every sequence by itself gives the same bits, by a kernel of this name.
void expect_dense(const Packed& packed, const std::string& kernel, int threads, bool statistics) {
  Problem problem = packed.problem;
  problem.kernel = kernel;
  problem.threads = threads;
  problem.statistics = statistics;
  const Lines made = run_packed(packed, problem);
  for (std::size_t b = 0; b < packed.draws.size(); ++b) {
    const Draw& draw = packed.draws[b];
    Problem alone = draw.problem();
    alone.kernel = kernel;
    alone.threads = 1;
    alone.statistics = statistics;
    alone.sink = problem.sink;
    const DType wide = alone.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    const Dims rows{1, alone.heads, alone.queries};
    Tensor o = poisoned(alone.dtype, {1, alone.heads, alone.queries, alone.value_dim}), lse = poisoned(wide, rows),
           entropy = poisoned(wide, rows), visible = poisoned(DType::kI64, rows);
    Outputs out{.o = o.span(), .lse = lse.span()};
    if (statistics) {
      out.entropy = entropy.span();
      out.visible = visible.span();
    }
    Plan(alone).run({draw.q, draw.k, draw.v}, out);
    const std::int64_t first = problem.query_offsets[b];
    const std::string what = kernel + ", sequence " + std::to_string(b) + ", " + std::to_string(threads) + " threads, mask " + draw.of.mask;
    expect_rows(made.o, o, first, what + ": O");
    expect_rows(made.lse, lse, first, what + ": L");
    if (!statistics) continue;
    expect_rows(made.entropy, entropy, first, what + ": entropy");
    expect_rows(made.visible, visible, first, what + ": visible");
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
        for (const std::string& kernel : kernels_for(packed.problem)) expect_dense(packed, kernel, 1 + turn % 3, turn % 4 == 1);
        ++turn;
      }
    }
  }
}

/// b is the sequence: one that a mask shows to it alone.
TEST(Ragged, BIsTheSequence) {
  Case of{.heads = 2, .kv_heads = 2, .dim = 8, .value_dim = 8, .mask = "causal & b == 1"};
  const Packed packed(of, {{40, 50, 60}, {40, 50, 60}});
  const Lines made = run_packed(packed, packed.problem);
  for (std::int64_t row = 0; row < 150; ++row) EXPECT_EQ(std::isinf(real_at(made.lse.view(), row * 2)), row < 40 || row >= 90) << row;
}

TEST(Ragged, TheDefinitionHasItToo) {
  Case of{.heads = 2, .kv_heads = 1, .dim = 16, .value_dim = 16, .dtype = DType::kF64, .mask = "causal"};
  expect_dense(Packed(of, {{9, 0, 33}, {20, 7, 33}}), "reference", 2, true);
}

/// Decode beside prefill: each class has its kernel, and explain says so.
TEST(Ragged, FewAndManyQueriesHaveKernelsOfTheirOwn) {
  Case of{.heads = 8, .kv_heads = 2, .dim = 64, .value_dim = 64, .mask = "causal"};
  const Packed packed(of, {{1, 400, 1, 300}, {900, 400, 700, 300}});
  const Plan plan(packed.problem);
  ASSERT_EQ(inside(plan).parts.size(), 2u);
  EXPECT_EQ(inside(plan).parts[0].group.sequences, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(inside(plan).parts[1].group.sequences, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(inside(plan).parts[1].choice.kernel->name, "decode");
  EXPECT_NE(plan.explain().find("decode, for 2 sequences of at most 8 queries"), std::string::npos) << plan.explain();
  const Lines made = run_packed(packed, packed.problem);
  for (std::size_t b = 0; b < 4; ++b) {
    Problem alone = packed.draws[b].problem();
    alone.kernel = inside(plan).parts[b % 2 == 0 ? 1 : 0].choice.kernel->name;
    Tensor o = poisoned(DType::kF32, {1, 8, alone.queries, 64});
    Plan(alone).run({packed.draws[b].q, packed.draws[b].k, packed.draws[b].v}, {.o = o.span()});
    expect_rows(made.o, o, packed.problem.query_offsets[b], "sequence " + std::to_string(b));
  }
}

TEST(Ragged, InOneCall) {
  Case of{.heads = 2, .kv_heads = 1, .dim = 8, .value_dim = 8};
  const Packed packed(of, {{4, 0, 6}, {5, 3, 5}});
  const Tensor o = attend({.q = packed.q.view(),
                           .k = packed.k.view(),
                           .v = packed.v.view(),
                           .query_offsets = packed.problem.query_offsets,
                           .key_offsets = packed.problem.key_offsets});
  EXPECT_TRUE(same_bits(o, run_packed(packed, packed.problem).o));
}

TEST(Ragged, CostsWhatItsTilesCost) {
  Case of{.heads = 2, .kv_heads = 2, .dim = 64, .value_dim = 64, .mask = "causal"};
  const Packed packed(of, {{200, 1000, 0}, {200, 1000, 70}});
  double flops = 0;
  for (const Draw& draw : packed.draws) flops += Plan(draw.problem()).flops();
  EXPECT_EQ(Plan(packed.problem).flops(), flops);
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
  Problem problem = packed.problem;
  problem.queries = 7;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("size and offsets disagree"), std::string::npos);
  problem = packed.problem;
  problem.kernel = "classic";
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("one S x S matrix for all"), std::string::npos);
  problem = packed.problem;
  problem.weights = true;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("packed sequences"), std::string::npos);
  problem = packed.problem;
  problem.wanted_scores = Scores::kMasked;
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("packed sequences"), std::string::npos);
  problem = packed.problem;
  problem.align = {};
  problem.mask = causal();
  EXPECT_NE(refusal([&] { Plan plan(problem); }).find("nothing says where the queries stand"), std::string::npos);
}

}  // namespace
}  // namespace heed::laws
