// modify and see: thousands of random formulas on whole tiles against Formula::at at each place, with every instruction set, at positions
// up to 2^40, contiguous or not.
//
// Masks must agree bit for bit. Scores must keep the rule of docs/formula.md: with x the formula in double of the score s as stored,
// within 2^-20 max(1, |s|, |x|) for |s| <= 2^24, and finite wherever x is within float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "base/instruction_sets.hpp"
#include "formula/modify.hpp"
#include "laws/support/random_formula.hpp"

namespace heed::formula {
namespace {

using symbols::h;
using symbols::k;
using symbols::q;
using symbols::s;

struct Data {
  Data() {
    for (std::int64_t i = 0; i < 70; ++i) document.data<std::int64_t>()[i] = i / 11;
    for (std::int64_t i = 0; i < 4 * 90; ++i) whole.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7 % 23 - 9);
    for (std::int64_t i = 0; i < 50 * 40; ++i)
      real.data<float>()[i] = i % 13 == 12 ? std::nanf("") : i % 17 == 5 ? -HUGE_VALF : 0.3F * static_cast<float>(i % 41) - 4;
    for (std::int64_t i = 0; i < 2 * 30 * 50; ++i) bits.data<bool>()[i] = i % 3 == 0;
    for (std::int64_t i = 0; i < 60; ++i) small.data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37);
    for (std::int64_t i = 0; i < 60; ++i) half.data<bf16>()[i] = {static_cast<std::uint16_t>(0x3F00 + i)};
    tables = {{"document", document.view()}, {"whole", {whole.data<std::int32_t>() + 359, DType::kI32, {4, 90}, {-90, -1}}},
              {"real", real.view()},         {"bits", bits.view()},
              {"small", small.view()},       {"half", half.view()},
              {"none", none.view()},         {"row", {whole.view().data, DType::kI32, {80, 90}, {0, 1}}}};
  }
  Tensor document{DType::kI64, {70}}, whole{DType::kI32, {4, 90}}, real{DType::kF32, {50, 40}}, bits{DType::kBool, {2, 30, 50}},
      small{DType::kI8, {60}}, half{DType::kBF16, {60}}, none{DType::kF32, {0, 3}};
  Tables tables;
};

/// Where the queries and keys of a tile stand.
struct Positions {
  std::vector<std::int64_t> q, rows, k;  ///< rows of the queries in their tensor
  static Positions near(std::mt19937_64& random, std::int64_t first) {
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
    Positions result;
    result.q.resize(1 + random() % 64);
    result.rows.resize(result.q.size());
    result.k.resize(1 + random() % 64);
    const std::int64_t q0 = first + below(40) - 8, k0 = first + below(40);
    const std::int64_t i0 = below(20);
    for (std::size_t i = 0; i < result.q.size(); ++i) {
      result.q[i] = q0 + static_cast<std::int64_t>(i);
      result.rows[i] = i0 + static_cast<std::int64_t>(i);
    }
    for (std::size_t j = 0; j < result.k.size(); ++j) result.k[j] = k0 + static_cast<std::int64_t>(j);
    return result;
  }
  void shuffle(std::mt19937_64& random) {
    for (auto* line : {&q, &k}) {
      for (std::size_t i = line->size(); i-- > 1;) std::swap((*line)[i], (*line)[random() % (i + 1)]);
    }
  }
};

/// A formula on one tile, with the definition's answer at every place.
struct Tile {
  Tile(Formula given, std::mt19937_64& random, Positions where, formula::Scores held = formula::Scores::kFloat)
      : formula(std::move(given)), over(formula), at(std::move(where)) {
    keys = static_cast<int>(at.k.size());
    lanes = static_cast<int>(at.q.size());
    b = static_cast<std::int64_t>(random() % 2);
    h = static_cast<std::int64_t>(random() % 4);
    const auto [q0, q1] = std::minmax_element(at.q.begin(), at.q.end());
    const auto [k0, k1] = std::minmax_element(at.k.begin(), at.k.end());
    const Box everything{.q = {*q0, *q1 + (random() % 2 ? 100 : 0)},
                         .k = {*k0, *k1},
                         .b = {0, 1},
                         .h = {0, 3},
                         .g = {0, 1},
                         .i = {at.rows.front(), at.rows.back()}};
    program = TileProgram(formula, over, everything, held);
    store.resize(formula::TileFrame::bytes(program) + 64);
    const auto address = reinterpret_cast<std::uintptr_t>(store.data());
    frame = formula::TileFrame(program, store.data() + (64 - address % 64) % 64);
    bind();
    draw_scores(random);
  }
  Tile(Formula given, std::mt19937_64& random) : Tile(std::move(given), random, Positions::near(random, 0)) {}
  Tile(const Tile&) = delete;

