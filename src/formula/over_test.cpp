// over(box): sound for random formulas on random boxes, step by step, against every place of the box; exact where it promises to be.
#include "formula/over.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "laws/support/random_formula.hpp"
#include "laws/support/second_evaluator.hpp"

namespace heed::formula {
namespace {

using symbols::k;
using symbols::q;
using symbols::s;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// "" when the interval covers the value, else what it misses.
std::string missed(const Step& step, const Interval& interval, const Value& value) {
  if (value.broken >= 0) return interval.valued() ? "no value, but valued" : "";
  if (step.type != Type::kReal) {
    const bool inside = interval.low <= value.integer && value.integer <= interval.high;
    return inside
               ? ""
               : std::to_string(value.integer) + " outside [" + std::to_string(interval.low) + ", " + std::to_string(interval.high) + "]";
  }
  if (std::isnan(value.real)) return interval.nan ? "" : "NaN, but nan is false";
  const bool inside = interval.real_low <= value.real && value.real <= interval.real_high;
  return inside ? ""
                : std::to_string(value.real) + " outside [" + std::to_string(interval.real_low) + ", " +
                      std::to_string(interval.real_high) + "]";
}

template <class Function>
void each_place(const Box& box, const std::vector<double>& scores, const Function& function) {
  const auto extent = [](const Range& range) { return range.last - range.first + 1; };
  for (std::int64_t i = 0; i < extent(box.q); ++i) {
    for (std::int64_t j = 0; j < extent(box.k); ++j) {
      for (std::int64_t b = box.b.first; b <= box.b.last; ++b) {
        for (std::int64_t h = box.h.first; h <= box.h.last; ++h) {
          for (const double at : scores)
            function(Place{.q = box.q.first + i, .k = box.k.first + j, .b = b, .h = h, .g = h / 2, .i = box.i.first + i, .s = at});
        }
      }
    }
  }
}

/// An interval for s, and numbers from it.
struct Scores {
  Interval interval;
  std::vector<double> drawn;
};

Scores draw_scores(std::mt19937_64& random) {
  const std::pair<double, double> ranges[] = {{-2, 3},       {0, 0},         {0.5, 0.75},   {-kInf, 0},
                                              {1e300, kInf}, {-0.0, 1e-310}, {-kInf, kInf}, {-700, 720}};
  const auto [low, high] = ranges[random() % std::size(ranges)];
  Scores scores{Interval::reals(low, high), {low, high}};
  const double a = std::max(low, -50.0), b = std::min(high, 50.0);
  if (a < b) scores.drawn.push_back(std::uniform_real_distribution(a, b)(random));
  if (low <= 0 && high >= 0) scores.drawn.push_back(0);
  scores.interval.nan = random() % 2;
  if (scores.interval.nan) scores.drawn.push_back(std::nan(""));
  return scores;
}

Box draw_box(std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  const auto range = [&](std::int64_t first, std::int64_t longest) { return Range{first, first + below(longest)}; };
  const std::int64_t origins[] = {0,    0,        -4,      below(60), -below(60), (std::int64_t{1} << 31) - 4, -(std::int64_t{1} << 53) - 3,
                                  kMin, kMax - 7, kMax / 2};
  const auto origin = [&] { return origins[random() % (random() % 4 ? 5 : std::size(origins))]; };
  Box box{.q = range(origin(), 8), .k = range(origin(), 8), .b = range(below(2), 2), .h = range(below(4), 2), .g = {}};
  box.g = {box.h.first / 2, box.h.last / 2};
  const std::int64_t row = below(60);
  box.i = {row, row + box.q.last - box.q.first};
  return box;
}

struct Data {
  Data() {
    for (std::int64_t i = 0; i < 40; ++i) document.data<std::int64_t>()[i] = i / 11;
    for (std::int64_t i = 0; i < 4 * 9; ++i) whole.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7 % 23 - 9);
    for (std::int64_t i = 0; i < 30; ++i)
      real.data<double>()[i] = i % 13 == 12 ? std::nan("") : i % 13 == 5 ? -kInf : 0.3 * static_cast<double>(i) - 4;
    for (std::int64_t i = 0; i < 2 * 3 * 5; ++i) bits.data<bool>()[i] = i % 3 == 0;
    const auto* const last = whole.data<std::int32_t>() + 35;
    tables = {{"document", document.view()}, {"whole", {last, DType::kI32, {4, 9}, {-9, -1}}},          {"real", real.view()},
              {"bits", bits.view()},         {"row", {whole.view().data, DType::kI32, {6, 9}, {0, 1}}}, {"none", none.view()},
              {"huge", huge.view()}};
    for (std::int64_t i = 0; i < 8; ++i) huge.data<std::int64_t>()[i] = i % 2 ? kMax - i : kMin + i / 2;
  }
  Tensor document{DType::kI64, {40}}, whole{DType::kI32, {4, 9}}, real{DType::kF64, {30}}, bits{DType::kBool, {2, 3, 5}},
      none{DType::kF32, {3, 0}}, huge{DType::kI64, {8}};
  Tables tables;
};

void expect_sound(const Formula& formula, const Box& box, const Scores& scores, const std::string& text) {
  const Over over(formula);
  const std::size_t count = formula.steps().size();
  std::vector<Interval> intervals(count);
  over.intervals(box, scores.interval, intervals);
  std::vector<Value> values(count);
  each_place(box, formula.depends() & kOnScore ? scores.drawn : std::vector<double>{0}, [&](const Place& place) {
    (void)formula.at(place, values);
    for (std::size_t i = 0; i <= static_cast<std::size_t>(formula.result()); ++i) {
      const std::string what = missed(formula.steps()[i], intervals[i], values[i]);
      if (what.empty()) continue;
      ADD_FAILURE() << text << "\n  step " << i << " (" << info(formula.steps()[i].op).text << ") " << what << " at q " << place.q << " k "
                    << place.k << " b " << place.b << " h " << place.h << " s " << place.s;
    }
  });
}

TEST(Over, SoundForEveryStepOfRandomScores) {
  const Data data;
  std::mt19937_64 random(7);
  for (std::uint64_t seed = 0; seed < 8000 && !testing::Test::HasFailure(); ++seed) {
    laws::RandomFormula formulas(seed, data.tables);
    const Expr expression = formulas.score(2 + static_cast<int>(seed % 3));
    const Formula formula = Formula::score(std::span(&expression, 1), data.tables);
    for (int i = 0; i < 3; ++i) expect_sound(formula, draw_box(random), draw_scores(random), to_text(expression));
  }
}

TEST(Over, SoundForRandomMasksAndVerdictsNeverWrong) {
  const Data data;
  std::mt19937_64 random(8);
  int verdicts[3] = {};
  for (std::uint64_t seed = 0; seed < 8000 && !testing::Test::HasFailure(); ++seed) {
    laws::RandomFormula formulas(seed, data.tables);
    const Expr expression = formulas.mask(2 + static_cast<int>(seed % 3));
    const Formula formula = Formula::mask(expression, data.tables);
    const Box box = draw_box(random);
    expect_sound(formula, box, {}, to_text(expression));
    const Verdict verdict = Over(formula).verdict(box);
    ++verdicts[static_cast<int>(verdict)];
    if (verdict == Verdict::kPartial) continue;
    each_place(box, {0}, [&](const Place& place) {
      const Value value = formula.at(place);
      EXPECT_LT(value.broken, 0) << to_text(expression);
      EXPECT_EQ(value.integer, verdict == Verdict::kFull) << to_text(expression);
    });
  }
  for (const int count : verdicts) EXPECT_GT(count, 800);  // all three are common
}

TEST(Over, DecidedLogicForgivesOnWholeBoxes) {
  const Data data;
  const Expr out = Table("document")[k + 1000] == 0;
  const auto verdict = [&](const Expr& mask) {
    const Formula formula = Formula::mask(mask, data.tables);
    return Over(formula).verdict({.q = {0, 7}, .k = {8, 15}, .b = {}, .h = {}, .g = {}});
  };
  EXPECT_EQ(verdict((k < 8) & out), Verdict::kEmpty);
  EXPECT_EQ(verdict(out & (k < 8)), Verdict::kEmpty);
  EXPECT_EQ(verdict((k >= 8) | out), Verdict::kFull);
  EXPECT_EQ(verdict(select(q < 8, k < 16, out)), Verdict::kFull);
  EXPECT_EQ(verdict(select(q < 7, k < 16, out)), Verdict::kPartial);
  EXPECT_EQ(verdict((k < 9) & out), Verdict::kPartial);
  EXPECT_EQ(verdict(out), Verdict::kPartial);
}

/// What brute force says of a mask on a box without broken places.
Verdict truth(const Formula& formula, const Box& box) {
  bool any = false, all = true;
  each_place(box, {0}, [&](const Place& place) {
    const bool seen = formula.at(place).integer != 0;
    any |= seen;
    all &= seen;
  });
  return all ? Verdict::kFull : any ? Verdict::kPartial : Verdict::kEmpty;
}

void expect_exact(const Expr& mask, const Tables& tables, std::int64_t positions) {
  const Formula formula = Formula::mask(mask, tables);
  const Over over(formula);
  for (std::int64_t q0 = 0; q0 + 8 <= positions; q0 += 3) {
    for (std::int64_t k0 = 0; k0 + 6 <= positions; ++k0) {
      const Box box{.q = {q0, q0 + 7}, .k = {k0, k0 + 5}, .b = {}, .h = {}, .g = {}};
      EXPECT_EQ(over.verdict(box), truth(formula, box)) << to_text(mask) << " q " << q0 << " k " << k0;
    }
  }
}

TEST(Over, VerdictsAreExactWhereEachSymbolStandsOnce) {
  Data data;
  const Table document("document");
  expect_exact(k <= q, {}, 40);
  expect_exact(q - k < 5, {}, 40);
  expect_exact(abs(q - k) <= 3, {}, 40);
  expect_exact(q * 3 < k * 2 + 17, {}, 40);
  expect_exact(-k > -(q / 4) * 3, {}, 40);
  expect_exact(document[q] <= document[k], data.tables, 40);
  expect_exact(document[q] + 1 < document[k], data.tables, 40);
  expect_exact(!(document[k] > 1), data.tables, 40);
}

TEST(Over, EmptyIsExactForDocumentsAndFullInsideOne) {
  const Data data;
  const Table document("document");
  const Formula formula = Formula::mask(document[q] == document[k], data.tables);
  const Over over(formula);
  for (std::int64_t q0 = 0; q0 < 36; ++q0) {
    for (std::int64_t k0 = 0; k0 < 36; ++k0) {
      const Box box{.q = {q0, q0 + 3}, .k = {k0, k0 + 3}, .b = {}, .h = {}, .g = {}};
      EXPECT_EQ(over.verdict(box) == Verdict::kEmpty, truth(formula, box) == Verdict::kEmpty);
      const auto inside = [](std::int64_t first) { return first / 11 == (first + 3) / 11; };
      if (inside(q0) && inside(k0)) {
        EXPECT_EQ(over.verdict(box), truth(formula, box));
      }
    }
  }
}

Interval interval_of(const Expr& expression, const Box& box, const Interval& score = Interval::any(Type::kReal),
                     const Tables& tables = {}) {
  const Formula formula = Formula::score(std::span(&expression, 1), tables);
  std::vector<Interval> steps(formula.steps().size());
  Over(formula).intervals(box, score, steps);
  const Step& last = formula.steps().back();
  return last.kind == Step::Kind::kToReal ? steps[static_cast<std::size_t>(last.args[0])] : steps.back();
}

void expect_integers(const Interval& interval, std::int64_t low, std::int64_t high, bool broken) {
  EXPECT_EQ(interval.low, low);
  EXPECT_EQ(interval.high, high);
  EXPECT_EQ(interval.broken, broken);
}

Box box_of(Range at_q, Range at_k) {
  return {.q = at_q, .k = at_k, .b = {}, .h = {}, .g = {}};
}

TEST(Over, TheEndsOfTheIntegersSaturateAndBreak) {
  expect_integers(interval_of(q * k, box_of({kMin, kMax}, {kMin, kMax})), kMin, kMax, true);
  expect_integers(interval_of(q * k, box_of({0, 3037000499}, {0, 3037000499})), 0, std::int64_t{3037000499} * 3037000499, false);
  expect_integers(interval_of(-q, box_of({kMin, -1}, {})), 1, kMax, true);
  expect_integers(interval_of(-q, box_of({kMin + 1, -1}, {})), 1, kMax, false);
  expect_integers(interval_of(abs(q), box_of({kMin, 3}, {})), 0, kMax, true);
  expect_integers(interval_of(abs(q), box_of({-7, -3}, {})), 3, 7, false);
  expect_integers(interval_of(q + k, box_of({kMax - 1, kMax}, {0, 1})), kMax - 1, kMax, true);
  expect_integers(interval_of(q - k, box_of({0, 5}, {kMin, -1})), 1, kMax, true);
  expect_integers(interval_of(q / k, box_of({kMin, kMin}, {-1, -1})), kMax, kMax, true);
}

TEST(Over, QuotientsAndRemainders) {
  expect_integers(interval_of(q / k, box_of({10, 20}, {2, 5})), 2, 10, false);
  expect_integers(interval_of(q / k, box_of({10, 20}, {-5, 3})), -20, 20, true);
  expect_integers(interval_of(q / k, box_of({-7, 7}, {-2, -2})), -4, 3, false);
  EXPECT_TRUE(interval_of(q / k, box_of({1, 2}, {0, 0})).broken);
  expect_integers(interval_of(q % k, box_of({10, 20}, {3, 5})), 0, 4, false);
  expect_integers(interval_of(q % k, box_of({10, 20}, {-5, -3})), -4, 0, false);
  expect_integers(interval_of(q % k, box_of({10, 20}, {-5, 4})), -4, 3, true);
  expect_integers(interval_of(q % 8, box_of({17, 21}, {})), 1, 5, false);  // within one period
  expect_integers(interval_of(q % -8, box_of({17, 21}, {})), -7, -3, false);
  expect_integers(interval_of(q % 8, box_of({17, 24}, {})), 0, 7, false);
  expect_integers(interval_of(q % k, box_of({3, 6}, {7, 100})), 3, 6, false);
}

TEST(Over, RealsAreBoundedByTheScore) {
  const Interval score = Interval::reals(-1, 2);
  const auto bounds = [&](const Expr& expression) { return interval_of(expression, box_of({1, 3}, {0, 4}), score); };
  const auto expect = [&](const Expr& expression, double low, double high, bool nan = false) {
    const Interval got = bounds(expression);
    EXPECT_NEAR(got.real_low, low, 1e-14) << to_text(expression);
    EXPECT_NEAR(got.real_high, high, 1e-14) << to_text(expression);
    EXPECT_EQ(got.nan, nan) << to_text(expression);
    EXPECT_FALSE(got.broken);
  };
  expect(s * q, -3, 6);
  expect(s / q, -1, 2);
  expect(30 * tanh(s / 30), 30 * std::tanh(-1.0 / 30), 30 * std::tanh(2.0 / 30));
  expect(abs(s), 0, 2);
  expect(min(s, 1.0) - max(s, 0.0), -3, 1);
  expect(select(k < 9, s, 1e9), -1, 2);
  expect(select(k < 2, s, 5.0), -1, 5);
  EXPECT_LE(bounds(30 * tanh(s * 1e6)).real_high, 30);
  EXPECT_TRUE(bounds(s / s).nan);
  EXPECT_TRUE(bounds(log(s)).nan);
  EXPECT_EQ(bounds(1 / (abs(s) + 1)).nan, false);
}

TEST(Over, ConditionsOfReals) {
  const auto verdict = [](const Expr& condition, const Interval& score) {
    const Interval got = interval_of(select(condition, 1, 0), box_of({}, {}), score);
    return got.low == got.high ? static_cast<int>(got.low) : -1;
  };
  Interval maybe = Interval::reals(1, 2);
  EXPECT_EQ(verdict(s > 0.5, maybe), 1);
  EXPECT_EQ(verdict(s < 0.5, maybe), 0);
  EXPECT_EQ(verdict(s != 0.5, maybe), 1);
  EXPECT_EQ(verdict(s == s, maybe), -1);
  maybe.nan = true;
  EXPECT_EQ(verdict(s > 0.5, maybe), -1);
  EXPECT_EQ(verdict(s < 0.5, maybe), 0);   // NaN too
  EXPECT_EQ(verdict(s != 0.5, maybe), 1);  // NaN too
  EXPECT_EQ(verdict(s == 0.5, maybe), 0);
  EXPECT_EQ(verdict(!(s > 0.5), maybe), -1);
}

TEST(Over, TellsWhatTheScoreBreaksFromWhatIsBrokenWithoutIt) {
  const auto of = [](const Expr& expression, Range at_k = {0, 9}) { return interval_of(expression, box_of({}, at_k)); };
  const auto expect = [&](const Expr& expression, bool broken, bool broken_by_score) {
    EXPECT_EQ(of(expression).broken, broken) << to_text(expression);
    EXPECT_EQ(of(expression).broken_by_score, broken_by_score) << to_text(expression);
  };
  expect(floor(1.0 / s), false, true);
  expect(10 / floor(s), false, true);
  expect(floor(s) * 3, false, true);
  expect(10 / (k - 5), true, false);
  expect(floor(s) + 10 / (k - 5), true, true);
  expect(10 / (k + 1), false, false);
  expect(floor(s) / (k - 5), false, true);  // an operation on s, though it is k that divides by zero
  expect(select(floor(s) > 1, 10 / (k - 5), 0), true, true);
  expect(select(k == 5, 0, 10 / (k - 5)), true, false);
  expect(select(k < 20, 0, floor(s) / (k - 5)), false, false);
  expect(select((k < 20) | (floor(s) > 1), 1, 0), false, false);
  EXPECT_FALSE(of(select(k == 5, 0, 10 / (k - 5)), {5, 5}).broken);
}

TEST(Over, ConditionsOnTheScoreStayOpenInTheProof) {
  const Data data;
  const Expr far = Table("real")[k];  // 30 entries
  const auto lacking = [&](const Expr& expression, std::int64_t at_k) {
    const Formula formula = Formula::score(std::span(&expression, 1), data.tables);
    const Over over(formula);
    std::vector<Value> values(formula.steps().size());
    const int step = over.broken_for_some_score(Place{.k = at_k}, values);
    EXPECT_EQ(over.broken_for_some_score(box_of({}, {at_k, at_k})).has_value(), step >= 0) << to_text(expression) << " at " << at_k;
    return step >= 0 ? formula.describe(step, values) : "";
  };
  const std::string missing = "lookup out of range: real[30] in a table of shape [30]";
  EXPECT_EQ(lacking(select(s > 0.5, far, s), 29), "");
  EXPECT_EQ(lacking(select(s > 0.5, far, s), 30), missing);
  EXPECT_EQ(lacking(select(s > 0.5, s, far), 30), missing);
  EXPECT_EQ(lacking(select(sigmoid(s) > 2.0, far, s), 30), missing);  // whatever bounds say
  EXPECT_EQ(lacking(select((s > 0.5) & (k < 30), far, s), 30), "");
  EXPECT_EQ(lacking(select((k < 30) & (far > s), 1.0, s), 30), "");
  EXPECT_EQ(lacking(select((s < 1.0) & (far > 0.0), 1.0, s), 30), missing);
  EXPECT_EQ(lacking(select((s >= 1.0) | (k >= 30), s, far), 30), "");
  EXPECT_EQ(lacking(select(floor(1.0 / s) > 2, s, select(k > 29, 0.0, far)), 30), "");
  EXPECT_EQ(lacking(s + floor(1.0 / s) / floor(s), 30), "");
  EXPECT_EQ(lacking(select(s > 1, select(k < 9, far, 10 / (k - 12)), s), 12), "integer division by zero in `/`");
  EXPECT_EQ(lacking(select(exp(k * 0.1) > 3.0, select(s > 0, k / (k - 10), 1), 2), 10), "");  // reals without s are exact at a place
}

TEST(Over, WhatIsBrokenForSomeScoreAgreesWithTheSecondEvaluator) {
  const Data data;
  std::mt19937_64 random(9);
  int lacking = 0, proved = 0;
  for (std::uint64_t seed = 0; seed < 6000 && !testing::Test::HasFailure(); ++seed) {
    laws::RandomFormula formulas(seed, data.tables);
    const Expr chain[] = {formulas.score(2 + static_cast<int>(seed % 3)), formulas.score(1)};
    const Formula formula = Formula::score(chain, data.tables);
    const Over over(formula);
    std::vector<Value> values(formula.steps().size());
    const Box box = draw_box(random);
    const bool proof = !over.broken_for_some_score(box).has_value();
    proved += proof;
    each_place(box, {0}, [&](const Place& place) {
      const bool expected =
          laws::second_opinion(chain, data.tables,
                               {.q = place.q, .k = place.k, .b = place.b, .h = place.h, .g = place.g, .i = place.i, .s = 0.3})
              .lacks;
      lacking += expected;
      EXPECT_EQ(over.broken_for_some_score(place, values) >= 0, expected) << to_text(chain[0]) << " then " << to_text(chain[1]);
      EXPECT_FALSE(proof && expected) << to_text(chain[0]) << " then " << to_text(chain[1]);
    });
  }
  EXPECT_GT(lacking, 10000);
  EXPECT_GT(proved, 1000);
}

TEST(Over, EmptyFormulasAndEmptyTables) {
  const Formula always = Formula::mask(Expr(), {});
  EXPECT_EQ(Over(always).verdict(box_of({0, 9}, {0, 9})), Verdict::kFull);
  const Interval score = Over(always).interval(box_of({0, 9}, {0, 9}), Interval::reals(-3, 4));
  EXPECT_EQ(score.real_low, -3);
  EXPECT_EQ(score.real_high, 4);
  const Data data;
  EXPECT_TRUE(interval_of(Table("none")(q, k), box_of({0, 2}, {0, 2}), {}, data.tables).broken);
}

template <class T>
void expect_bounds(const TensorView& view, const std::vector<T>& flat) {
  const Pyramid pyramid(view);
  ASSERT_TRUE(pyramid.known());
  std::mt19937_64 random(3);
  const auto count = static_cast<std::int64_t>(flat.size());
  for (int trial = 0; trial < 3000; ++trial) {
    const auto a = static_cast<std::int64_t>(random() % flat.size()), b = static_cast<std::int64_t>(random() % flat.size());
    const std::int64_t first = trial == 0 ? 0 : std::min(a, b), last = trial == 0 ? count - 1 : std::max(a, b);
    const auto [low, high] = std::minmax_element(flat.begin() + first, flat.begin() + last + 1);
    const Interval bounds = pyramid.bounds(first, last);
    EXPECT_EQ(view.dtype == DType::kF64 ? static_cast<T>(bounds.real_low) : static_cast<T>(bounds.low), *low) << first << " " << last;
    EXPECT_EQ(view.dtype == DType::kF64 ? static_cast<T>(bounds.real_high) : static_cast<T>(bounds.high), *high) << first << " " << last;
    EXPECT_FALSE(bounds.nan);
  }
}

TEST(Pyramid, BoundsOfAnyRangeRankAndStride) {
  std::mt19937_64 random(5);
  for (const std::int64_t count : {1, 15, 16, 17, 255, 256, 257, 5000}) {
    Tensor whole(DType::kI64, {count}), real(DType::kF64, {count});
    std::vector<std::int64_t> integers(static_cast<std::size_t>(count));
    std::vector<double> reals(integers.size());
    for (std::size_t i = 0; i < integers.size(); ++i) {
      whole.data<std::int64_t>()[i] = integers[i] = static_cast<std::int64_t>(random());
      real.data<double>()[i] = reals[i] = static_cast<double>(integers[i]) / 7;
    }
    expect_bounds(whole.view(), integers);
    expect_bounds(real.view(), reals);
    std::reverse(integers.begin(), integers.end());
    expect_bounds({whole.data<std::int64_t>() + count - 1, DType::kI64, {count}, {-1}}, integers);
    expect_bounds({whole.view().data, DType::kI64, {300}, {0}}, std::vector<std::int64_t>(300, integers.back()));
  }
  Tensor cube(DType::kI64, {5, 7, 9});
  std::vector<std::int64_t> transposed;
  for (std::int64_t i = 0; i < cube.count(); ++i) cube.data<std::int64_t>()[i] = static_cast<std::int64_t>(random() % 1000);
  for (std::int64_t i = 0; i < 9; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      for (std::int64_t l = 0; l < 7; ++l) transposed.push_back(cube.data<std::int64_t>()[j * 63 + l * 9 + i]);
    }
  }
  expect_bounds({cube.view().data, DType::kI64, {9, 5, 7}, {1, 63, 9}}, transposed);
}

