// The words between the products against their meaning in weighing.hpp, computed in double; for every instruction set, and for lanes and
// keys that are no multiple of anything. Lane i depends on lane i alone: not on how many there are, not on what others hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

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
using laws::expect_rows_equal;
using laws::Floats;
using laws::kSomeKeys;
using laws::kSomeLanes;
using laws::same_bits;
using laws::wide;
using State = laws::RowState;
using RowWord = laws::RowTest<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

/// m and l as the weighing keeps them, and back.
Floats lines_of(const State& state) {
  Floats lines(state.m);
  lines.insert(lines.end(), state.l.begin(), state.l.end());
  return lines;
}
void take_lines(const Floats& lines, State& state) {
  state.m.assign(lines.begin(), lines.begin() + kTile);
  state.l.assign(lines.begin() + kTile, lines.end());
}
void absorb(Floats& s, int keys, int lanes, State& state, Floats& rescale) {
  Floats lines = lines_of(state);
  softmax().absorb(s.data(), keys, lanes, lines.data(), rescale.data());
  take_lines(lines, state);
}
/// state <- state merged with part, O as the factors say.
void merge(State& state, const State& part, int value_dim, int lanes) {
  Floats lines = lines_of(state), a(kTile, kNaN), b(kTile, kNaN);
  softmax().merge(lines.data(), lines_of(part).data(), lanes, a.data(), b.data());
  take_lines(lines, state);
  for (int c = 0; c < value_dim; ++c) {
    for (int i = 0; i < lanes; ++i) {
      const auto lane = static_cast<std::size_t>(i);
      float& o = state.o[at(c, i)];
      o = o * a[lane] + part.o[at(c, i)] * b[lane];
    }
  }
}

/// Tiles of scores, one after the other: rows that see nothing at first, nothing at all, a few huge ones.
std::vector<std::pair<int, Floats>> tiles_of(std::mt19937_64& random) {
  std::vector<std::pair<int, Floats>> tiles;
  std::normal_distribution<float> normal(0, 10);
  for (const int keys : {5, 64, 1, 64}) {
    Floats s(static_cast<std::size_t>(keys * kTile));
    for (std::size_t place = 0; place < s.size(); ++place) {
      const std::size_t lane = place % kTile;
      const bool nothing = lane % 7 == 3 || (tiles.empty() && lane % 3 == 1);
      s[place] = nothing || random() % 3 == 0 ? -kInf : lane % 11 == 5 ? 1e4F * normal(random) : normal(random);
    }
    tiles.emplace_back(keys, std::move(s));
  }
  return tiles;
}

TEST_P(RowWord, AbsorbIsTheOnlineSoftmax) {
  const auto tiles = tiles_of(random_);
  for (const int lanes : kSomeLanes) {
    State state;
    std::vector<SoftmaxState> truth(static_cast<std::size_t>(lanes));
    for (const auto& [keys, scores] : tiles) {
      Floats s = scores, rescale(kTile, kNaN);
      const Floats m = state.m;
      absorb(s, keys, lanes, state, rescale);
      for (int i = 0; i < lanes; ++i) {
        const auto lane = static_cast<std::size_t>(i);
        SoftmaxState& row = truth[lane];
        for (int j = 0; j < keys; ++j) row.absorb(wide(scores[at(j, i)]), [](std::size_t) { return 0.0; });
        EXPECT_EQ(wide(state.m[lane]), row.m);
        EXPECT_NEAR(wide(state.l[lane]), row.l, 1e-5 * row.l);
        const bool nothing = state.m[lane] == -kInf;
        if (m[lane] == state.m[lane])
          EXPECT_EQ(rescale[lane], 1);
        else
          EXPECT_NEAR(wide(rescale[lane]), std::exp(wide(m[lane]) - row.m), 1e-6);
        for (int j = 0; j < keys; ++j) {
          const double distance = nothing || scores[at(j, i)] == -kInf ? 0 : row.m - wide(scores[at(j, i)]);
          const double p = nothing || scores[at(j, i)] == -kInf ? 0 : std::exp(-distance);
          ASSERT_NEAR(wide(s[at(j, i)]), p, (0x1p-22 + 0x1p-24 * distance) * p + 0x1p-126);
        }
      }
    }
  }
}