  void bind() {
    frame.bind_head(b, h, h / 2);
    frame.bind_queries(at.q, at.rows);
    frame.bind_keys(at.k);
  }

  [[nodiscard]] std::vector<float> modified(const std::vector<float>& from) const {
    std::vector<float> got = from;
    formula::modify(frame, keys, lanes, got.data());
    return got;
  }

  /// Of every size up to 2^24, and special ones.
  void draw_scores(std::mt19937_64& random) {
    std::normal_distribution<float> normal(0, 3);
    for (float& score : scores) {
      score = normal(random);
      if (random() % 2) score = std::ldexp(score / 12, static_cast<int>(random() % 45) - 20);
    }
    for (const float special :
         {0.0F, -0.0F, HUGE_VALF, -HUGE_VALF, std::nanf(""), 1e-40F, 88.8F, -87.4F, 1e30F, -1e30F, 3e38F, 1.0F, -0.5F, 0x1p24F, -0x1p24F}) {
      for (int i = 0; i < 10; ++i) scores[random() % scores.size()] = special;
    }
  }

  template <class Function>
  void each_place(const Function& function) {
    std::vector<Value> values(formula.steps().size());
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < lanes; ++i) {
        const auto element = static_cast<std::size_t>(j * kTile + i);
        const formula::Place place{.q = at.q[static_cast<std::size_t>(i)],
                                   .k = at.k[static_cast<std::size_t>(j)],
                                   .b = b,
                                   .h = h,
                                   .g = h / 2,
                                   .i = at.rows[static_cast<std::size_t>(i)],
                                   .s = static_cast<double>(scores[element])};
        function(element, formula.at(place, values));
      }
    }
  }

  Formula formula;
  formula::Over over;
  TileProgram program;
  std::vector<std::byte> store;
  formula::TileFrame frame;
  Positions at;
  int keys = 0, lanes = 0;
  std::int64_t b = 0, h = 0;
  std::vector<float> scores = std::vector<float>(kTile * kTile);
};

/// Where tiles stand in turn: at the start, far away, and anywhere in no order.
Positions positions_for(std::uint64_t seed, std::mt19937_64& random) {
  Positions where = Positions::near(random, seed % 3 == 1 ? static_cast<std::int64_t>(random() >> (24 + random() % 40)) : 0);
  if (seed % 4 == 3) where.shuffle(random);
  return where;
}

TEST(See, RandomMasksAreTheDefinition) {
  const Data data;
  std::mt19937_64 random(1);
  int wide = 0, contiguous = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Expr mask = laws::RandomFormula(seed, data.tables).mask(2 + static_cast<int>(seed % 4));
    Tile tile(Formula::mask(mask, data.tables), random, positions_for(seed, random));
    const std::vector<formula::Instruction>& code = tile.frame.code().instructions;
    wide += std::any_of(code.begin(), code.end(), [](const formula::Instruction& instruction) { return instruction.wide; });
    contiguous += tile.frame.contiguous();
    std::vector<int> expected(kTile * kTile, -1);
    tile.each_place([&](std::size_t at, const Value& value) { expected[at] = value.broken >= 0 ? -1 : static_cast<int>(value.integer); });
    for (const std::string& set : base::runnable()) {
      base::pretend(set);
      std::vector<std::uint8_t> seen(kTile * kTile, 7);
      formula::see(tile.frame, tile.keys, tile.lanes, seen.data());
      for (std::size_t at = 0; at < seen.size(); ++at) {
        ASSERT_TRUE(expected[at] < 0 || seen[at] == expected[at])
            << to_text(mask) << "\n  seed " << seed << " " << set << " key " << at / kTile << " lane " << at % kTile;
      }
    }
  }
  base::pretend("");
  EXPECT_GT(wide, 250);
  EXPECT_GT(contiguous, 1200);
  EXPECT_LT(contiguous, 1700);
}

