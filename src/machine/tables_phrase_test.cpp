// Several tiles of keys on the tables of every machine: a row depends on nothing but the row, not on NaN or huge numbers in the lanes
// beside it; a phrase is the softmax of the scores that the words make, and calls Alter when it is to.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <compare>
#include <deque>
#include <vector>

#include "machine/tables_support.hpp"

namespace heed::machine {
namespace {

struct Tiles {
  void add(const Tables& tables, Matrix k_rows, Matrix v_rows, bool altered) {
    k.push_back(std::move(k_rows));
    v.push_back(std::move(v_rows));
    list.push_back({.k = keys.emplace_back(tables, k.back()).operand,
                    .v = values.emplace_back(tables, v.back()).operand,
                    .keys = k.back().rows(),
                    .altered = altered,
                    .tile = static_cast<std::int64_t>(list.size())});
  }
  std::vector<Matrix> k, v;
  std::deque<Keys> keys;
  std::deque<Values> values;
  std::vector<KeyTile> list;
};

/// Hides a third of the places and all of lane 5, and raises every other lane from tile to tile.
void alter_scores(const KeyTile& tile, float* s, int first, int lanes) {
  for (int j = 0; j < tile.keys; ++j) {
    for (int i = first; i < first + lanes; ++i) {
      float& score = s[at(j, i - first)];
      if (i == 5 || (i + j + tile.tile) % 3 == 0)
        score = -kInf;
      else
        score += i % 2 == 0 ? 7 * static_cast<float>(tile.tile) : 0.5F * static_cast<float>(j % 4);
    }
  }
}

struct Call {
  std::int64_t tile;
  int first, lanes;
  friend auto operator<=>(const Call&, const Call&) = default;
};

/// Queries on some tiles of keys, of which the scores grow.
class Folding : public EveryTable {
 protected:
  static constexpr float kScale = 0.15F;