TEST_P(RowWord, AbsorbLanesDoNotTouchEachOther) {
  const auto tiles = tiles_of(random_);
  for (const int lanes : kSomeLanes) {
    State alone, together;
    for (const auto& [keys, scores] : tiles) {
      Floats s = scores, blind = scores, first(kTile), second(kTile);
      for (std::size_t place = 0; place < blind.size(); ++place) {
        if (static_cast<int>(place % kTile) >= lanes) blind[place] = kNaN;
      }
      absorb(s, keys, 64, together, first);
      absorb(blind, keys, lanes, alone, second);
      expect_rows_equal(s, blind, lanes, "P");
      expect_rows_equal(first, second, lanes, "rescale");
      expect_rows_equal(together.m, alone.m, lanes, "m");
      expect_rows_equal(together.l, alone.l, lanes, "l");
    }
  }
}

TEST_P(RowWord, NaNAndPlusInfinityMakeTheirRowNaN) {
  for (const float bad : {kNaN, kInf}) {
    for (const int when : {0, 1, 2}) {
      State state;
      for (int step = 0; step < 3; ++step) {
        Floats s(5 * kTile, -1), rescale(kTile);
        if (step == when) s[at(2, 17)] = bad;
        absorb(s, 5, 64, state, rescale);
      }
      for (int i = 0; i < kTile; ++i) EXPECT_EQ(std::isnan(state.l[static_cast<std::size_t>(i)]), i == 17) << bad << " in tile " << when;
    }
  }
  State blind;
  Floats s(3 * kTile, kNaN), rescale(kTile);
  absorb(s, 3, 64, blind, rescale);
  std::fill(s.begin(), s.end(), 1.0F);
  absorb(s, 3, 64, blind, rescale);
  EXPECT_TRUE(std::isnan(blind.l[5]));
}

TEST_P(RowWord, WeighGivesTheWeights) {
  for (const int keys : kSomeKeys) {
    for (const int lanes : kSomeLanes) {
      const Floats before = draw(static_cast<std::size_t>(keys * kTile), 8);
      Floats s = before, lse = draw(kTile, 4);
      for (int j = 0; j < keys; ++j) s[at(j, 0)] = -kInf;
      lse[2] = -kInf;  // saw nothing
      softmax().weights(s.data(), keys, lanes, lse.data());
      for (int j = 0; j < keys; ++j) {
        for (int i = 0; i < lanes; ++i) {
          const bool nothing = i == 0 || i == 2;
          const double distance = nothing ? 0 : wide(before[at(j, i)]) - wide(lse[static_cast<std::size_t>(i)]);
          const double p = nothing ? 0 : std::exp(distance);
          ASSERT_NEAR(wide(s[at(j, i)]), p, (0x1p-22 + 0x1p-24 * std::fabs(distance)) * p) << j << " " << i;
        }
      }
    }
  }
}

/// Tallies of 64 rows.
struct Tallies {
  Tallies() : m(kTile, -kInf), l(kTile), e(kTile), l2(kTile), n(kTile) {}
  TallyRows rows() { return {m.data(), l.data(), e.data(), l2.data(), n.data()}; }
  [[nodiscard]] Tally row(int i) const {
    const auto lane = static_cast<std::size_t>(i);
    return {.m = m[lane], .l = l[lane], .e = e[lane], .l2 = l2[lane], .n = n[lane]};
  }
  Floats m;
  std::vector<double> l;
  Floats e, l2;
  std::vector<std::int64_t> n;
};

void expect_tallies_equal(const Tallies& a, const Tallies& b, int lanes) {
  expect_rows_equal(a.m, b.m, lanes, "m");
  expect_rows_equal(a.e, b.e, lanes, "e");
  expect_rows_equal(a.l2, b.l2, lanes, "l2");
  for (std::size_t i = 0; i < static_cast<std::size_t>(lanes); ++i) {
    EXPECT_EQ(std::memcmp(&a.l[i], &b.l[i], sizeof(double)), 0) << "l of lane " << i;
    EXPECT_EQ(a.n[i], b.n[i]) << "n of lane " << i;
  }
}

