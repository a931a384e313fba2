// Poison: NaN and Inf in K and V behind the mask never reach a result, also where only some rows of a tile are shielded; a NaN or +Inf
// in a visible place makes its own row NaN and no other.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "laws/support/case.hpp"
#include "plan/choice.hpp"

namespace heed::laws {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Which keys some query sees, and whether every query of the head sees them, by the definition.
bool hidden_from_all(const problem::Question& question, std::int64_t key) {
  for (std::int64_t h = 0; h < question.layout.heads; ++h) {
    for (std::int64_t i = 0; i < question.layout.queries; ++i) {
      if (question.formulas.mask
              .at({.q = question.layout.query_position(0, i), .k = key, .b = 0, .h = h, .g = question.layout.kv_head(h), .i = i})
              .integer)
        return false;
    }
  }
  return true;
}

TEST(Poison, KeysHiddenFromAllChangeNothing) {
  for (const char* mask : {"lengths(length[b])", "k % 3 != 1 & causal", "window(5) & k != 40", "streaming(2, 9) & k > 1"}) {
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
      Case of{.queries = 80, .keys = 80, .dim = 16, .value_dim = 16, .dtype = dtype, .mask = mask, .scores = {"alibi(slope)"}};
      const Draw clean(of);
      Draw dirty(of);
      const Plan plan(clean.problem());
      std::int64_t poisoned_keys = 0;
      for (std::int64_t j = 0; j < of.keys; ++j) {
        if (!hidden_from_all(inside(plan).question, j)) continue;
        ++poisoned_keys;
        for (std::int64_t g = 0; g < of.kv_heads; ++g) {
          for (std::int64_t c = 0; c < 16; ++c) {
            store_real(dirty.k_store.span(), (g * of.keys + j) * 16 + c, c % 2 ? std::nan("") : kInf);
            store_real(dirty.v_store.span(), (g * of.keys + j) * 16 + c, c % 3 ? std::nan("") : -kInf);
          }
        }
      }
      ASSERT_GT(poisoned_keys, 0) << mask;
      for (const std::string& kernel : kernels(dtype)) {
        EXPECT_TRUE(same_bits(run(clean, kernel).o, run(dirty, kernel).o)) << kernel << ": " << of.text();
        EXPECT_TRUE(same_bits(run(clean, kernel).lse, run(dirty, kernel).lse)) << kernel << ": " << of.text();
      }
    }
  }
}

/// Masked scores know nothing of hidden keys; scaled and altered ones, which are asked for hidden places too, at these alone.
TEST(Poison, ScoresOfOtherKeysStay) {
  Case of{.heads = 2, .kv_heads = 1, .queries = 80, .keys = 80, .dim = 16, .value_dim = 16, .mask = "k % 3 != 1 & causal"};
  of.scores = {"alibi(slope)"};
  const Draw clean(of);
  Draw dirty(of);
  for (std::int64_t at = 0; at < dirty.k_store.count(); ++at) {
    if (at / 16 % 3 == 1) store_real(dirty.k_store.span(), at, at % 2 ? std::nan("") : kInf);
  }
  for (const char* kernel : {"classic", "reference"}) {
    for (const Scores wanted : {Scores::kScaled, Scores::kAltered, Scores::kMasked}) {
      const auto scores = [&](const Draw& draw) {
        Problem problem = draw.problem();
        problem.kernel = kernel;
        problem.wanted_scores = wanted;
        Tensor made = poisoned(DType::kF32, {1, 2, 80, 80});
        Plan(problem).run({draw.q, draw.k, draw.v}, {.scores = made.span()});
        return made;
      };
      const Tensor before = scores(clean), after = scores(dirty);
      for (std::int64_t at = 0; at < before.count(); ++at) {
        if (at % 80 % 3 == 1 && wanted != Scores::kMasked)
          ASSERT_TRUE(std::isnan(after.data<float>()[at])) << kernel << " " << at;
        else
          ASSERT_EQ(after.data<float>()[at], before.data<float>()[at]) << kernel << " " << at;
      }
    }
  }
}

TEST(Poison, AKeyThatOnlySomeRowsSeeHurtsThoseRowsAlone) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 100, .keys = 100, .dim = 16, .value_dim = 16, .dtype = dtype, .mask = "causal"};
    const Draw clean(of);
    const Result before = run(clean, kernel);
    for (const std::int64_t key : {30, 64, 99}) {
      Draw dirty(of);
      for (std::int64_t c = 0; c < 16; ++c) store_real(dirty.v_store.span(), key * 16 + c, std::nan(""));
      const Result after = run(dirty, kernel);
      for (std::int64_t i = 0; i < 100; ++i) {
        for (std::int64_t c = 0; c < 16; ++c) {
          const double value = real_at(after.o.view(), i * 16 + c);
          if (i >= key)
            ASSERT_TRUE(std::isnan(value)) << kernel << " row " << i << " sees NaN at " << key;
          else
            ASSERT_EQ(value, real_at(before.o.view(), i * 16 + c)) << kernel << " row " << i << " does not see " << key;
        }
      }
    }
  }
}

TEST(Poison, AScoreOfMinusInfinityHidesValuesToo) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 70, .keys = 70, .dim = 8, .value_dim = 8, .dtype = dtype};
    of.scores = {"select(k == 33, -inf, s)"};
    const Draw clean(of);
    Draw dirty(of);
    for (std::int64_t c = 0; c < 8; ++c) store_real(dirty.v_store.span(), 33 * 8 + c, std::nan(""));
    const Result before = run(clean, kernel), after = run(dirty, kernel);
    EXPECT_TRUE(same_bits(before.o, after.o)) << kernel;
    EXPECT_FALSE(std::isnan(real_at(after.o.view(), 0))) << kernel;
  }
}

TEST(Poison, BadQueriesHurtTheirRowAlone) {
  for (const double bad : {std::nan(""), kInf}) {
    for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
      Case of{.heads = 1, .kv_heads = 1, .queries = 70, .keys = 70, .dim = 8, .value_dim = 8, .dtype = dtype};
      const Draw clean(of);
      Draw dirty(of);
      store_real(dirty.q_store.span(), 20 * 8 + 3, bad);
      const Result before = run(clean, kernel), after = run(dirty, kernel);
      for (std::int64_t i = 0; i < 70; ++i) {
        const double value = real_at(after.o.view(), i * 8);
        if (i == 20)
          EXPECT_TRUE(std::isnan(value)) << kernel;
        else
          EXPECT_EQ(value, real_at(before.o.view(), i * 8)) << kernel << " row " << i;
      }
    }
  }
}

}  // namespace
}  // namespace heed::laws