/// "" where the rule is kept.
std::string wrong(const Formula& formula, float score, const Value& x, float got) {
  constexpr double kMost = std::numeric_limits<float>::max();
  if (x.broken >= 0) {
    // What has no value whatever s is, the plan refuses.
    if (!(formula.steps()[static_cast<std::size_t>(x.broken)].depends & formula::kOnScore)) return "";
    return std::isnan(got) ? "" : "not NaN where there is no value";
  }
  if (!std::isfinite(score)) return "";
  if (std::isnan(x.real)) return std::isnan(got) ? "" : "not NaN";
  if (std::fabs(x.real) > kMost * (1 + 0x1p-24)) return static_cast<double>(got) == std::copysign(HUGE_VAL, x.real) ? "" : "not infinite";
  if (std::fabs(x.real) < kMost && !std::isfinite(got)) return "not finite";
  if (std::fabs(score) > 0x1p24F || std::fabs(x.real) >= kMost) return "";
  const double allowed = 0x1p-20 * std::max({1.0, std::fabs(static_cast<double>(score)), std::fabs(x.real)});
  return std::fabs(static_cast<double>(got) - x.real) <= allowed ? "" : "further than 2^-20";
}

/// Returns the share of places that have a value, or none because of s.
double expect_rule(Tile& tile, const std::string& name) {
  std::vector<Value> expected(kTile * kTile);
  int judged = 0;
  tile.each_place([&](std::size_t at, const Value& value) {
    expected[at] = value;
    judged += value.broken < 0 || tile.formula.steps()[static_cast<std::size_t>(value.broken)].depends & formula::kOnScore;
  });
  for (const std::string& set : base::runnable()) {
    base::pretend(set);
    const std::vector<float> got = tile.modified(tile.scores);
    for (std::size_t at = 0; at < got.size(); ++at) {
      const auto key = static_cast<int>(at / kTile), lane = static_cast<int>(at % kTile);
      if (key >= tile.keys || lane >= tile.lanes) continue;
      EXPECT_EQ(wrong(tile.formula, tile.scores[at], expected[at], got[at]), "")
          << name << "\n  " << set << " key " << key << " lane " << lane << " s " << tile.scores[at] << " gives " << got[at] << ", not "
          << expected[at].real << " (broken " << expected[at].broken << "), " << tile.program.wide_score();
      EXPECT_TRUE(!std::isnan(got[at]) || std::bit_cast<std::uint32_t>(got[at]) == 0x7FC00000U) << name << " " << set;
      if (testing::Test::HasFailure()) return 0;
    }
  }
  base::pretend("");
  return static_cast<double>(judged) / (tile.keys * tile.lanes);
}

TEST(Modify, RandomScoresKeepTheRule) {
  const Data data;
  std::mt19937_64 random(2);
  int narrow = 0, breaking = 0;
  double judged = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const Expr score = laws::RandomFormula(seed, data.tables).score(2 + static_cast<int>(seed % 4));
    Tile tile(Formula::score(std::span(&score, 1), data.tables), random, positions_for(seed, random));
    narrow += tile.program.wide_score().empty();
    breaking += tile.program.breaks();
    judged += expect_rule(tile, "seed " + std::to_string(seed) + " " + to_text(score));
    if (HasFailure()) return;
  }
  EXPECT_GT(narrow, 1000);
  EXPECT_GT(3000 - narrow, 600);
  EXPECT_GT(breaking, 200);
  EXPECT_GT(judged, 0.8 * 3000);
}