TEST_P(RowWord, TallyIsTheDirectFormula) {
  const auto tiles = tiles_of(random_);
  for (const int lanes : kSomeLanes) {
    Tallies tallies;
    for (const auto& [keys, s] : tiles) tally(s.data(), keys, lanes, tallies.rows());
    for (int i = 0; i < lanes; ++i) {
      double m = -HUGE_VAL, l = 0, e = 0, l2 = 0;
      std::int64_t n = 0;
      const auto each = [&](const auto& function) {
        for (const auto& [keys, s] : tiles) {
          for (int j = 0; j < keys; ++j) {
            if (s[at(j, i)] != -kInf) function(wide(s[at(j, i)]));
          }
        }
      };
      each([&](double score) { m = std::max(m, score); });
      each([&](double score) {
        const double p = std::exp(score - m);
        l += p;
        if (p > 0) e += p * (score - m);
        l2 += p * p;
        ++n;
      });
      const Tally row = tallies.row(i);
      EXPECT_EQ(wide(row.m), m);
      EXPECT_EQ(row.n, n);
      EXPECT_NEAR(row.l, l, 1e-5 * l);
      EXPECT_NEAR(wide(row.e), e, 1e-5 * (l - e));
      EXPECT_NEAR(wide(row.l2), l2, 1e-5 * l2);
    }
  }
}

TEST_P(RowWord, TallyOfScoresFurtherApartThanAnyFloatAndOfNaN) {
  Tallies tallies;
  for (const float score : {-3e38F, 3e38F, 3e38F}) {
    Floats s(kTile, score);
    s[9] = score < 0 ? kNaN : 1;
    s[10] = kInf;
    tally(s.data(), 1, 64, tallies.rows());
  }
  EXPECT_FLOAT_EQ(tallies.row(0).entropy(), std::log(2.0F));
  EXPECT_EQ(tallies.row(0).effective(), 2);
  EXPECT_EQ(tallies.row(0).n, 3);
  for (const int lane : {9, 10}) {
    EXPECT_TRUE(std::isnan(tallies.row(lane).entropy()));
    EXPECT_TRUE(std::isnan(tallies.row(lane).maximum()));
  }
}

TEST_P(RowWord, TallyLanesDoNotTouchEachOther) {
  const auto tiles = tiles_of(random_);
  for (const int lanes : kSomeLanes) {
    Tallies together, alone;
    for (const auto& [keys, s] : tiles) {
      Floats blind = s;
      for (std::size_t place = 0; place < blind.size(); ++place) {
        if (static_cast<int>(place % kTile) >= lanes) blind[place] = kNaN;
      }
      tally(s.data(), keys, 64, together.rows());
      tally(blind.data(), keys, lanes, alone.rows());
    }
    expect_tallies_equal(together, alone, lanes);
  }
}

/// Long rows: the sum of weights normalises them, whatever the maxima that it was moved by.
TEST_P(RowWord, TallySumsWeightsInDouble) {
  Tallies tallies;
  std::vector<double> sums(kTile);
  Floats tops(kTile, -kInf);
  std::vector<Floats> tiles;
  for (int tile = 0; tile < 300; ++tile) {
    tiles.push_back(draw(std::size_t{64} * kTile, 0.01F));
    for (float& score : tiles.back()) score += 1e-4F * static_cast<float>(tile);  // the maximum goes on moving
    for (std::size_t place = 0; place < tiles.back().size(); ++place)
      tops[place % kTile] = std::max(tops[place % kTile], tiles.back()[place]);
    state::tally(tiles.back().data(), 64, 64, tallies.rows());
  }
  for (const Floats& s : tiles) {
    for (std::size_t place = 0; place < s.size(); ++place) sums[place % kTile] += std::exp(wide(s[place]) - wide(tops[place % kTile]));
  }
  for (std::size_t i = 0; i < kTile; ++i) EXPECT_NEAR(tallies.l[i] / sums[i], 1, 0x1p-23);
}

