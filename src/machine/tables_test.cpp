// The tables of every machine against its meaning in machine.hpp and words.hpp, computed in double from the exactly widened operands: the
// simd, dot and amx machines, for tiles and for few queries, in every dtype (amx emulated where there is no matrix unit): scores,
// absorb and mix, merge, adopt, finish on shapes that are no multiple of anything, rows in every layout.
// (Numbers that products do not take: tables_unusual_test.cpp; several tiles and phrases: tables_phrase_test.cpp.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "machine/tables_support.hpp"

namespace heed::machine {
namespace {

// ---- scores ----

/// Error 2^-22 of the sum of |q k|: of the scale and the result at most 2^-23; of rounding to f32 after each term about 2^-25, as signs are
/// random and so partial sums stay near the root of their length. Of three parts, products of 2^-24 and less are left out, those of 2^-16
/// and 2^-8 are added before the others, where they round by as much less.
void expect_scores(const Matrix& q, const Matrix& k, float scale, const float* s) {
  for (int j = 0; j < k.rows(); ++j) {
    for (int i = 0; i < q.rows(); ++i) {
      double sum = 0, size = 0;
      for (int c = 0; c < q.columns(); ++c) {
        const double term = wide(scale) * q.at(q.rows() - 1 - i, c) * k.at(j, c);
        sum += term;
        size += std::fabs(term);
      }
      ASSERT_NEAR(wide(s[at(j, i)]), sum, 0x1p-22 * size) << "key " << j << " lane " << i << " dim " << q.columns();
    }
  }
}

TEST_P(EveryTable, ScoresAreScaledDotProducts) {
  for (const int dim : {1, 16, 30, 64, 100}) {
    for (const int keys : kSomeKeys) {
      for (const int lanes : some_lanes()) {
        const Matrix q = draw(lanes, dim), k = draw(keys, dim);
        const float scale = lanes == 4 || lanes == 33 ? -0.7F : 0.3F;
        const Queries queries(tables_, q, scale);
        const Keys rows(tables_, k);
        Buffer s(kTile * kTile * sizeof(float));
        tables_.similarity.scores(queries.data(), rows.operand, {dim, keys, lanes}, s.floats());
        expect_scores(q, k, scale, s.floats());
      }
    }
  }
}

TEST_P(EveryTable, QueriesThatDoNotExistAreZero) {
  for (const int lanes : {0, 1, most_lanes() - 1}) {
    const Queries queries(tables_, draw(lanes, 30), 0.3F);
    const Matrix k = draw(33, 30);
    const Keys rows(tables_, k);
    Buffer s(kTile * kTile * sizeof(float));
    tables_.similarity.scores(queries.data(), rows.operand, {30, 33, most_lanes()}, s.floats());
    for (int j = 0; j < 33; ++j) {
      for (int i = lanes; i < most_lanes(); ++i) EXPECT_EQ(s.floats()[at(j, i)], 0) << j << " " << i;
    }
  }
}

// ---- absorb and mix ----

/// The first of two tiles: lane 3 never sees anything, lane 2 only later, others three of four keys.
Floats some_scores(Random& random, int keys, int lanes, bool first) {
  std::normal_distribution<float> normal(0, 4);
  Floats s(kTile * kTile, kNaN);
  for (int j = 0; j < keys; ++j) {
    for (int i = 0; i < lanes; ++i) {
      const bool nothing = i % 16 == 3 || (i % 16 == 2 && first) || random() % 4 == 0;
      const float shift = first ? 0.0F : i % 2 == 0 ? 12.0F : -12.0F;  // larger maxima, and such that change nothing
      s[at(j, i)] = nothing ? -kInf : normal(random) + shift;
    }
  }
  return s;
}

void expect_rescale(float rescale, float before, float after) {
  const double step = wide(before) - wide(after);
  if (before == after)
    EXPECT_EQ(rescale, 1);
  else if (before == -kInf)
    EXPECT_EQ(rescale, 0);
  else
    EXPECT_NEAR(wide(rescale), std::exp(step), (0x1p-22 - 0x1p-24 * step) * std::exp(step));  // the step is rounded, too
}

TEST_P(EveryTable, AbsorbAndMixAreTheOnlineSoftmax) {
  std::size_t turn = 0;
  for (const int value_dim : {3, 16, 48, 70}) {
    for (const int keys : kSomeKeys) {
      const int lanes = some_lanes()[(turn + turn / 4) % some_lanes().size()];
      ++turn;
      State state(tables_, value_dim, lanes);
      std::vector<Truth> truth(index(lanes), Truth(value_dim));
      for (const bool first : {true, false}) {
        const Matrix v = draw(keys, value_dim);
        const Floats s = some_scores(random_, keys, lanes, first), before(state.m.begin(), state.m.end()),
                     rescale = fold(s.data(), v, state);
        for (int i = 0; i < lanes; ++i) {
          truth[index(i)].absorb(s.data(), i, v);
          EXPECT_EQ(wide(state.m[index(i)]), truth[index(i)].m);
          expect_rescale(rescale[index(i)], before[index(i)], state.m[index(i)]);
        }
      }
      const Floats outputs = state.outputs();
      for (int i = 0; i < lanes; ++i) expect_row(state, outputs, i, truth[index(i)]);
    }
  }
}

// The weighing's own words and `put` are what a phrase does in one.
using Put = EveryTable;

TEST_P(Put, MakesTheWeightsOfAPhrase) {
  for (const int keys : kSomeKeys) {
    for (const int lanes : some_lanes()) {
      const Matrix v = draw(keys, 16);
      const Floats s = some_scores(random_, keys, lanes, true);
      State by_phrase(tables_, 16, lanes), by_words(tables_, 16, lanes);
      fold(s.data(), v, by_phrase);
      const Values values(tables_, v);
      Buffer p(kTile * kTile * sizeof(float)), weights(tables_.mixing.sizes(16).weights);
      for (int j = 0; j < keys; ++j) std::copy_n(s.data() + at(j, 0), lanes, p.floats() + at(j, 0));
      Floats rescale(kTile, kNaN);
      state::softmax().absorb(p.floats(), keys, lanes, by_words.lines.data(), rescale.data());
      if (tables_.mixing.put != nullptr) tables_.mixing.put(p.floats(), keys, lanes, weights.data());
      tables_.mixing.mix(tables_.mixing.put == nullptr ? p.data() : weights.data(), values.operand, {16, keys, lanes}, rescale.data(),
                         by_words.o.floats());
      const Floats expected = by_phrase.outputs(), got = by_words.outputs();
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(wide(got[i]), wide(expected[i]), mix_tolerance() * keys) << i;
    }
  }
}

TEST_P(EveryTable, ARowThatSeesNothingStaysEmpty) {
  State state(tables_, 16, 1);
  EXPECT_EQ(fold(Floats(kTile * kTile, -kInf).data(), draw(5, 16), state)[0], 1);
  EXPECT_EQ(state.m[0], -kInf);
  EXPECT_EQ(state.l[0], 0);
  EXPECT_EQ(state.outputs(), Floats(16, 0));
}

// ---- merge, adopt, finish ----

TEST_P(EveryTable, AdoptTakesTheLanesAndNoOthers) {
  for (const int value_dim : kSomeValueDims) {
    State state(tables_, value_dim, most_lanes());
    Exact before(random_, value_dim), exact(random_, value_dim);
    before.adopted_by(state);
    const std::uint64_t lanes = 0x8001'0000'F00F'5A5AU;
    exact.adopted_by(state, lanes);
    const Floats outputs = state.outputs();
    for (int i = 0; i < most_lanes(); ++i) {
      const Exact& expected = lanes >> i & 1 ? exact : before;
      EXPECT_TRUE(same_bits(state.m[index(i)], expected.m[index(i)]) && same_bits(state.l[index(i)], expected.l[index(i)])) << i;
      for (int c = 0; c < value_dim; ++c) EXPECT_TRUE(same_bits(outputs[index(i * value_dim + c)], expected.o[at(c, i)])) << i << " " << c;
    }
  }
}

/// Lane i has seen nothing in state (i % 5 = 1), in part (2), in both (3).
void forget(Exact& state, Exact& part) {
  for (int i = 0; i < kTile; ++i) {
    if (i % 5 == 1 || i % 5 == 3) state.set(i, -kInf, 0, 0);
    if (i % 5 == 2 || i % 5 == 3) part.set(i, -kInf, 0, 0);
  }
}

void expect_merged(const Exact& state, const Exact& part, int lane, State& merged, const Floats& outputs) {
  const double m_state = wide(state.m[index(lane)]), m_part = wide(part.m[index(lane)]), m = std::max(m_state, m_part);
  EXPECT_EQ(wide(merged.m[index(lane)]), m);
  const bool keeps = m_part == -kInf;
  const double a = keeps ? 1 : std::exp(m_state - m), b = keeps ? 0 : std::exp(m_part - m), tolerance = keeps ? 0 : 0x1p-20;
  const auto expect = [&](float got, float x, float y) {
    const double kept = a * wide(x), added = keeps ? 0 : b * wide(y);
    EXPECT_NEAR(wide(got), kept + added, tolerance * (std::fabs(kept) + std::fabs(added))) << "lane " << lane;
  };
  expect(merged.l[index(lane)], state.l[index(lane)], part.l[index(lane)]);
  for (int c = 0; c < merged.value_dim; ++c) expect(outputs[index(lane * merged.value_dim + c)], state.o[at(c, lane)], part.o[at(c, lane)]);
}

TEST_P(EveryTable, MergeIsTheSoftmaxOfBoth) {
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      Exact state(random_, value_dim), part(random_, value_dim);
      forget(state, part);
      State merged(tables_, value_dim, lanes), other(tables_, value_dim, lanes);
      state.adopted_by(merged);
      part.adopted_by(other);
      Floats a(kTile, kNaN), b(kTile, kNaN);
      const auto merge = tables_.phrase != nullptr && tables_.phrase->merge != nullptr ? tables_.phrase->merge : state::softmax().merge;
      merge(merged.lines.data(), other.lines.data(), lanes, a.data(), b.data());
      tables_.mixing.blend(merged.o.floats(), a.data(), other.o.floats(), b.data(), value_dim, lanes);
      const Floats outputs = merged.outputs();
      for (int i = 0; i < lanes; ++i) expect_merged(state, part, i, merged, outputs);
    }
  }
}