/// Where scores are held in double, every place has the bits of the definition.
TEST(Modify, ScoresInDoubleAreTheDefinition) {
  const Data data;
  std::mt19937_64 random(6);
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Expr score = laws::RandomFormula(seed, data.tables).score(2 + static_cast<int>(seed % 4));
    Tile tile(Formula::score(std::span(&score, 1), data.tables), random, positions_for(seed, random), formula::Scores::kDouble);
    std::vector<double> expected(kTile * kTile);
    std::vector<bool> judged(expected.size());
    tile.each_place([&](std::size_t at, const Value& value) {
      judged[at] = value.broken < 0 || tile.formula.steps()[static_cast<std::size_t>(value.broken)].depends & formula::kOnScore;
      expected[at] = value.broken < 0 ? value.real : std::nan("");
    });
    for (const std::string& set : base::runnable()) {
      base::pretend(set);
      std::vector<double> got(tile.scores.begin(), tile.scores.end());
      formula::modify(tile.frame, tile.keys, tile.lanes, got.data());
      for (std::size_t at = 0; at < got.size(); ++at) {
        if (!judged[at]) continue;
        const bool same = std::isnan(expected[at]) ? std::isnan(got[at]) : got[at] == expected[at];
        ASSERT_TRUE(same) << to_text(score) << "\n  seed " << seed << " " << set << " key " << at / kTile << " lane " << at % kTile << " s "
                          << tile.scores[at] << " gives " << got[at] << ", not " << expected[at];
      }
    }
  }
  base::pretend("");
}

TEST(Modify, WhatFloat32AloneGotWrong) {
  const Data data;
  std::mt19937_64 random(4);
  const Expr soft = log(1.0 + exp(0.1 * (q - k)));
  for (const Expr& score : {s + soft, s - 1e39 * select(k > q, 1, 0), s + 0.5 * k - 0.5 * q, s + 0.3 * q - 0.3 * k, s + floor(1.0 / s),
                            s * 1e30 * 1e30 / 1e60, select(s > 0.1, 1e6, s), s + 1.0 / (s - 0.1), (s + 1e7) - 1e7, exp(s * 0.7),
                            s + 10 / floor(s), select(floor(s) % 3 == 1, s, 2.0 * s), log(1.0 + exp(s)), s * 3e38 - s * 2e38,
                            s + select((floor(s) > 2) | (k > 5), 1, 0), s + floor(s * 1e15) * 1e-15}) {
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{1000000}, std::int64_t{1} << 40}) {
      for (const bool shuffled : {false, true}) {
        Positions where = Positions::near(random, first);
        where.q[0] += shuffled ? 12345 : 0;
        if (shuffled) where.shuffle(random);
        Tile tile(Formula::score(std::span(&score, 1), data.tables), random, where);
        tile.scores[0] = 0.1F;
        tile.scores[64] = 3e38F;
        tile.scores[1] = 0x1p24F;
        expect_rule(tile, to_text(score));
        if (HasFailure()) return;
      }
    }
  }
}

/// The same places bound in another order have the same bits: with diagonals or without, in whatever lane.
TEST(Modify, BitsDependOnThePlaceAlone) {
  const Data data;
  std::mt19937_64 random(5);
  std::vector<Expr> expressions{s + 0.3 * (k - q), s + log(1.0 + exp(0.1 * (q - k))), s + 0.5 * k - 0.5 * q,
                                3.0 * tanh((s + 0.1 * abs(q - k)) / 3.0)};
  for (std::uint64_t seed = 0; seed < 300; ++seed) expressions.push_back(laws::RandomFormula(seed, data.tables).score(3));
  for (const Expr& score : expressions) {
    const Formula formula = Formula::score(std::span(&score, 1), data.tables);
    Tile tile(formula, random);
    const std::vector<float> before = tile.scores, straight = tile.modified(before);
    const Positions places = tile.at;
    // Reversed queries: no runs, so no diagonals. Other lanes get other scores, some beyond what was proved.
    std::reverse(tile.at.q.begin(), tile.at.q.end());
    std::reverse(tile.at.rows.begin(), tile.at.rows.end());
    tile.bind();
    ASSERT_TRUE(tile.lanes == 1 || !tile.frame.contiguous());
    std::vector<float> turned(kTile * kTile, 0.0F);
    for (int j = 0; j < tile.keys; ++j) {
      for (int i = 0; i < tile.lanes; ++i) {
        const int to = tile.lanes - 1 - i;
        turned[static_cast<std::size_t>(j * kTile + to)] = (i + j) % 3 ? before[static_cast<std::size_t>(j * kTile + i)]
                                                           : i % 2     ? 3e38F
                                                                       : -1e30F;
      }
    }
    const std::vector<float> back = tile.modified(turned);
    for (int j = 0; j < tile.keys; ++j) {
      for (int i = 0; i < tile.lanes; ++i) {
        if ((i + j) % 3 == 0) continue;
        const float one = straight[static_cast<std::size_t>(j * kTile + i)],
                    other = back[static_cast<std::size_t>(j * kTile + tile.lanes - 1 - i)];
        const formula::Value value = formula.at({.q = places.q[static_cast<std::size_t>(i)],
                                                 .k = places.k[static_cast<std::size_t>(j)],
                                                 .b = tile.b,
                                                 .h = tile.h,
                                                 .g = tile.h / 2,
                                                 .i = places.rows[static_cast<std::size_t>(i)],
                                                 .s = static_cast<double>(before[static_cast<std::size_t>(j * kTile + i)])});
        if (value.broken >= 0) continue;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(one), std::bit_cast<std::uint32_t>(other))
            << to_text(score) << " key " << j << " lane " << i;
      }
    }
  }
}

