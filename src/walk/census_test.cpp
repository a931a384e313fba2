// census against the weights that the classic kernel returns: every reduction recomputed from the whole matrix.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"

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

/// Some heads: the outputs of all heads, those picked out in the order asked for.
TEST_P(CensusTest, ChosenHeads) {
  struct Found {
    Tensor received, seen_by, map, weights, keys, top;
  };
  const auto of_heads = [&](const std::vector<std::int64_t>& heads) {
    const std::int64_t h = heads.empty() ? 4 : static_cast<std::int64_t>(heads.size());
    Found found{laws::poisoned(DType::kF32, {2, h, 170}),  laws::poisoned(DType::kI64, {2, h, 170}),
                laws::poisoned(DType::kF32, {2, h, 6, 5}), laws::poisoned(DType::kF32, {2, h, 2, 170}),
                laws::poisoned(DType::kI64, {2, h, 2, 3}), laws::poisoned(DType::kF32, {2, h, 2, 3})};
    census(plan_, draw_.q, draw_.k, {},
           {.received = found.received.span(),
            .seen_by = found.seen_by.span(),
            .map = found.map.span(),
            .rows = {100, 5},
            .weights = found.weights.span(),
            .top_keys = found.keys.span(),
            .top_weights = found.top.span(),
            .heads = heads});
    return found;
  };
  const Found all = of_heads({});
  for (const std::vector<std::int64_t>& heads : {std::vector<std::int64_t>{2}, {3, 0}, {1, 1, 2}, {0, 1, 2, 3}}) {
    const Found some = of_heads(heads);
    for (const auto tensor : {&Found::received, &Found::seen_by, &Found::map, &Found::weights, &Found::keys, &Found::top}) {
      const Tensor &whole = all.*tensor, &part = some.*tensor;
      const std::int64_t bytes = whole.count() / 8 * size_of(whole.dtype()), count = static_cast<std::int64_t>(heads.size());
      for (std::int64_t n = 0; n < 2 * count; ++n) {
        const std::int64_t from = n / count * 4 + heads[static_cast<std::size_t>(n % count)];
        EXPECT_EQ(std::memcmp(static_cast<const std::byte*>(part.view().data) + n * bytes,
                              static_cast<const std::byte*>(whole.view().data) + from * bytes, static_cast<std::size_t>(bytes)),
                  0)
            << "head " << from << " of " << heads.size();
      }
    }
  }
}

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

/// Packed sequences of any lengths, 0 too, by more than one kernel: bit for bit what each gives by itself, with norms of the run and
/// without.
TEST(CensusOfPackedSequences, EachAsByItself) {
  const std::vector<std::int64_t> query_offsets{0, 100, 100, 103, 243, 250}, key_offsets{0, 300, 310, 450, 450, 1700};
  const std::int64_t heads = 4, kv_heads = 2, dim = 16;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  const auto drawn = [&](const Dims& shape) {
    Tensor tensor(DType::kF32, shape);
    for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, normal(random));
    return tensor;
  };
  const Tensor q = drawn({250, heads, dim}), k = drawn({1700, kv_heads, dim}), v = drawn({1700, kv_heads, dim});
  Problem problem = problem_of(q.view(), k.view(), v.view(), query_offsets, key_offsets);
  problem.mask = parse_mask("k % 7 != h & k <= q + 900");
  problem.align = Align::start();
  problem.statistics = true;
  problem.threads = 2;
  const Plan plan(problem);
  Tensor norms = laws::poisoned(DType::kF32, {250, heads, 2}), received = laws::poisoned(DType::kF32, {1700, 2}),
         again = laws::poisoned(DType::kF32, {1700, 2}), seen_by = laws::poisoned(DType::kI64, {1700, 2});
  plan.run({q.view(), k.view(), v.view()}, {.norms = norms.span()});
  census(plan, q.view(), k.view(), {}, {.received = received.span(), .seen_by = seen_by.span(), .heads = {3, 1}});
  census(plan, q.view(), k.view(), {}, {.received = again.span(), .heads = {3, 1}, .norms = norms.view()});
  EXPECT_TRUE(laws::same_bits(received, again));
  for (std::size_t b = 0; b + 1 < query_offsets.size(); ++b) {
    const auto part = [&](const Tensor& tensor, std::int64_t h, std::int64_t first, std::int64_t last) {
      return TensorView(tensor.data<float>() + first * h * dim, DType::kF32, {1, h, last - first, dim}, {0, dim, h * dim, 1});
    };
    const TensorView of_q = part(q, heads, query_offsets[b], query_offsets[b + 1]),
                     of_k = part(k, kv_heads, key_offsets[b], key_offsets[b + 1]);
    Problem alone = problem_of(of_q, of_k, of_k);
    alone.mask = problem.mask;
    alone.align = Align::start();
    alone.kernel = of_q.shape[2] <= 8 ? "decode" : "simd";
    const std::int64_t keys = of_k.shape[2];
    Tensor its = laws::poisoned(DType::kF32, {1, 2, keys}), seen = laws::poisoned(DType::kI64, {1, 2, keys});
    census(Plan(alone), of_q, of_k, {}, {.received = its.span(), .seen_by = seen.span(), .heads = {3, 1}});
    for (std::int64_t j = 0; j < keys; ++j) {
      for (std::int64_t h = 0; h < 2; ++h) {
        const std::int64_t at = (key_offsets[b] + j) * 2 + h;
        ASSERT_EQ(received.data<float>()[at], its.data<float>()[h * keys + j]) << "sequence " << b << " key " << j;
        ASSERT_EQ(seen_by.data<std::int64_t>()[at], seen.data<std::int64_t>()[h * keys + j]) << "sequence " << b << " key " << j;
      }
    }
  }
  Tensor map(DType::kF32, {5, heads, 3, 3});
  const auto message = [&](const CensusOutputs& outputs) { return laws::refusal([&] { census(plan, q.view(), k.view(), {}, outputs); }); };
  EXPECT_NE(message({.map = map.span()}).find("packed sequences have no rows and maps of one shape"), std::string::npos);
  EXPECT_NE(message({.rows = {3}}).find("found chosen rows"), std::string::npos);
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