TEST_P(RowWord, AbsorbAndTallyHaveTheBitsOfBoth) {
  for (const int lanes : kSomeLanes) {
    Floats one(2 * kTile), two(2 * kTile);
    softmax().start(one.data(), nullptr);
    softmax().start(two.data(), nullptr);
    Tallies first, second;
    for (const auto& [keys, scores] : tiles_of(random_)) {
      Floats s = scores, p = scores, once(kTile), twice(kTile);
      s[at(0, 0)] = p[at(0, 0)] = keys == 1 ? kNaN : 2;
      softmax().absorb_and_tally(s.data(), keys, lanes, one.data(), first.rows(), once.data());
      state::tally(p.data(), keys, lanes, second.rows());
      softmax().absorb(p.data(), keys, lanes, two.data(), twice.data());
      expect_rows_equal(s, p, lanes, "P");
      expect_rows_equal(once, twice, lanes, "rescale");
    }
    expect_rows_equal(one, two, lanes, "m and l");
    expect_tallies_equal(first, second, lanes);
  }
}

/// Weights along both axes against double; rows that see nothing or hold a NaN; what stood in the sums stays.
TEST_P(RowWord, ReceiveSumsTheWeights) {
  for (const int keys : {1, 5, 16, 64}) {
    Floats base(kTile, 0), share = draw(kTile), pooled(kTile, kNaN);
    std::vector<Floats> parts(2, Floats(static_cast<std::size_t>(keys * kReceived), 0.25F));
    Floats s = draw(static_cast<std::size_t>(keys * kTile), 8);
    for (std::size_t i = 0; i < kTile; ++i) {
      share[i] = std::fabs(share[i]);
      for (int j = 0; j < keys; ++j) {
        if (i % 9 == 4 || (i + static_cast<std::size_t>(j)) % 5 == 0) s[at(j, static_cast<int>(i))] = -kInf;
        if (s[at(j, static_cast<int>(i))] != -kInf) base[i] = std::max(base[i], s[at(j, static_cast<int>(i))]);
      }
    }
    const auto weight = [&](int j, std::size_t i) {
      const double score = wide(s[at(j, static_cast<int>(i))]);
      return std::exp(score - wide(base[i])) * wide(share[i]);
    };
    state::receive(s.data(), keys, 64, {base.data(), share.data()}, parts[0].data(), nullptr);
    if (keys <= 16) state::receive(s.data(), keys, 64, {base.data(), share.data()}, parts[1].data(), pooled.data());
    for (const Floats& received : parts) {
      if (keys > 16 && &received == &parts[1]) continue;
      for (int j = 0; j < keys; ++j) {
        double sum = -0.25 * kReceived, expected = 0;
        for (int part = 0; part < kReceived; ++part) sum += wide(received[static_cast<std::size_t>(j * kReceived + part)]);
        for (std::size_t i = 0; i < kTile; ++i) expected += weight(j, i);
        EXPECT_NEAR(sum, expected, 0x1p-20 * (expected + 1)) << "key " << j << " of " << keys;
      }
    }
    for (std::size_t i = 0; keys <= 16 && i < kTile; ++i) {
      double expected = 0;
      for (int j = 0; j < keys; ++j) expected += weight(j, i);
      EXPECT_NEAR(wide(pooled[i]), expected, 0x1p-21 * expected) << "query " << i << " of " << keys << " keys";
    }
  }
  Floats s(5 * kTile, -1), base(kTile, 0), share(kTile, 1), received(5 * kReceived), pooled(kTile);
  s[at(2, 17)] = kNaN;
  for (int j = 0; j < 5; ++j) s[at(j, 40)] = -kInf;
  state::receive(s.data(), 5, 64, {base.data(), share.data()}, received.data(), pooled.data());
  for (std::size_t i = 0; i < kTile; ++i) EXPECT_EQ(std::isnan(pooled[i]), i == 17);
  EXPECT_EQ(pooled[40], 0);
  for (int j = 0; j < 5; ++j) {
    const auto begin = received.begin() + j * kReceived;
    EXPECT_EQ(std::any_of(begin, begin + kReceived, [](float part) { return std::isnan(part); }), j == 2) << j;
  }
}