  Tiles draw_tiles(int count, int dim, int value_dim, int last_keys, unsigned altered) {
    Tiles tiles;
    for (int n = 0; n < count; ++n) {
      const int keys = n + 1 < count ? kTile : last_keys;
      tiles.add(tables_, draw(keys, dim, 1 + n), draw(keys, value_dim), altered >> n & 1);
    }
    return tiles;
  }
  /// The scores of one tile by the word, altered.
  Floats scores_of(const Queries& q, const KeyTile& tile, int dim, int lanes, bool alter = true) {
    Floats s(kTile * kTile, kNaN);
    tables_.similarity.scores(q.data(), tile.k, {dim, tile.keys, lanes}, s.data());
    if (alter && tile.altered) alter_scores(tile, s.data(), 0, lanes);
    return s;
  }
  void by_words(const Queries& q, const Tiles& tiles, int dim, State& state) {
    for (const KeyTile& tile : tiles.list)
      fold(scores_of(q, tile, dim, state.lanes).data(), tiles.v[static_cast<std::size_t>(tile.tile)], state);
  }
  void by_phrase(const Queries& q, const Tiles& tiles, int dim, State& state, const Alter& alter) {
    Buffer scratch(tables_.phrase->bytes(dim, state.value_dim));
    tables_.phrase->fold(
        {q.data(), tiles.list, state.lanes, dim, state.value_dim, state.lines.data(), state.o.floats(), alter, scratch.data()});
  }
  void by_phrase(const Queries& q, const Tiles& tiles, int dim, State& state) {
    const auto alter = [](const KeyTile& tile, float* s, int first, int lanes) { alter_scores(tile, s, first, lanes); };
    by_phrase(q, tiles, dim, state, Alter(alter));
  }
  void expect_phrase(int turn, int count, int lanes);
};

void expect_same_lanes(State& a, State& b, const std::vector<int>& except) {
  const Floats x = a.outputs(), y = b.outputs();
  for (int i = 0; i < std::min(a.lanes, b.lanes); ++i) {
    if (std::find(except.begin(), except.end(), i) != except.end()) continue;
    EXPECT_TRUE(same_bits(a.m[index(i)], b.m[index(i)]) && same_bits(a.l[index(i)], b.l[index(i)])) << "lane " << i;
    const std::size_t row = index(i * a.value_dim);
    EXPECT_EQ(std::memcmp(&x[row], &y[row], index(a.value_dim) * sizeof(float)), 0) << "lane " << i;
  }
}

TEST_P(Folding, LanesDoNotTouchEachOther) {
  const int dim = 30, value_dim = 48, lanes = most_lanes();
  const Tiles tiles = draw_tiles(3, dim, value_dim, 33, 2);
  Matrix q = draw(lanes, dim);
  const Queries clean(tables_, q, kScale);
  q.set(lanes - 2, 3, std::nan(""));  // lane 1
  q.set(lanes - 7, 29, HUGE_VAL);     // lane 6
  for (int c = 0; c < dim; ++c) q.set(0, c, 50 * q.at(0, c));
  const Queries dirty(tables_, q, kScale);
  for (const bool phrase : {false, true}) {
    if (phrase && !tables_.folds()) break;
    State before(tables_, value_dim, lanes), after(tables_, value_dim, lanes);
    for (const auto& [queries, state] : {std::pair{&clean, &before}, {&dirty, &after}}) {
      if (phrase)
        by_phrase(*queries, tiles, dim, *state);
      else
        by_words(*queries, tiles, dim, *state);
    }
    expect_same_lanes(before, after, {1, 6, lanes - 1});
  }
}

TEST_P(Folding, LanesDoNotCountEachOther) {
  const int dim = 30, value_dim = 48;
  const Tiles tiles = draw_tiles(2, dim, value_dim, 33, 2);
  const Matrix q = draw(most_lanes(), dim);
  for (const int lanes : some_lanes()) {
    const int most = most_lanes();
    State some(tables_, value_dim, lanes), all(tables_, value_dim, most);
    by_words(Queries(tables_, q, kScale, lanes), tiles, dim, some);
    by_words(Queries(tables_, q, kScale, most), tiles, dim, all);
    expect_same_lanes(some, all, {});
  }
}

// ---- the phrase ----

using PhraseOfTiles = Folding;

void Folding::expect_phrase(int turn, int count, int lanes) {
  const int dim = turn % 5 < 3 ? 64 : 30, value_dim = std::array{16, 48, 64}[index((turn + count) % 3)];
  const float scale = turn % 8 == 5 ? 0 : turn % 4 == 3 ? -kScale : kScale;
  const Tiles tiles = draw_tiles(count, dim, value_dim, turn % 3 == 0 ? kTile : 37, static_cast<unsigned>(turn * 7));
  const Queries q(tables_, draw(lanes, dim), scale);
  State state(tables_, value_dim, lanes);
  std::vector<Floats> raw;  // before: words end what a phrase has begun
  for (const KeyTile& tile : tiles.list) raw.push_back(scores_of(q, tile, dim, lanes, false));
  std::vector<Call> calls, expected;
  const auto alter = [&](const KeyTile& tile, float* s, int first, int some) {
    calls.push_back({tile.tile, first, some});
    for (int j = 0; j < tile.keys; ++j) {
      for (int i = 0; i < some; ++i)
        EXPECT_NEAR(wide(s[at(j, i)]), wide(raw[static_cast<std::size_t>(tile.tile)][at(j, first + i)]), 0x1p-17) << j << " " << i;
    }
    alter_scores(tile, s, first, some);
  };
  by_phrase(q, tiles, dim, state, Alter(alter));

  std::vector<Truth> truth(index(lanes), Truth(value_dim));
  for (const KeyTile& tile : tiles.list) {
    const Floats s = scores_of(q, tile, dim, lanes);
    for (int i = 0; i < lanes; ++i) truth[index(i)].absorb(s.data(), i, tiles.v[static_cast<std::size_t>(tile.tile)]);
    for (int first = 0; tile.altered && first < lanes; first += 32) expected.push_back({tile.tile, first, std::min(32, lanes - first)});
  }
  std::sort(calls.begin(), calls.end());
  EXPECT_EQ(calls, expected);
  const Floats outputs = state.outputs();
  for (int i = 0; i < lanes; ++i) {
    // The reference may stay up to 5.5 below the maximum.
    EXPECT_TRUE(wide(state.m[index(i)]) <= truth[index(i)].m + 1e-5 && wide(state.m[index(i)]) >= truth[index(i)].m - 5.5001)
        << "lane " << i;
    expect_row(state, outputs, i, truth[index(i)], 0x1p-19);  // scores below 32 are scaled in exp: not rounded, as words do
  }
}

TEST_P(PhraseOfTiles, IsTheSoftmaxOfTheirScores) {
  int turn = 0;
  for (const int count : {1, 2, 3, 5}) {
    for (const int lanes : {1, 16, 17, 32, 33, 64}) {
      SCOPED_TRACE(testing::Message() << count << " tiles, " << lanes << " lanes, turn " << turn);
      expect_phrase(turn++, count, lanes);
    }
  }
}

const auto kHasPhrase = [](const Tables& tables) { return tables.folds(); };
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PhraseOfTiles);
INSTANTIATE_TEST_SUITE_P(Machines, Folding, testing::ValuesIn(subjects()), name_of_subject);
INSTANTIATE_TEST_SUITE_P(Machines, PhraseOfTiles, testing::ValuesIn(subjects_where(kHasPhrase)), name_of_subject);

}  // namespace
}  // namespace heed::machine