TEST(CensusRefusals, OfHeadsAndNormsBeforeAnythingIsWritten) {
  const laws::Draw draw({.heads = 3, .kv_heads = 3, .queries = 10, .keys = 12, .dim = 4, .value_dim = 4});
  const Plan plan(draw.problem());
  const Tensor lse(DType::kF32, {1, 3, 10}), norms(DType::kF32, {1, 3, 10, 2}), wrong(DType::kF32, {1, 2, 10, 2});
  Tensor received = laws::poisoned(DType::kF32, {1, 1, 12});
  const auto message = [&](const CensusOutputs& outputs) {
    return laws::refusal([&] { census(plan, draw.q, draw.k, lse.view(), outputs); });
  };
  EXPECT_EQ(message({.heads = {3}}), "census, heads: no such head; expected 0 to 2; found 3");
  EXPECT_EQ(message({.heads = {0, -1}}), "census, heads: no such head; expected 0 to 2; found -1");
  EXPECT_NE(message({.received = received.span(), .heads = {0, 1}}).find("tensor received: wrong shape; expected [1, 2, 12]"),
            std::string::npos);
  EXPECT_NE(message({.received = received.span(), .heads = {1}, .norms = wrong.view()}).find("tensor norms"), std::string::npos);
  EXPECT_NE(message({.received = received.span(), .heads = {1}, .norms = norms.view(), .part = true}).find("norms or a part"),
            std::string::npos);
  EXPECT_TRUE(laws::same_bits(received, laws::poisoned(DType::kF32, {1, 1, 12})));
  EXPECT_EQ(message({.received = received.span(), .heads = {1}}), "");
}

/// Norms come with statistics, of inputs that census takes.
TEST(CensusRefusals, OfARunThatLeavesNoNorms) {
  laws::Case of{.queries = 10, .keys = 12, .dim = 4, .value_dim = 4};
  Tensor norms = laws::poisoned(DType::kF32, {1, 2, 10, 2});
  const auto message = [&](Problem problem, const laws::Draw& draw) {
    return laws::refusal([&] { Plan(problem).run({draw.q, draw.k, draw.v}, {.norms = norms.span()}); });
  };
  const laws::Draw draw(of);
  EXPECT_NE(message(draw.problem(), draw).find("Problem::statistics"), std::string::npos);
  of.dtype = DType::kF64;
  const laws::Draw wide(of);
  Problem problem = wide.problem();
  problem.statistics = true;
  EXPECT_NE(message(problem, wide).find("norms are for census, which works in float32"), std::string::npos);
}

}  // namespace
}  // namespace heed::walk
