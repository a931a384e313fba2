// The words at the edges and the two products against their meaning in words.hpp, computed in double; for every instruction set, and for
// lanes and keys that are no multiple of anything. Lane i depends on lane i alone: not on how many there are, not on what others hold.
// (absorb, merge, weights, tally: state/softmax_rows_test.cpp; modify, see, hide: formula/modify_test.cpp.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dtype.hpp"
#include "base/instruction_sets.hpp"
#include "laws/support/rows.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {
namespace {

using laws::at;
using laws::expect_rows_equal;
using laws::Floats;
using laws::kSomeKeys;
using laws::kSomeLanes;
using laws::wide;
using State = laws::RowState;
using Word = laws::RowTest<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

// ---- at the edges ----

TEST_P(Word, WidenOfEveryTypeAndStride) {
  const Floats source = draw(7 * 30);
  std::vector<bf16> brain;
  std::vector<f16> half;
  for (const float x : source) {
    brain.push_back(bf16_from(x));
    half.push_back(f16_from(x));
  }
  for (const auto& [row_stride, column_stride] : {std::pair{30, 1}, {1, 7}, {-30, 2}, {0, 1}, {30, -1}}) {
    const std::int64_t first = (row_stride < 0 ? 180 : 0) + (column_stride < 0 ? 29 : 0);
    const int columns = column_stride == 2 ? 15 : 30;
    const std::tuple<const void*, DType> sources[] = {
        {source.data() + first, DType::kF32}, {brain.data() + first, DType::kBF16}, {half.data() + first, DType::kF16}};
    for (const auto& [data, dtype] : sources) {
      Floats rows(static_cast<std::size_t>(7 * columns), kNaN);
      machine::widen({data, dtype, row_stride, column_stride}, 7, columns, rows.data());
      for (int r = 0; r < 7; ++r) {
        for (int c = 0; c < columns; ++c) {
          const double expected = real_at({data, dtype, {1}}, r * row_stride + c * column_stride);
          EXPECT_EQ(wide(rows[static_cast<std::size_t>(r * columns + c)]), expected);
        }
      }
    }
  }
}

TEST_P(Word, RowsFromALaterRow) {
  const Floats source{0, 1, 2, 3, 4, 5};
  const Rows rows{source.data(), DType::kF32, 2, 1};
  EXPECT_EQ(*static_cast<const float*>(rows.from(2).data), 4);
  EXPECT_EQ(rows.from(2).row_stride, 2);
}

TEST_P(Word, LoadQueriesTransposesScalesAndClears) {
  const Floats source = draw(40 * 5);
  std::vector<std::int64_t> slots(40);
  for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<std::int64_t>(i * 17 % 40);
  slots[3] = slots[4];  // a slot may come twice
  for (const int count : {0, 1, 17, 40}) {
    Floats qt(5 * kTile, kNaN);
    machine::load_queries({source.data(), DType::kF32, 5, 1}, slots.data(), count, 5, 0.3F, qt.data());
    for (int c = 0; c < 5; ++c) {
      for (int i = 0; i < kTile; ++i) {
        const float expected = i < count ? 0.3F * source[static_cast<std::size_t>(slots[static_cast<std::size_t>(i)] * 5 + c)] : 0;
        EXPECT_EQ(qt[at(c, i)], expected);
      }
    }
  }
}

TEST_P(Word, FinishDividesRoundsAndPlaces) {
  State state(3);
  for (int i = 0; i < kTile; ++i) {
    state.l[static_cast<std::size_t>(i)] = i % 5 == 0 ? 0.0F : 1 + 0.37F * static_cast<float>(i);
    for (int c = 0; c < 3; ++c) state.o[at(c, i)] = i % 5 == 0 ? 0 : static_cast<float>(c + 1) * std::sin(static_cast<float>(i));
  }
  state.l[7] = kNaN;
  state.o[at(1, 9)] = kInf;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int lanes : kSomeLanes) {
      Tensor out(dtype, {400});
      for (std::int64_t i = 0; i < 400; ++i) store_real(out.span(), i, -77);
      Floats divisor = state.l;
      std::replace(divisor.begin(), divisor.end(), 0.0F, 1.0F);
      machine::finish(state.o.data(), divisor.data(), 3, 0, lanes, {out.span().data, dtype, 5, 2});
      int written = 0;
      for (int i = 0; i < lanes; ++i) {
        for (int c = 0; c < 3; ++c) {
          const float l = state.l[static_cast<std::size_t>(i)], exact = l == 0 ? 0 : state.o[at(c, i)] / l;
          const float expected = dtype == DType::kBF16  ? f32_from(bf16_from(exact))
                                 : dtype == DType::kF16 ? f32_from(f16_from(exact))
                                                        : exact;
          const double got = real_at(out.view(), 5 * i + 2 * c);
          EXPECT_TRUE(got == wide(expected) || (std::isnan(got) && std::isnan(expected))) << i << " " << c;
        }
      }
      for (std::int64_t i = 0; i < 400; ++i) written += real_at(out.view(), i) != -77;
      EXPECT_EQ(written, 3 * lanes);
    }
  }
}