TEST(Modify, HiddenLookupsOutOfRangeAreHarmless) {
  Tensor table(DType::kF32, {8, 8});
  for (std::int64_t i = 0; i < 64; ++i) table.data<float>()[i] = static_cast<float>(i);
  const Tables tables{{"t", table.view()}, {"none", {nullptr, DType::kF64, {0, 8}}}};
  const Expr far = q * 1000 - k * 999;
  const Expr inside = select((q >= 0) & (q < 8) & (k < 8), Table("t")(q, k), -1.0);
  const Expr hollow = select(q > k + 1000, Table("none")(q - k, k), select(k < q - 5000, Table("none")(q, k), s));
  const Expr wide = select((far >= 0) & (far < 8), Table("t")(far, 3), s);
  std::mt19937_64 random(3);
  for (const Expr& score : {inside, hollow, wide}) {
    for (int trial = 0; trial < 20; ++trial) {
      Tile tile(Formula::score(std::span(&score, 1), tables), random);
      const std::vector<float> got = tile.modified(tile.scores);
      tile.each_place([&](std::size_t at, const Value& value) {
        ASSERT_LT(value.broken, 0);
        ASSERT_EQ(std::isnan(got[at]), std::isnan(value.real));
        if (!std::isnan(got[at])) {
          ASSERT_EQ(static_cast<double>(got[at]), value.real) << to_text(score);
        }
      });
    }
  }
}

template <class F>
void expect_hidden() {
  std::mt19937_64 random(5);
  std::normal_distribution<F> normal;
  for (const std::string& set : base::runnable()) {
    base::pretend(set);
    for (const int keys : {1, 5, 64}) {
      for (const int lanes : {1, 3, 16, 17, 33, 64}) {
        std::vector<F> before(static_cast<std::size_t>(keys * kTile));
        std::vector<std::uint8_t> seen(before.size());
        for (F& score : before) score = normal(random);
        for (std::uint8_t& bit : seen) bit = random() % 2;
        std::vector<F> hidden = before;
        hidden[0] = std::numeric_limits<F>::quiet_NaN();
        hide(seen.data(), keys, lanes, hidden.data());
        for (std::size_t at = 0; at < hidden.size(); ++at) {
          if (static_cast<int>(at % kTile) >= lanes) continue;
          if (!seen[at])
            EXPECT_EQ(hidden[at], -std::numeric_limits<F>::infinity()) << set;
          else if (at != 0)
            EXPECT_EQ(hidden[at], before[at]) << set;
          else
            EXPECT_TRUE(std::isnan(hidden[0])) << set;
        }
      }
    }
  }
  base::pretend("");
}

TEST(Hide, WritesMinusInfinityWhereNothingIsSeen) {
  expect_hidden<float>();
  expect_hidden<double>();
}

}  // namespace
}  // namespace heed::formula
