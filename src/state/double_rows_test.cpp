// The weighing and the tally of rows in double against the definition (softmax.hpp, tally.hpp) and plain loops, and the exp among them
// against libm's, for every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/instruction_sets.hpp"
#include "base/tile.hpp"
#include "laws/support/rows.hpp"
#include "state/softmax.hpp"
#include "state/tally.hpp"
#include "state/weighing.hpp"

namespace heed::state {
namespace {

using base::kTile;
using laws::at;
using laws::Doubles;
using laws::kSomeLanes;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

/// m and l of 64 rows.
struct State {
  State() : numbers(2 * kTile, kNaN) { kSoftmax.start(numbers.data(), nullptr); }
  double& m(int i) { return numbers[static_cast<std::size_t>(i)]; }
  double& l(int i) { return numbers[static_cast<std::size_t>(kTile + i)]; }
  static const DoubleWeighing& kSoftmax;
  Doubles numbers;
};
const DoubleWeighing& State::kSoftmax = in_double(softmax());

struct Tallies {
  Tallies() : m(kTile, kNothing), l(kTile), e(kTile), l2(kTile), n(kTile) {}
  DoubleTallyRows rows() { return {m.data(), l.data(), e.data(), l2.data(), n.data()}; }
  [[nodiscard]] TallyOf<double> row(int i) const {
    const auto lane = static_cast<std::size_t>(i);
    return {.m = m[lane], .l = l[lane], .e = e[lane], .l2 = l2[lane], .n = n[lane]};
  }
  Doubles m, l, e, l2;
  std::vector<std::int64_t> n;
};

class DoubleRow : public laws::RowTest<double> {
 protected:
  /// Rows that see nothing at first, nothing at all, a few huge ones.
  std::vector<std::pair<int, Doubles>> tiles() {
    std::vector<std::pair<int, Doubles>> all;
    std::normal_distribution<double> normal(0, 10);
    for (const int keys : {5, 64, 1, 64}) {
      Doubles s(static_cast<std::size_t>(keys * kTile));
      for (std::size_t place = 0; place < s.size(); ++place) {
        const std::size_t lane = place % kTile;
        const bool nothing = lane % 7 == 3 || (all.empty() && lane % 3 == 1);
        s[place] = nothing || random_() % 3 == 0 ? kNothing : lane % 11 == 5 ? 1e5 * normal(random_) : normal(random_);
      }
      all.emplace_back(keys, std::move(s));
    }
    return all;
  }
};

TEST_P(DoubleRow, AbsorbIsTheOnlineSoftmax) {
  const auto all = tiles();
  for (const int lanes : kSomeLanes) {
    State state;
    std::vector<SoftmaxState> truth(static_cast<std::size_t>(lanes));
    for (const auto& [keys, scores] : all) {
      Doubles s = scores, rescale(kTile, kNaN);
      State before = state;
      State::kSoftmax.absorb(s.data(), keys, lanes, state.numbers.data(), rescale.data());
      for (int i = 0; i < lanes; ++i) {
        const auto lane = static_cast<std::size_t>(i);
        SoftmaxState& row = truth[lane];
        for (int j = 0; j < keys; ++j) row.absorb(scores[at(j, i)], [](std::size_t) { return 0.0; });
        EXPECT_EQ(state.m(i), row.m);
        EXPECT_NEAR(state.l(i), row.l, 0x1p-46 * row.l);
        EXPECT_NEAR(rescale[lane], before.m(i) == row.m ? 1 : std::exp(before.m(i) - row.m), 0x1p-52);
        for (int j = 0; j < keys; ++j) {
          const double p = scores[at(j, i)] == kNothing ? 0 : std::exp(scores[at(j, i)] - row.m);
          ASSERT_NEAR(s[at(j, i)], p, 0x1p-52 * p + 0x1p-1022);
        }
      }
    }
  }
}

TEST_P(DoubleRow, NaNAndPlusInfinityMakeTheirRowNaN) {
  for (const double bad : {kNaN, kInf}) {
    for (int when = 0; when < 3; ++when) {
      State state;
      for (int step = 0; step < 3; ++step) {
        Doubles s(5 * kTile, -1), rescale(kTile);
        if (step == when) s[at(2, 17)] = bad;
        State::kSoftmax.absorb(s.data(), 5, 64, state.numbers.data(), rescale.data());
      }
      for (int i = 0; i < kTile; ++i) EXPECT_EQ(std::isnan(state.l(i)), i == 17) << bad << " in tile " << when;
    }
  }
}

/// exp(x) for x <= 0 as absorb computes it: within a unit in the last place of libm's, denormal numbers among them: a key that is
/// seen has a weight.
TEST_P(DoubleRow, ExpIsWithinAUnitInTheLastPlace) {
  std::uniform_real_distribution<double> size(-12, 9.468);  // exponents of two: down to -708
  double worst = 0, where = 0;
  for (int round = 0; round < 200; ++round) {
    Doubles s(kTile * kTile), state(2 * kTile, 0), rescale(kTile);
    for (double& x : s) x = -std::exp2(size(random_));
    for (int i = 0; i < 40; ++i) s[static_cast<std::size_t>(i)] = std::nextafter(-std::log(2.0) / 2 * (2 * i + 1), i % 2 ? -kInf : kInf);
    const Doubles x = s;
    State::kSoftmax.absorb(s.data(), kTile, kTile, state.data(), rescale.data());
    for (std::size_t i = 0; i < s.size(); ++i) {
      const double truth = std::exp(x[i]);
      const double error = std::fabs(s[i] - truth) / std::ldexp(1.0, std::ilogb(truth) - 52);
      if (error > worst) {
        worst = error;
        where = x[i];
      }
    }
  }
  EXPECT_LE(worst, 1) << where;
  Doubles s(kTile * kTile, -0.0), state(2 * kTile, 0), rescale(kTile);
  const double specials[] = {0, -kInf, kNaN, -708.396, -708.397, -745.13, -1e300, -1e-300, -std::numeric_limits<double>::max()};
  std::copy(std::begin(specials), std::end(specials), s.begin());
  State::kSoftmax.absorb(s.data(), 1, kTile, state.data(), rescale.data());
  EXPECT_EQ(s[0], 1);
  EXPECT_EQ(s[1], 0);
  EXPECT_TRUE(std::isnan(s[2]));
  EXPECT_NEAR(s[3], std::exp(-708.396), 0x1p-1073);
  EXPECT_NEAR(s[4], std::exp(-708.397), 0x1p-1073);
  EXPECT_EQ(s[5], 0x1p-1074);
  for (const std::size_t beyond : {6U, 8U}) EXPECT_EQ(s[beyond], 0) << specials[beyond];
  EXPECT_EQ(s[7], 1);
}

TEST_P(DoubleRow, TallyIsTheDirectFormula) {
  const auto all = tiles();
  for (const int lanes : kSomeLanes) {
    Tallies tallies;
    for (const auto& [keys, s] : all) tally(s.data(), keys, lanes, tallies.rows());
    for (int i = 0; i < lanes; ++i) {
      TallyOf<double> expected;
      const auto each = [&](const auto& function) {
        for (const auto& [keys, s] : all) {
          for (int j = 0; j < keys; ++j) {
            if (s[at(j, i)] != kNothing) function(s[at(j, i)]);
          }
        }
      };
      each([&](double score) { expected.m = std::max(expected.m, score); });
      each([&](double score) {
        const double p = std::exp(score - expected.m);
        expected.l += p;
        if (p > 0) expected.e += p * (score - expected.m);
        expected.l2 += p * p;
        ++expected.n;
      });
      const TallyOf<double> row = tallies.row(i);
      EXPECT_EQ(row.m, expected.m);
      EXPECT_EQ(row.n, expected.n);
      EXPECT_NEAR(row.l, expected.l, 0x1p-45 * expected.l);
      EXPECT_NEAR(row.e, expected.e, 0x1p-45 * (expected.l - expected.e));
      EXPECT_NEAR(row.l2, expected.l2, 0x1p-45 * expected.l2);
    }
  }
}

TEST_P(DoubleRow, MergeOfTwoStates) {
  std::normal_distribution<double> normal;
  State state, part;
  for (int i = 0; i < kTile; ++i) {
    state.m(i) = i % 5 == 0 ? kNothing : 20 * normal(random_);
    part.m(i) = i % 7 == 0 ? kNothing : 20 * normal(random_);
    state.l(i) = i % 5 == 0 ? 0 : 1 + std::fabs(normal(random_));
    part.l(i) = i % 7 == 0 ? 0 : 1 + std::fabs(normal(random_));
  }
  State before = state;
  Doubles a(kTile), b(kTile);
  State::kSoftmax.merge(state.numbers.data(), part.numbers.data(), 50, a.data(), b.data());
  for (int i = 0; i < 50; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    const double m = std::max(before.m(i), part.m(i));
    EXPECT_EQ(state.m(i), m);
    if (part.m(i) == kNothing) {
      EXPECT_EQ(state.l(i), before.l(i));
      EXPECT_EQ(a[lane], 1);
      EXPECT_EQ(b[lane], 0);
      continue;
    }
    EXPECT_NEAR(a[lane], SoftmaxState::weight(before.m(i), m), 0x1p-52);
    EXPECT_NEAR(b[lane], SoftmaxState::weight(part.m(i), m), 0x1p-52);
    EXPECT_NEAR(state.l(i), a[lane] * before.l(i) + b[lane] * part.l(i), 0x1p-50 * (1 + state.l(i)));
  }
}

TEST_P(DoubleRow, StartAndFinish) {
  State state;
  Doubles sinks(kTile, kNothing), divisor(kTile), lse(kTile);
  sinks[3] = 2.5;
  State::kSoftmax.start(state.numbers.data(), sinks.data());
  state.l(5) = 3;
  state.m(5) = -1;
  state.l(6) = kNaN;
  State::kSoftmax.finish(state.numbers.data(), 8, divisor.data(), lse.data());
  EXPECT_EQ(lse[3], 2.5);
  EXPECT_EQ(lse[4], kNothing);
  EXPECT_EQ(divisor[4], 1);
  EXPECT_EQ(lse[5], std::log(3.0) - 1);
  EXPECT_EQ(divisor[5], 3);
  EXPECT_TRUE(std::isnan(lse[6]));
  EXPECT_EQ(State::kSoftmax.begun(state.numbers.data(), 8), (std::uint64_t{1} << 3) | (std::uint64_t{1} << 5));
}

TEST_P(DoubleRow, WeightsAreNormalised) {
  Doubles s(2 * kTile), lse(kTile, 0.25);
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = i % 5 == 1 ? kNothing : 0.01 * static_cast<double>(i);
  lse[7] = kNothing;  // saw nothing
  const Doubles before = s;
  State::kSoftmax.weights(s.data(), 2, 40, lse.data());
  for (int j = 0; j < 2; ++j) {
    for (int i = 0; i < 40; ++i)
      EXPECT_NEAR(s[at(j, i)], i == 7 ? 0 : std::exp(before[at(j, i)] - 0.25), 0x1p-51 * s[at(j, i)]) << j << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DoubleRow, testing::ValuesIn(base::runnable()));

}  // namespace
}  // namespace heed::state