// ---- the two products ----

TEST_P(Word, ScoresAreDotProducts) {
  for (const int dim : {1, 5, 64, 100}) {
    const std::int64_t stride = dim + 3;
    const Floats qt = draw(at(dim, 0)), k = draw(static_cast<std::size_t>(64 * stride));
    Floats whole(kTile * kTile);
    machine::scores(qt.data(), {k.data(), stride}, {dim, 64, 64}, whole.data());
    for (int j = 0; j < 64; ++j) {
      for (int i = 0; i < kTile; ++i) {
        double sum = 0, size = 0;
        for (int c = 0; c < dim; ++c) {
          const double term = wide(k[static_cast<std::size_t>(j * stride + c)]) * wide(qt[at(c, i)]);
          sum += term;
          size += std::fabs(term);
        }
        ASSERT_NEAR(wide(whole[at(j, i)]), sum, dim * 0x1p-23 * size);
      }
    }
    for (const int keys : kSomeKeys) {
      for (const int lanes : kSomeLanes) {
        Floats blind = qt, s(static_cast<std::size_t>(keys * kTile), kNaN);
        for (std::size_t place = 0; place < blind.size(); ++place) {
          if (static_cast<int>(place % kTile) >= lanes) blind[place] = kNaN;
        }
        machine::scores(blind.data(), {k.data(), stride}, {dim, keys, lanes}, s.data());
        expect_rows_equal(s, Floats(whole.begin(), whole.begin() + keys * kTile), lanes, "scores");
      }
    }
  }
}

/// In every row and lane of every block of the matrix loop.
TEST_P(Word, ScoresSayWhetherAllAreFinite) {
  constexpr int kDim = 3;
  for (const int keys : {1, 2, 3, 4, 5, 6, 64}) {
    for (const int lanes : kSomeLanes) {
      const Floats qt = draw(at(kDim, 0)), k = draw(static_cast<std::size_t>(keys * kDim));
      Floats s(static_cast<std::size_t>(keys * kTile), kNaN);
      EXPECT_TRUE(machine::scores(qt.data(), {k.data(), kDim}, {kDim, keys, lanes}, s.data())) << keys << " x " << lanes;
      for (int place = 0; place < keys * lanes; ++place) {
        const int key = place / lanes, lane = place % lanes;
        Floats large_q = qt, large_k = k;
        large_q[at(1, lane)] = 1e30F;
        large_k[static_cast<std::size_t>(key * kDim + 1)] = place % 2 ? 1e30F : -1e30F;
        EXPECT_FALSE(machine::scores(large_q.data(), {large_k.data(), kDim}, {kDim, keys, lanes}, s.data())) << key << " " << lane;
        EXPECT_TRUE(std::isinf(s[at(key, lane)]));
      }
    }
  }
}

