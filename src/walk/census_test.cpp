// census against the weights that the classic kernel returns: every reduction recomputed from the whole matrix.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"

namespace heed::walk {
namespace {

struct Whole {
  Tensor weights, lse;
};

Whole classic_weights(const laws::Draw& draw) {
  Problem problem = draw.problem();
  problem.kernel = "classic";
  problem.weights = true;
  const laws::Case& of = draw.of;
  Whole whole{Tensor(DType::kF32, {of.batch, of.heads, of.queries, of.keys}), Tensor(DType::kF32, {of.batch, of.heads, of.queries})};
  Plan(problem).run({draw.q, draw.k, draw.v}, {.lse = whole.lse.span(), .weights = whole.weights.span()});
  return whole;
}

class CensusTest : public ::testing::TestWithParam<const char*> {
 protected:
  CensusTest() : draw_(case_of()), plan_(with_threads()), whole_(classic_weights(draw_)) {}
  static laws::Case case_of() {
    return {.batch = 2,
            .heads = 4,
            .kv_heads = 2,
            .queries = 150,
            .keys = 170,
            .dim = 16,
            .value_dim = 8,
            .mask = GetParam(),
            .scores = {"s + 0.1 * slope[h] * (k - q)"},
            .sink = true};
  }
  [[nodiscard]] Problem with_threads() const {
    Problem problem = draw_.problem();
    problem.threads = 2;
    return problem;
  }
  [[nodiscard]] float p(std::int64_t head, std::int64_t i, std::int64_t j) const {
    return whole_.weights.data<float>()[(head * 150 + i) * 170 + j];
  }

  laws::Draw draw_;
  Plan plan_;
  Whole whole_;
};

TEST_P(CensusTest, MassReceivedPerKey) {
  Tensor received = laws::poisoned(DType::kF32, {2, 4, 170}), seen_by = laws::poisoned(DType::kI64, {2, 4, 170});
  census(plan_, draw_.q, draw_.k, whole_.lse.view(), {.received = received.span(), .seen_by = seen_by.span()});
  for (std::int64_t head = 0; head < 8; ++head) {
    for (std::int64_t j = 0; j < 170; ++j) {
      double mass = 0;
      std::int64_t seen = 0;
      for (std::int64_t i = 0; i < 150; ++i) {
        mass += p(head, i, j);
        seen += p(head, i, j) > 0;
      }
      ASSERT_NEAR(received.data<float>()[head * 170 + j], mass, 1e-4) << "head " << head << " key " << j;
      ASSERT_EQ(seen_by.data<std::int64_t>()[head * 170 + j], seen) << "head " << head << " key " << j;
    }
  }
}

TEST_P(CensusTest, PooledMapAtAnyResolution) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {7, 5}, {150, 170}, {64, 3}, {200, 400}}) {
    Tensor map = laws::poisoned(DType::kF32, {2, 4, rows, columns});
    census(plan_, draw_.q, draw_.k, whole_.lse.view(), {.map = map.span()});
    for (std::int64_t head = 0; head < 8; ++head) {
      std::vector<double> expected(static_cast<std::size_t>(rows * columns));
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t first = r * 150 / rows, last = (r + 1) * 150 / rows;
        for (std::int64_t c = 0; c < columns; ++c) {
          for (std::int64_t i = first; i < last; ++i) {
            for (std::int64_t j = c * 170 / columns; j < (c + 1) * 170 / columns; ++j)
              expected[static_cast<std::size_t>(r * columns + c)] += p(head, i, j) / static_cast<double>(last - first);
          }
        }
      }
      for (std::int64_t at = 0; at < rows * columns; ++at) {
        ASSERT_NEAR(map.data<float>()[head * rows * columns + at], expected[static_cast<std::size_t>(at)], 1e-5)
            << rows << " x " << columns << " head " << head << " at " << at;
      }
    }
  }
}