/// A state after some tile, O drawn.
State drawn_state(std::mt19937_64& random, int value_dim) {
  State state(value_dim);
  std::normal_distribution<float> normal(0, 9);
  for (std::size_t i = 0; i < kTile; ++i) {
    if (i % 7 == 3) continue;  // saw nothing
    state.m[i] = normal(random);
    state.l[i] = 1 + std::fabs(normal(random));
    for (int c = 0; c < value_dim; ++c) state.o[at(c, static_cast<int>(i))] = normal(random);
  }
  return state;
}

TEST_P(RowWord, MergeOfTwoStates) {
  const int value_dim = 5;
  State first = drawn_state(random_, value_dim), second = drawn_state(random_, value_dim);
  second.m[6] = first.m[6];
  second.m[3] = second.l[3] = 2;  // seen by the second alone
  for (const int lanes : kSomeLanes) {
    State merged = first, part = second;
    merge(merged, part, value_dim, lanes);
    for (int i = 0; i < lanes; ++i) {
      const auto lane = static_cast<std::size_t>(i);
      std::vector<double> o(value_dim);
      for (int c = 0; c < value_dim; ++c) o[static_cast<std::size_t>(c)] = wide(first.o[at(c, i)]);
      SoftmaxState truth{.m = wide(first.m[lane]), .l = wide(first.l[lane]), .o = o};
      truth.merge(wide(second.m[lane]), wide(second.l[lane]), [&](std::size_t c) { return wide(second.o[at(static_cast<int>(c), i)]); });
      EXPECT_EQ(wide(merged.m[lane]), truth.m);
      EXPECT_NEAR(wide(merged.l[lane]), truth.l, 1e-6 * truth.l);
      for (int c = 0; c < value_dim; ++c) {
        const double size = std::fabs(wide(first.o[at(c, i)])) + std::fabs(wide(second.o[at(c, i)]));
        EXPECT_NEAR(wide(merged.o[at(c, i)]), o[static_cast<std::size_t>(c)], 1e-6 * size);
      }
    }
    expect_rows_equal(part.o, second.o, kTile, "the part");
  }
}

TEST_P(RowWord, MergingTheIdentityChangesNoBit) {
  const int value_dim = 3;
  State some = drawn_state(random_, value_dim), nothing(value_dim), into(value_dim);
  some.l[5] = kNaN;
  some.m[8] = -kInf;  // NaN scores alone
  some.l[8] = kNaN;
  some.o[at(0, 8)] = some.o[at(2, 5)] = kNaN;
  some.o[at(1, 9)] = -0.0F;
  State merged = some;
  merge(merged, nothing, value_dim, 64);
  merge(into, some, value_dim, 64);
  EXPECT_TRUE(std::signbit(merged.o[at(1, 9)]));
  into.o[at(1, 9)] = -0.0F;  // a sum that begins at 0
  for (const State* state : {&merged, &into}) {
    for (std::size_t i = 0; i < kTile; ++i) {
      const auto equal = [](float a, float b) { return same_bits(a, b) || (std::isnan(a) && std::isnan(b)); };
      EXPECT_TRUE(equal(state->m[i], some.m[i])) << i;
      EXPECT_TRUE(equal(state->l[i], some.l[i])) << i;
      for (int c = 0; c < value_dim; ++c) EXPECT_TRUE(equal(state->o[at(c, static_cast<int>(i))], some.o[at(c, static_cast<int>(i))])) << i;
    }
  }
}

TEST_P(RowWord, MergeKeepsNaN) {
  for (const bool bad_part : {true, false}) {
    for (const float m : {-kInf, 1.0F, kInf}) {
      State bad(1), good(1);
      std::fill(good.m.begin(), good.m.end(), 3.0F);
      std::fill(good.l.begin(), good.l.end(), 1.0F);
      std::fill(good.o.begin(), good.o.end(), 1.0F);
      bad.m[4] = m;
      bad.l[4] = bad.o[4] = kNaN;
      State& state = bad_part ? good : bad;
      merge(state, (bad_part ? bad : good), 1, 64);
      for (std::size_t i = 0; i < kTile; ++i) {
        EXPECT_EQ(std::isnan(state.l[i]), i == 4) << m;
        EXPECT_EQ(std::isnan(state.o[i]), i == 4) << m;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, RowWord, testing::ValuesIn(base::runnable()), [](const auto& set) { return set.param; });

}  // namespace
}  // namespace heed::state
