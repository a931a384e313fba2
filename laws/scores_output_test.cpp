// Scores as an output: scaled, altered and masked are what their names say, place by place, against Q K^T and formulas in double made
// here; asking for them changes no bit of anything else. Overlaps: in_place_test.cpp; NaN in hidden keys: poison_test.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include <heed/heed.hpp>

#include "formula/formula.hpp"
#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"

namespace heed::laws {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Every result that a plan gives which holds S x S matrices.
struct Whole {
  Tensor scores{}, o{}, lse{}, weights{};
};

Whole whole(const Draw& draw, const std::string& kernel, Scores wanted, int threads = 1) {
  Problem problem = draw.problem();
  problem.kernel = kernel;
  problem.threads = threads;
  problem.weights = true;
  problem.wanted_scores = wanted;
  const DType wide = problem.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const Dims square{problem.batch, problem.heads, problem.queries, problem.keys};
  Whole made{.o = poisoned(problem.dtype, {problem.batch, problem.heads, problem.queries, problem.value_dim}),
             .lse = poisoned(wide, {problem.batch, problem.heads, problem.queries}),
             .weights = poisoned(wide, square)};
  if (wanted != Scores::kNone) made.scores = poisoned(wide, square);
  Outputs outputs{.o = made.o.span(), .lse = made.lse.span(), .weights = made.weights.span()};
  if (wanted != Scores::kNone) outputs.scores = made.scores.span();
  Plan(problem).run({draw.q, draw.k, draw.v}, outputs);
  return made;
}

/// What a place should hold.
struct Should {
  double scaled = 0;  ///< exactly
  double sizes = 0;   ///< abs(scale) sum abs(q_c k_c): scaled is known to so much 2^-24
  formula::Place place;
  bool seen = false;
};

/// Calls check(index, should) for all places of a draw, in order.
void each_place(const Draw& draw, const std::function<void(std::int64_t, const Should&)>& check) {
  const Problem problem = draw.problem();
  const formula::Formula mask = formula::Formula::mask(problem.mask, problem.tables);
  const double scale = problem.scale.value_or(1 / std::sqrt(static_cast<double>(problem.dim)));
  const auto element = [](const TensorView& of, std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t c) {
    return real_at(of, b * of.strides[0] + h * of.strides[1] + t * of.strides[2] + c * of.strides[3]);
  };
  std::int64_t index = 0;
  for (std::int64_t b = 0; b < problem.batch; ++b) {
    for (std::int64_t h = 0; h < problem.heads; ++h) {
      const std::int64_t g = h / (problem.heads / problem.kv_heads);
      const std::int64_t offset = draw.of.align.kind == Align::Kind::kEnd     ? problem.keys - problem.queries
                                  : draw.of.align.kind == Align::Kind::kStart ? 0
                                                                              : draw.of.align.offsets[static_cast<std::size_t>(b)];
      for (std::int64_t i = 0; i < problem.queries; ++i) {
        for (std::int64_t j = 0; j < problem.keys; ++j) {
          Should should{.place = {.q = i + offset, .k = j, .b = b, .h = h, .g = g, .i = i}};
          for (std::int64_t c = 0; c < problem.dim; ++c) {
            const double product = element(draw.q, b, h, i, c) * element(draw.k, b, g, j, c);
            should.scaled += product;
            should.sizes += std::fabs(product * scale);
          }
          should.scaled *= scale;
          should.seen = mask.at(should.place).integer != 0;
          check(index++, should);
        }
      }
    }
  }
}

double altered(const formula::Formula& formula, formula::Place place, double s, DType dtype) {
  place.s = s;
  const formula::Value value = formula.at(place);
  if (value.broken >= 0) return std::nan("");
  return dtype == DType::kF64 ? value.real : static_cast<double>(static_cast<float>(value.real));
}

/// "" where both are the same number, infinity or NaN, or no further apart than allowed.
std::string apart(const char* what, const formula::Place& at, double found, double expected, double allowed) {
  if (found == expected || (std::isnan(found) && std::isnan(expected)) || std::fabs(found - expected) <= allowed) return "";
  return std::string(what) + " at b " + std::to_string(at.b) + " h " + std::to_string(at.h) + " i " + std::to_string(at.i) + " k " +
         std::to_string(at.k) + ": " + std::to_string(found) + ", not " + std::to_string(expected);
}

/// The definition has the scores of Q K^T in double; classic is judged step by step: its scaled scores by their rounding, its altered ones
/// by the rule of tile programs (DESIGN.md 1) from the scaled ones that it gave.
std::string violation(const Draw& draw, const std::string& kernel) {
  const Whole scaled = whole(draw, kernel, Scores::kScaled), after = whole(draw, kernel, Scores::kAltered),
              masked = whole(draw, kernel, Scores::kMasked), none = whole(draw, kernel, Scores::kNone);
  for (const Whole* each : {&scaled, &after, &masked}) {
    if (!same_bits(each->o, none.o) || !same_bits(each->lse, none.lse) || !same_bits(each->weights, none.weights))
      return "other outputs changed";
  }
  const Problem problem = draw.problem();
  const formula::Formula formula = formula::Formula::score(problem.scores, problem.tables);
  const bool definition = kernel == "reference";
  const double ulp = problem.dtype == DType::kF64 ? 0x1p-52 : 0x1p-24;
  std::string wrong;
  each_place(draw, [&](std::int64_t at, const Should& should) {
    if (!wrong.empty()) return;
    const double s = real_at(scaled.scores.view(), at), x = real_at(after.scores.view(), at), m = real_at(masked.scores.view(), at);
    const double allowed = definition ? ulp * std::fabs(should.scaled) : static_cast<double>(problem.dim + 2) * ulp * should.sizes;
    wrong += apart("scaled", should.place, s, should.scaled, allowed);
    const double from = definition ? should.scaled : s, exact = altered(formula, should.place, from, problem.dtype);
    wrong += apart("altered", should.place, x, exact,
                   definition ? ulp * std::fabs(exact) : 0x1p-20 * std::max({1.0, std::fabs(s), std::fabs(exact)}));
    wrong += apart("masked", should.place, m, should.seen ? x : -kInf, 0);
  });
  return wrong;
}

void expect_lawful(const Case& of) {
  const Draw draw(of);
  for (const char* kernel : {"classic", "reference"}) {
    if (of.dtype == DType::kF64 && kernel == std::string("classic")) continue;
    EXPECT_EQ(violation(draw, kernel), "") << kernel << ": " << of.text();
  }
}

TEST(ScoresOutput, EveryMaskWithEveryScoreDtypeAndMemory) {
  Case of{.batch = 2, .heads = 2, .kv_heads = 1, .queries = 66, .keys = 71, .dim = 12, .value_dim = 3};
  std::size_t turn = 0;
  for (Case one : sweep_of(of)) {
    if (++turn % 3 == 0) one.align = Align::start();
    expect_lawful(one);
  }
}

TEST(ScoresOutput, EveryShapeAndOffset) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const std::int64_t queries : {0, 1, 3, 64, 65}) {
      for (const std::int64_t keys : {0, 1, 63, 129}) {
        Case of{.batch = 2, .heads = 2, .kv_heads = 1, .queries = queries, .keys = keys, .dim = 5, .value_dim = 0, .dtype = dtype};
        of.mask = "causal & k % 7 != h";
        of.scores = {"s + 0.125 * (k - q) + i * 0.25 + b"};
        of.align = Align::at({3, 17});
        expect_lawful(of);
      }
    }
  }
}

