// finite and scores_again against plain loops in double; for every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/instruction_sets.hpp"
#include "laws/support/rows.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {
namespace {

using laws::at;
using laws::kSomeKeys;
using laws::kSomeLanes;
using laws::wide;
using DoubleWord = laws::RowTest<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST_P(DoubleWord, FiniteLooksAtEveryScoreAndAtNoOther) {
  for (const int lanes : kSomeLanes) {
    for (const int keys : kSomeKeys) {
      for (const float bad : {kInf, -kInf, std::nanf("")}) {
        std::vector<float> s(kTile * kTile, bad);  // beyond the lanes, too
        for (int j = 0; j < keys; ++j) std::fill_n(s.begin() + j * kTile, lanes, j % 2 ? 3e38F : -3e38F);
        EXPECT_TRUE(machine::finite(s.data(), keys, lanes)) << lanes << " x " << keys;
        for (const int lane : {0, lanes / 2, lanes - 1}) {
          for (const int key : {0, keys / 2, keys - 1}) {
            const float before = std::exchange(s[at(key, lane)], bad);
            EXPECT_FALSE(machine::finite(s.data(), keys, lanes)) << lanes << " x " << keys << ": " << lane << ", " << key;
            s[at(key, lane)] = before;
          }
        }
      }
    }
  }
}

TEST_P(DoubleWord, ScoresAgainRoundsTheSumInDoubleOnce) {
  constexpr int kDim = 7, kStride = 9, kKeys = 13;
  for (const int lanes : kSomeLanes) {
    std::vector<float> qt = draw(kDim * kTile), k = draw(kKeys * kStride), s(kKeys * kTile);
    for (std::size_t i = 0; i < qt.size(); ++i) qt[i] *= i / kTile < 2 ? 1e25F : 1;
    for (std::size_t i = 0; i < k.size(); ++i) k[i] *= i / kStride % 3 == 0 && i % kStride < 2 ? 1e16F : 1;  // some sums beyond f32
    k[2 * kStride] = kInf;                                                                                   // and one that is infinite
    for (std::size_t i = 0; i < s.size(); ++i) s[i] = i % 5 == 0 ? kInf : i % 5 == 1 ? std::nanf("") : i % 5 == 2 ? -kInf : 0.25F;
    const std::vector<float> before = s;
    constexpr float kScale = -3.0F;
    machine::scores_again(qt.data(), {k.data(), kStride}, {kDim, kKeys, lanes}, kScale, s.data());
    for (int j = 0; j < kKeys; ++j) {
      for (int i = 0; i < lanes; ++i) {
        const float got = s[at(j, i)];
        if (std::isfinite(before[at(j, i)])) {
          EXPECT_EQ(got, 0.25F);
          continue;
        }
        double sum = 0;
        for (int c = 0; c < kDim; ++c) sum += wide(k[static_cast<std::size_t>(j * kStride + c)]) * wide(qt[at(c, i)]);
        sum *= kScale;
        const auto rounded = static_cast<float>(sum);
        if (std::isnan(sum) || (std::isinf(rounded) && std::isfinite(sum)))
          EXPECT_TRUE(std::isnan(got)) << sum << " gave " << got;
        else if (std::isinf(rounded))
          EXPECT_EQ(got, rounded);
        else
          EXPECT_NEAR(wide(got), wide(rounded), 0x1p-22 * std::fabs(sum)) << j << " " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DoubleWord, testing::ValuesIn(base::runnable()));

}  // namespace
}  // namespace heed::machine