TEST_P(Word, ScaledScoresSayWhetherAllAreFinite) {
  Floats s(at(5, 0), 2e38F);
  EXPECT_TRUE(machine::scale(1, true, 5, 17, s.data()));
  EXPECT_FALSE(machine::scale(1, false, 5, 17, s.data()));  // what was found before stands
  EXPECT_TRUE(machine::scale(-1.5F, true, 5, 17, s.data()));
  EXPECT_EQ(s[at(4, 16)], -3e38F);
  EXPECT_EQ(s[at(4, 17)], 2e38F);
  EXPECT_FALSE(machine::scale(2, true, 5, 17, s.data()));
}

TEST_P(Word, MixAddsWeightedValues) {
  const int value_dim = 13;
  const Floats p = draw(kTile * kTile), v = draw(64 * 20), rescale = draw(kTile), before = draw(at(value_dim, 0));
  const std::vector<std::uint8_t> all(kTile * kTile, 1);
  for (const int keys : kSomeKeys) {
    Floats whole = before;
    machine::mix(p.data(), {v.data(), 20}, {value_dim, keys, 64}, rescale.data(), whole.data());
    for (int c = 0; c < value_dim; ++c) {
      for (int i = 0; i < kTile; ++i) {
        double sum = wide(before[at(c, i)]) * wide(rescale[static_cast<std::size_t>(i)]), size = std::fabs(sum);
        for (int j = 0; j < keys; ++j) {
          const double term = wide(v[static_cast<std::size_t>(j * 20 + c)]) * wide(p[at(j, i)]);
          sum += term;
          size += std::fabs(term);
        }
        ASSERT_NEAR(wide(whole[at(c, i)]), sum, (keys + 1) * 0x1p-23 * size);
      }
    }
    for (const int lanes : kSomeLanes) {
      Floats mixed = before, careful = before;
      machine::mix(p.data(), {v.data(), 20}, {value_dim, keys, lanes}, rescale.data(), mixed.data());
      machine::mix_careful(p.data(), all.data(), {v.data(), 20}, {value_dim, keys, lanes}, rescale.data(), careful.data());
      expect_rows_equal(mixed, whole, lanes, "mix");
      expect_rows_equal(careful, whole, lanes, "mix_careful");
    }
  }
}

TEST_P(Word, MixCarefulTakesNothingFromBehindTheMask) {
  const int value_dim = 3, keys = 64;
  Floats p = draw(kTile * kTile), v = draw(64 * 3), clean = v;
  const Floats rescale(kTile, 1), before = draw(at(value_dim, 0));
  std::vector<std::uint8_t> seen(kTile * kTile, 1);
  const float bad[] = {kNaN, kInf, -kInf};
  for (int j = 0; j < keys; j += 4) {
    for (int c = 0; c < 3; ++c) v[static_cast<std::size_t>(j * 3 + c)] = bad[(j / 4 + c) % 3];
    for (int c = 0; c < 3; ++c) clean[static_cast<std::size_t>(j * 3 + c)] = 0;
    for (int i = 0; i < kTile; ++i) {
      seen[at(j, i)] = i == 20;  // lane 20 alone sees them
      if (i != 20) p[at(j, i)] = 0;
    }
  }
  Floats careful = before, plain = before;
  machine::mix_careful(p.data(), seen.data(), {v.data(), 3}, {value_dim, keys, 64}, rescale.data(), careful.data());
  machine::mix(p.data(), {clean.data(), 3}, {value_dim, keys, 64}, rescale.data(), plain.data());
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < kTile; ++i) {
      if (i == 20)
        EXPECT_TRUE(std::isnan(careful[at(c, i)]));
      else
        EXPECT_EQ(careful[at(c, i)], plain[at(c, i)]) << c << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, Word, testing::ValuesIn(base::runnable()), [](const auto& set) { return set.param; });

}  // namespace
}  // namespace heed::machine