/// However scores are large, and where heads are many.
TEST(ScoresOutput, LargeScoresAndGroups) {
  for (const double logits : {1e-3, 1e3, 1e30}) {
    Case of{.heads = 6, .kv_heads = 2, .queries = 9, .keys = 70, .dim = 64, .value_dim = 4, .mask = "window(20)"};
    of.logits = logits;
    expect_lawful(of);
  }
}

/// The weights are the softmax of the masked scores: one truth, twice written.
TEST(ScoresOutput, TheirSoftmaxIsTheWeights) {
  Case of{.batch = 2, .heads = 4, .kv_heads = 2, .queries = 70, .keys = 90, .dim = 16, .value_dim = 8, .mask = "causal & k % 5 != 2"};
  of.scores = {"softcap(4.0)", "alibi(slope)"};
  of.sink = true;
  const Draw draw(of);
  for (const char* kernel : {"classic", "reference"}) {
    const Whole made = whole(draw, kernel, Scores::kMasked);
    for (std::int64_t at = 0; at < made.scores.count(); ++at) {
      const double weight = std::exp(real_at(made.scores.view(), at) - real_at(made.lse.view(), at / of.keys));
      ASSERT_NEAR(real_at(made.weights.view(), at), weight, 2e-6) << kernel << " " << at;
    }
  }
}