/// finish of lanes [first, first + lanes) writes quotients, rounded once more where narrower, and nothing else.
void expect_finished(State& state, const Exact& exact, int first, int lanes, DType dtype, std::int64_t column_stride) {
  const std::int64_t row_stride = state.value_dim * column_stride + (column_stride == 1 ? 0 : 3), count = 1 + lanes * row_stride;
  Tensor got(dtype, {count}), expected(dtype, {count});
  for (Tensor* tensor : {&got, &expected}) std::memset(tensor->data<std::byte>(), 0xFF, static_cast<std::size_t>(count * size_of(dtype)));
  Floats divisor(state.l.begin(), state.l.end());
  std::replace(divisor.begin(), divisor.end(), 0.0F, 1.0F);
  state.tables.mixing.finish(state.o.floats(), divisor.data(), state.value_dim, first, lanes,
                             {got.data<std::byte>(), dtype, row_stride, column_stride});
  for (int i = 0; i < lanes; ++i) {
    for (int c = 0; c < state.value_dim; ++c) {
      const float l = exact.l[index(first + i)], quotient = l == 0 ? 0 : exact.o[at(c, first + i)] / l;
      store_real(expected.span(), i * row_stride + c * column_stride, wide(quotient));
    }
  }
  EXPECT_EQ(std::memcmp(got.data<std::byte>(), expected.data<std::byte>(), static_cast<std::size_t>(count * size_of(dtype))), 0)
      << name_of(dtype) << " lanes " << first << " + " << lanes << " columns " << state.value_dim << " x " << column_stride;
}

TEST_P(EveryTable, FinishDividesRoundsAndPlaces) {
  const std::vector<std::pair<int, int>> some{{0, 1}, {0, 8}, {3, 2}, {7, 1}, {0, 64}, {17, 33}, {40, 24}};
  for (const int value_dim : kSomeValueDims) {
    State state(tables_, value_dim, most_lanes());
    Exact exact(random_, value_dim);
    for (int i = 0; i < kTile; i += 4) exact.set(i, -kInf, 0, 0);
    exact.adopted_by(state);
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      for (const std::int64_t column_stride : {1, 2}) {
        for (const auto& [first, lanes] : some) {
          if (first + lanes <= most_lanes()) expect_finished(state, exact, first, lanes, dtype, column_stride);
        }
      }
    }
  }
}

const auto kHasPhrase = [](const Tables& tables) { return tables.phrase != nullptr; };
INSTANTIATE_TEST_SUITE_P(Machines, EveryTable, testing::ValuesIn(subjects()), name_of_subject);
INSTANTIATE_TEST_SUITE_P(Machines, Put, testing::ValuesIn(subjects_where(kHasPhrase)), name_of_subject);

}  // namespace
}  // namespace heed::machine
