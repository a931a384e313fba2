// The words of double.hpp against plain loops, for every instruction set, and for lanes, keys and dimensions that are no multiple of
// anything.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/instruction_sets.hpp"
#include "laws/support/rows.hpp"
#include "machine/double.hpp"

namespace heed::machine {
namespace {

using laws::at;
using laws::Doubles;
using DoubleTile = laws::RowTest<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

/// Sizes of a tile of scores or of output: rows, what is summed over, lanes.
constexpr int kSizes[][3] = {{1, 1, 1}, {5, 7, 3}, {6, 64, 64}, {64, 65, 33}, {63, 128, 17}, {13, 3, 8}};

TEST_P(DoubleTile, ScoresAreScaledDotProducts) {
  for (const auto& [keys, dim, lanes] : kSizes) {
    const int stride = dim + 3;
    const Doubles qt = draw(dim * kTile), k = draw(keys * stride);
    Doubles s(kTile * kTile, kNaN);
    EXPECT_TRUE(scores(qt.data(), {k.data(), stride}, {dim, keys, lanes}, -1.7, s.data()));
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < lanes; ++i) {
        double sum = 0, size = 0;
        for (int c = 0; c < dim; ++c) {
          const double product = k[static_cast<std::size_t>(j * stride + c)] * qt[at(c, i)];
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_NEAR(s[at(j, i)], -1.7 * sum, 0x1p-50 * size) << keys << " " << dim << " " << lanes;
      }
    }
  }
}

TEST_P(DoubleTile, ScoresSayWhetherAllAreFinite) {
  for (const double bad : {kNaN, kInf, 1e200}) {
    for (int key = 0; key < 13; ++key) {
      Doubles qt(2 * kTile, 1e200), k(13 * 2, 1);
      k[static_cast<std::size_t>(2 * key + 1)] = bad;
      Doubles s(kTile * kTile);
      EXPECT_FALSE(scores(qt.data(), {k.data(), 2}, {2, 13, 40}, 1, s.data())) << bad << " at " << key;
    }
  }
}

TEST_P(DoubleTile, InfiniteScoresOfFiniteNumbersAreRefused) {
  Doubles qt(kTile, 1e200), k{1e200, 1, kInf, -kInf, kNaN};
  qt[3] = kInf;
  qt[4] = -1e200;
  Doubles s(5 * kTile);
  const Shape shape{1, 5, 6};
  scores(qt.data(), {k.data(), 1}, shape, 1, s.data());
  refuse_infinite(qt.data(), {k.data(), 1}, shape, s.data());
  EXPECT_TRUE(std::isnan(s[at(0, 0)]));
  EXPECT_EQ(s[at(0, 3)], kInf);
  EXPECT_TRUE(std::isnan(s[at(0, 4)]));
  EXPECT_EQ(s[at(1, 0)], 1e200);
  EXPECT_EQ(s[at(2, 0)], kInf);
  EXPECT_EQ(s[at(2, 4)], -kInf);
  EXPECT_EQ(s[at(3, 5)], -kInf);
  EXPECT_TRUE(std::isnan(s[at(4, 0)]));
}

TEST_P(DoubleTile, MixAddsWeightedValues) {
  for (const auto& [value_dim, keys, lanes] : kSizes) {
    if (keys > kTile) continue;
    const int stride = value_dim + 2;
    const Doubles p = draw(keys * kTile), v = draw(keys * stride), rescale = draw(kTile), before = draw(value_dim * kTile);
    Doubles o = before;
    mix(p.data(), {v.data(), stride}, {value_dim, keys, lanes}, rescale.data(), o.data());
    for (int c = 0; c < value_dim; ++c) {
      for (int i = 0; i < lanes; ++i) {
        double sum = 0;
        for (int j = 0; j < keys; ++j) sum += v[static_cast<std::size_t>(j * stride + c)] * p[at(j, i)];
        ASSERT_NEAR(o[at(c, i)], before[at(c, i)] * rescale[static_cast<std::size_t>(i)] + sum, 0x1p-44);
      }
    }
  }
}

/// Places that are not seen give nothing, whatever V holds; where V is finite the bits are mix's.
TEST_P(DoubleTile, MixOfTheSeenTakesNothingFromBehindTheMask) {
  constexpr int kValueDim = 13, kKeys = 50, kLanes = 37;
  Doubles p = draw(kKeys * kTile), v = draw(kKeys * kValueDim), rescale = draw(kTile), plain = draw(kValueDim * kTile), seen_only = plain;
  std::vector<std::uint8_t> seen(kKeys * kTile);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    seen[i] = random_() % 3 != 0 && i / kTile != 20;
    if (!seen[i]) p[i] = 0;
  }
  mix(p.data(), {v.data(), kValueDim}, {kValueDim, kKeys, kLanes}, rescale.data(), plain.data());
  for (const double bad : {kNaN, kInf, -kInf}) {
    Doubles dirty = v, o = seen_only;
    for (int c = 0; c < kValueDim; ++c) dirty[static_cast<std::size_t>(20 * kValueDim + c)] = bad;
    mix_seen(p.data(), seen.data(), Lines<double>{dirty.data(), kValueDim}, {kValueDim, kKeys, kLanes}, rescale.data(), o.data());
    for (int c = 0; c < kValueDim; ++c) {
      for (int i = 0; i < kLanes; ++i) ASSERT_EQ(std::memcmp(&o[at(c, i)], &plain[at(c, i)], sizeof(double)), 0) << bad;
    }
  }
  // Of floats: the same sums of the same numbers.
  std::vector<float> narrow(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(narrow[i] = static_cast<float>(v[i]));
  Doubles one = seen_only, other = seen_only;
  mix_seen(p.data(), seen.data(), Lines<double>{v.data(), kValueDim}, {kValueDim, kKeys, kLanes}, rescale.data(), one.data());
  mix_seen(p.data(), seen.data(), Lines<float>{narrow.data(), kValueDim}, {kValueDim, kKeys, kLanes}, rescale.data(), other.data());
  for (int i = 0; i < kLanes; ++i) EXPECT_EQ(one[at(5, i)], other[at(5, i)]);
}

TEST_P(DoubleTile, BlendJoinsTwoOutputs) {
  const Doubles before = draw(5 * kTile), part = draw(5 * kTile), a = draw(kTile), b = draw(kTile);
  Doubles o = before;
  blend(o.data(), a.data(), part.data(), b.data(), 5, 37);
  for (int c = 0; c < 5; ++c) {
    for (int i = 0; i < 37; ++i) {
      const auto lane = static_cast<std::size_t>(i);
      EXPECT_NEAR(o[at(c, i)], a[lane] * before[at(c, i)] + b[lane] * part[at(c, i)], 0x1p-48);
    }
  }
}

TEST_P(DoubleTile, FiniteLooksAtItsLanesAlone) {
  for (const double bad : {kNaN, kInf, -kInf}) {
    Doubles o(5 * kTile, 1e308);
    o[at(2, 17)] = bad;
    EXPECT_TRUE(finite(o.data(), 5, 17));
    EXPECT_FALSE(finite(o.data(), 5, 18));
  }
}

TEST_P(DoubleTile, EdgesPlaceAndDivide) {
  const Doubles data = draw(4 * 3 * 2);
  const Rows strided{data.data(), DType::kF64, 6, 2};  // every second number
  Doubles buffer(4 * 3, kNaN), qt(3 * kTile, kNaN);
  const Lines<double> lines = in_double(strided, 4, 3, buffer.data());
  for (int row = 0; row < 4; ++row) {
    for (int c = 0; c < 3; ++c) EXPECT_EQ(lines.data[row * lines.stride + c], data[static_cast<std::size_t>(row * 6 + c * 2)]);
  }
  EXPECT_EQ(in_double({data.data(), DType::kF64, 6, 1}, 4, 6, nullptr).data, data.data());
  const std::int64_t slots[] = {18, 0, 6};
  Rows by_offset = strided;
  by_offset.row_stride = 1;
  load_queries(by_offset, slots, 3, 3, qt.data());
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < kTile; ++i) EXPECT_EQ(qt[at(c, i)], i < 3 ? data[static_cast<std::size_t>(slots[i] + c * 2)] : 0) << c << " " << i;
  }
  Doubles divisor(kTile, 1), o = draw(2 * kTile), out(40, kNaN);
  divisor[5] = 3;
  o[at(0, 6)] = o[at(1, 6)] = 0;  // saw nothing
  finish(o.data(), divisor.data(), 2, 5, 2, {out.data(), DType::kF64, 10, 3});
  EXPECT_EQ(out[0], o[at(0, 5)] / 3);
  EXPECT_EQ(out[3], o[at(1, 5)] / 3);
  EXPECT_EQ(out[10], 0);
  EXPECT_EQ(out[13], 0);
  EXPECT_TRUE(std::isnan(out[1]));
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DoubleTile, testing::ValuesIn(base::runnable()));

}  // namespace
}  // namespace heed::machine
