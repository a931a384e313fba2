// finite, scores_again, absorb_double, mix_double against plain loops in double; for every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/instruction_sets.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kNothing = -std::numeric_limits<double>::infinity();
constexpr int kSomeLanes[] = {1, 3, 16, 17, 33, 64};
constexpr int kSomeKeys[] = {1, 5, 64};

std::size_t at(int row, int lane) {
  return static_cast<std::size_t>(row * kTile + lane);
}
double wide(float x) {
  return static_cast<double>(x);
}

class DoubleWord : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { base::pretend(GetParam()); }
  void TearDown() override { base::pretend(""); }
  std::vector<float> draw(int count) {
    std::normal_distribution<float> normal;
    std::vector<float> numbers(static_cast<std::size_t>(count));
    for (float& number : numbers) number = normal(random_);
    return numbers;
  }
  std::mt19937_64 random_{7};
};

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
    machine::scores_again(qt.data(), k.data(), kStride, kDim, kKeys, lanes, kScale, s.data());
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

/// The state of one row by plain loops.
struct Row {
  double m = kNothing, l = 0;
  std::vector<double> o;
};

TEST_P(DoubleWord, AbsorbAndMixAreTheSoftmaxInDouble) {
  constexpr int kValueDim = 5;
  for (const int lanes : kSomeLanes) {
    for (const int keys : kSomeKeys) {
      std::vector<double> m(kTile, kNothing), l(kTile, 0), o(kValueDim * kTile, 0), rescale(kTile), p(kTile * kTile);
      std::vector<Row> rows(static_cast<std::size_t>(lanes));
      for (Row& row : rows) row.o.assign(kValueDim, 0);
      for (int tile = 0; tile < 3; ++tile) {
        std::vector<float> s = draw(kTile * kTile), v = draw(kTile * kValueDim);
        for (float& value : v) value *= 3e38F / 8;
        for (float& score : s) score *= tile == 1 ? 1e4F : 3;
        for (int j = 0; j < keys; j += 3) {
          std::fill_n(s.begin() + j * kTile, kTile, -kInf);  // a hidden key, whose V holds what it likes
          v[static_cast<std::size_t>(j * kValueDim)] = std::nanf("");
        }
        for (int i = 0; i < lanes; ++i) {
          Row& row = rows[static_cast<std::size_t>(i)];
          for (int j = 0; j < keys; ++j) {
            const double score = wide(s[at(j, i)]);
            if (score == kNothing) continue;
            const double top = std::max(row.m, score), a = std::exp(row.m - top), b = std::exp(score - top);
            row.l = row.l * a + b;
            for (int c = 0; c < kValueDim; ++c) {
              double& sum = row.o[static_cast<std::size_t>(c)];
              sum = sum * a + b * wide(v[static_cast<std::size_t>(j * kValueDim + c)]);
            }
            row.m = top;
          }
        }
        machine::absorb_double(s.data(), keys, lanes, {m.data(), l.data(), o.data()}, rescale.data(), p.data());
        machine::mix_double(p.data(), s.data(), v.data(), kValueDim, kValueDim, keys, lanes, rescale.data(), o.data());
      }
      for (int i = 0; i < lanes; ++i) {
        const Row& row = rows[static_cast<std::size_t>(i)];
        EXPECT_EQ(m[at(0, i)], row.m);
        EXPECT_NEAR(l[at(0, i)], row.l, 0x1p-48 * row.l);
        for (int c = 0; c < kValueDim; ++c) EXPECT_NEAR(o[at(c, i)], row.o[static_cast<std::size_t>(c)], 0x1p-40 * 1e38) << i;
      }
    }
  }
}

TEST_P(DoubleWord, NaNAndInfinityMakeTheirRowNaN) {
  for (const float bad : {std::nanf(""), kInf}) {
    std::vector<float> s(kTile * kTile, 0.5F);
    s[at(3, 20)] = bad;
    std::vector<double> m(kTile, kNothing), l(kTile, 0), rescale(kTile), p(kTile * kTile);
    machine::absorb_double(s.data(), 5, kTile, {m.data(), l.data(), nullptr}, rescale.data(), p.data());
    for (int i = 0; i < kTile; ++i) EXPECT_EQ(std::isnan(l[at(0, i)]), i == 20) << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DoubleWord, testing::ValuesIn(base::runnable()));

}  // namespace
}  // namespace heed::machine