TEST(ScoresOutput, SinksAndThreadsAreNotInThem) {
  Case of{.batch = 2, .heads = 4, .kv_heads = 2, .queries = 130, .keys = 90, .dim = 16, .value_dim = 8, .mask = "window(30)"};
  of.scores = {"alibi(slope)"};
  const Draw without(of);
  of.sink = true;
  const Draw with(of);
  for (const char* kernel : {"classic", "reference"}) {
    for (const Scores wanted : {Scores::kScaled, Scores::kAltered, Scores::kMasked}) {
      const Tensor scores = whole(without, kernel, wanted).scores;
      EXPECT_TRUE(same_bits(scores, whole(with, kernel, wanted).scores)) << kernel;
      EXPECT_TRUE(same_bits(scores, whole(without, kernel, wanted, 2).scores)) << kernel;
    }
  }
}

/// Hidden places where a lookup is out of range, a division by zero, an overflow: NaN there, exactly there, and no other harm; also where
/// it depends on the score which branch is taken.
TEST(ScoresOutput, HiddenPlacesWithoutAValueAreNaN) {
  const std::vector<float> ten{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
  const std::pair<const char*, const char*> formulas[] = {{"s + t[k]", "k < 10"},
                                                          {"select(s > 0.0, t[k] - 20.0, s)", "k < 10"},
                                                          {"select(k < 10, t[k], s)", "k < 20"},
                                                          {"s + t[k - q]", "k >= q & k < q + 10"},
                                                          {"s + 100 / (k - 70)", "k != 70"},
                                                          {"s + (9223372036854775807 - 40 + q)", "q < 40"},
                                                          {"s + floor(1.0 / s)", "k < 30"}};
  for (const auto& [score, mask] : formulas) {
    Case of{.heads = 2, .kv_heads = 1, .queries = 80, .keys = 80, .dim = 4, .value_dim = 4};
    Draw draw(of);
    for (Tensor* store : {&draw.q_store, &draw.k_store}) {
      for (std::int64_t at = 0; at < store->count(); ++at) store_real(store->span(), at, static_cast<double>(at * 7 % 5 - 2));
    }
    draw.tables["t"] = view(ten.data(), {10});
    draw.of.mask = mask;  // scores are small integers over 2: exact, whatever the order of sums
    draw.of.scores = {score};
    const formula::Formula formula = formula::Formula::score(draw.problem().scores, draw.tables);
    for (const char* kernel : {"classic", "reference"}) {
      EXPECT_EQ(violation(draw, kernel), "") << kernel << " " << score;
      const Tensor after = whole(draw, kernel, Scores::kAltered).scores;
      std::int64_t broken = 0, values = 0;
      each_place(draw, [&](std::int64_t at, const Should& should) {
        const bool nan = std::isnan(after.data<float>()[at]);
        EXPECT_EQ(nan, std::isnan(altered(formula, should.place, should.scaled, DType::kF32)));
        (nan ? broken : values) += !should.seen;
      });
      EXPECT_EQ(broken > 0, std::string(score) != "select(k < 10, t[k], s)") << kernel << " " << score;
      EXPECT_GT(values + broken, 0);
    }
  }
}

/// A similarity of finite numbers beyond f32: NaN at its place, where it is not hidden, and at no other.
TEST(ScoresOutput, BeyondFloat32) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 70, .keys = 70, .dim = 4, .value_dim = 4, .dtype = dtype, .mask = "k != 5"};
    Draw draw(of);
    for (const std::int64_t row : {std::int64_t{3}, std::int64_t{68}}) {
      for (std::int64_t c = 0; c < 4; ++c) store_real(draw.q_store.span(), row * 4 + c, 1e25);
    }
    for (const std::int64_t key : {std::int64_t{5}, std::int64_t{66}}) {
      for (std::int64_t c = 0; c < 4; ++c) store_real(draw.k_store.span(), key * 4 + c, 1e20);
    }
    for (const char* kernel : {"classic", "reference"}) {
      const Tensor scaled = whole(draw, kernel, Scores::kScaled).scores, after = whole(draw, kernel, Scores::kAltered).scores,
                   masked = whole(draw, kernel, Scores::kMasked).scores;
      each_place(draw, [&](std::int64_t at, const Should& should) {
        const bool beyond = (should.place.i == 3 || should.place.i == 68) && (should.place.k == 5 || should.place.k == 66);
        EXPECT_EQ(std::isnan(scaled.data<float>()[at]), beyond) << kernel << at;
        EXPECT_EQ(std::isnan(after.data<float>()[at]), beyond) << kernel << at;
        EXPECT_EQ(std::isnan(masked.data<float>()[at]), beyond && should.seen) << kernel << at;
        EXPECT_EQ(masked.data<float>()[at] == -kInf, !should.seen) << kernel << at;
      });
    }
  }
}