TEST(Pyramid, NaNMeansAnything) {
  Tensor table(DType::kF32, {100});
  table.data<float>()[57] = std::nanf("");
  const Pyramid pyramid(table.view());
  EXPECT_FALSE(pyramid.bounds(0, 56).nan);
  EXPECT_TRUE(pyramid.bounds(3, 99).nan);
  EXPECT_EQ(pyramid.bounds(57, 57).real_low, -kInf);
  EXPECT_FALSE(pyramid.bounds(58, 99).nan);
}

TEST(Pyramid, TooLargeATableIsAnything) {
  const float one = 1;
  const TensorView broadcast(&one, DType::kF32, {Pyramid::kLimit + 1}, {0}), largest(&one, DType::kF32, {Pyramid::kLimit}, {0});
  EXPECT_FALSE(Pyramid(broadcast).known());
  EXPECT_EQ(Pyramid(broadcast).bounds(0, 5).real_high, kInf);
  EXPECT_TRUE(Pyramid(broadcast).bounds(0, 5).nan);
  EXPECT_EQ(Pyramid(largest).bounds(5, Pyramid::kLimit - 1).real_high, 1);
  const bool truth_value = true;
  const TensorView bits(&truth_value, DType::kBool, {Pyramid::kLimit + 1}, {0});
  const Formula formula = Formula::mask(Table("t")[q], {{"t", bits}});
  EXPECT_EQ(Over(formula).verdict(box_of({0, 5}, {})), Verdict::kPartial);
}

TEST(Over, BoxesOfManyRowsAreStillSound) {
  Tensor table(DType::kI32, {40, 40, 4});
  for (std::int64_t i = 0; i < table.count(); ++i) table.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  const Expr lookup = Table("t")(q, k, 3);
  const auto bounds = [&](Range at_q, Range at_k) { return interval_of(lookup, box_of(at_q, at_k), {}, {{"t", table.view()}}); };
  expect_integers(bounds({2, 17}, {3, 18}), 2 * 160 + 3 * 4 + 3, 17 * 160 + 18 * 4 + 3, false);  // 256 rows: exact
  const Interval wide = bounds({0, 39}, {0, 39});
  EXPECT_LE(wide.low, 3);
  EXPECT_GE(wide.high, 6399);
  EXPECT_FALSE(wide.broken);
  EXPECT_TRUE(bounds({0, 40}, {0, 3}).broken);
}

}  // namespace
}  // namespace heed::formula