TEST_P(CensusTest, ChosenRowsAndTheirTopKeys) {
  const std::vector<std::int64_t> rows{149, 3, 70, 70};
  Tensor weights = laws::poisoned(DType::kF32, {2, 4, 4, 170}), keys = laws::poisoned(DType::kI64, {2, 4, 4, 5}),
         top = laws::poisoned(DType::kF32, {2, 4, 4, 5});
  CensusOutputs outputs;
  outputs.rows = rows;
  outputs.weights = weights.span();
  outputs.top_keys = keys.span();
  outputs.top_weights = top.span();
  census(plan_, draw_.q, draw_.k, whole_.lse.view(), outputs);
  for (std::int64_t head = 0; head < 8; ++head) {
    for (std::int64_t n = 0; n < 4; ++n) {
      const float* const row = weights.data<float>() + (head * 4 + n) * 170;
      for (std::int64_t j = 0; j < 170; ++j)
        ASSERT_NEAR(row[j], p(head, rows[static_cast<std::size_t>(n)], j), 1e-6) << "head " << head << " row " << n;
      std::vector<std::int64_t> order;
      for (std::int64_t j = 0; j < 170; ++j) {
        if (p(head, rows[static_cast<std::size_t>(n)], j) > 0) order.push_back(j);
      }
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return row[a] > row[b]; });
      for (std::size_t t = 0; t < 5; ++t) {
        const std::int64_t key = keys.data<std::int64_t>()[(head * 4 + n) * 5 + static_cast<std::int64_t>(t)];
        EXPECT_EQ(key, t < order.size() ? order[t] : -1);
        EXPECT_EQ(top.data<float>()[(head * 4 + n) * 5 + static_cast<std::int64_t>(t)], t < order.size() ? row[order[t]] : 0.0f);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, CensusTest,
                         ::testing::Values("causal", "window(9)", "full", "k % 3 == 0 & causal", "q > 70 & lengths(length[b])"));

/// Heads and groups of keys fall to threads by chance; sums have one order all the same.
TEST(CensusThreads, ChangeNoBit) {
  const laws::Draw draw({.batch = 2,
                         .heads = 3,
                         .kv_heads = 3,
                         .queries = 700,
                         .keys = 1100,
                         .dim = 16,
                         .value_dim = 8,
                         .mask = "window(90) | k < 3 | h == 1 & q == 500"});
  struct Found {
    Tensor received = laws::poisoned(DType::kF32, {2, 3, 1100}), seen_by = laws::poisoned(DType::kI64, {2, 3, 1100}),
           map = laws::poisoned(DType::kF32, {2, 3, 9, 14}), weights = laws::poisoned(DType::kF32, {2, 3, 2, 1100});
  };
  const auto with = [&](int threads) {
    Found found;
    Problem problem = draw.problem();
    problem.threads = threads;
    census(Plan(problem), draw.q, draw.k, {},
           {.received = found.received.span(),
            .seen_by = found.seen_by.span(),
            .map = found.map.span(),
            .rows = {3, 690},
            .weights = found.weights.span()});
    return found;
  };
  const Found one = with(1);
  for (const int threads : {2, 5}) {
    const Found other = with(threads);
    EXPECT_TRUE(laws::same_bits(one.received, other.received));
    EXPECT_TRUE(laws::same_bits(one.seen_by, other.seen_by));
    EXPECT_TRUE(laws::same_bits(one.map, other.map));
    EXPECT_TRUE(laws::same_bits(one.weights, other.weights));
  }
}

/// Whatever kernel a plan has, and more chosen rows than a kernel for few queries takes at once.
TEST(CensusKernels, GiveTheSameWeights) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const laws::Draw draw({.heads = 4,
                           .kv_heads = 2,
                           .queries = 2,
                           .keys = 300,
                           .dim = 32,
                           .value_dim = 8,
                           .dtype = dtype,
                           .mask = "causal",
                           .scores = {"alibi(slope)"}});
    const Whole whole = classic_weights(draw);
    std::vector<std::string> names = laws::kernels();
    names.emplace_back("decode");
    for (const std::string& kernel : names) {
      Problem problem = draw.problem();
      problem.kernel = kernel;
      CensusOutputs outputs;
      for (std::int64_t n = 0; n < 20; ++n) outputs.rows.push_back(n % 2);
      Tensor weights = laws::poisoned(DType::kF32, {1, 4, 20, 300});
      outputs.weights = weights.span();
      census(Plan(problem), draw.q, draw.k, whole.lse.view(), outputs);
      for (std::int64_t i = 0; i < weights.count(); ++i) {
        const std::int64_t row = i / 300, head = row / 20, j = i % 300;
        ASSERT_NEAR(weights.data<float>()[i], whole.weights.data<float>()[(head * 2 + row % 2) * 300 + j], 1e-5) << kernel << " at " << i;
      }
    }
  }
}

TEST(CensusRefusals, EachNamesItsTensor) {
  const laws::Draw draw({.queries = 10, .keys = 12, .dim = 4, .value_dim = 4});
  const Plan plan(draw.problem());
  Tensor lse(DType::kF32, {1, 2, 10}), wrong(DType::kF32, {1, 2, 11});
  CensusOutputs outputs;
  outputs.received = wrong.span();
  EXPECT_THROW(census(plan, draw.q, draw.k, lse.view(), outputs), Error);
  EXPECT_THROW(census(plan, draw.q, draw.k, wrong.view(), {}), Error);
  CensusOutputs rows;
  rows.rows = {10};
  EXPECT_THROW(census(plan, draw.q, draw.k, lse.view(), rows), Error);
}

}  // namespace
}  // namespace heed::walk