/// Any strides: [B, Tq, H, Tk] with room between, and backwards along the keys; what lies between is not written.
TEST(ScoresOutput, AnyStrides) {
  Case of{.batch = 2, .heads = 3, .kv_heads = 1, .queries = 66, .keys = 70, .dim = 8, .value_dim = 4, .mask = "causal"};
  of.scores = {"alibi(slope)"};
  const Draw draw(of);
  const Dims shape{2, 3, 66, 70};
  for (const char* kernel : {"classic", "reference"}) {
    for (const Scores wanted : {Scores::kScaled, Scores::kAltered, Scores::kMasked}) {
      const Tensor plain = whole(draw, kernel, wanted).scores;
      Problem problem = draw.problem();
      problem.kernel = kernel;
      problem.wanted_scores = wanted;
      const std::int64_t row = 2 * 70 + 1;
      Tensor store = poisoned(DType::kF32, {2 * 66 * 3 * row});
      const TensorSpan wide(store.data<float>() + 2 * 69, DType::kF32, shape, {66 * 3 * row, row, 3 * row, -2});
      Plan(problem).run({draw.q, draw.k, draw.v}, {.scores = wide});
      EXPECT_TRUE(same_bits(converted(wide, DType::kF32), plain)) << kernel;
      std::int64_t written = 0;
      for (std::int64_t at = 0; at < store.count(); ++at) written += reinterpret_cast<const std::uint32_t*>(store.data<float>())[at] != ~0U;
      EXPECT_EQ(written, plain.count()) << kernel;
    }
  }
}

TEST(ScoresOutput, Refusals) {
  Problem problem{.heads = 2, .kv_heads = 2, .queries = 4, .keys = 5, .dim = 8, .value_dim = 8};
  const Tensor q(DType::kF32, {1, 2, 4, 8}), k(DType::kF32, {1, 2, 5, 8});
  const auto message = [&](const TensorSpan& scores) {
    return refusal([&] { Plan(problem).run({q.view(), k.view(), k.view()}, {.scores = scores}); });
  };
  Tensor right = poisoned(DType::kF32, {1, 2, 4, 5}), wrong(DType::kF32, {1, 2, 5, 4}), narrow(DType::kBF16, {1, 2, 4, 5});
  EXPECT_NE(message(right.span()).find("scores are wanted but not planned"), std::string::npos);
  EXPECT_NE(message(right.span()).find("Problem::wanted_scores"), std::string::npos);
  problem.wanted_scores = Scores::kAltered;
  EXPECT_NE(message(wrong.span()).find("tensor scores: wrong shape; expected [1, 2, 4, 5]; found [1, 2, 5, 4]"), std::string::npos);
  EXPECT_NE(message(narrow.span()).find("tensor scores: wrong element type"), std::string::npos);
  EXPECT_TRUE(same_bits(right, poisoned(DType::kF32, {1, 2, 4, 5})));
  EXPECT_EQ(message(right.span()), "");
  EXPECT_EQ(Plan(problem).kernel(), "classic");
  for (const std::string& kernel : kernels()) {
    if (kernel == "classic" || kernel == "reference") continue;
    problem.kernel = kernel;
    EXPECT_NE(message(right.span()).find("never holds the S x S scores that are wanted"), std::string::npos) << kernel;
  }
  problem.kernel.clear();
  problem.strict = true;
  EXPECT_NE(message(right.span()).find("no kernel accepts"), std::string::npos);
}

}  // namespace
}  // namespace heed::laws
