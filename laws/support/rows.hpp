// What the tests of words on tiles share: places in a tile of 64 lanes, drawn numbers, sizes that are no multiple of anything, and a
// fixture that runs a test for every instruction set.
#pragma once

#include <gtest/gtest.h>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/instruction_sets.hpp"
#include "base/tile.hpp"

namespace heed::laws {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline constexpr int kSomeLanes[] = {1, 3, 16, 17, 33, 64};
inline constexpr int kSomeKeys[] = {1, 5, 64};

/// Of a row of 64 lanes.
inline std::size_t at(int row, int lane) {
  return static_cast<std::size_t>(row * base::kTile + lane);
}
inline double wide(float x) {
  return static_cast<double>(x);
}
template <std::floating_point F>
bool same_bits(F a, F b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// m, l, o of 64 rows.
struct RowState {
  explicit RowState(int value_dim = 0)
      : m(base::kTile, -std::numeric_limits<float>::infinity()), l(base::kTile, 0), o(at(value_dim, 0), 0) {}
  Floats m, l, o;
};

inline void expect_rows_equal(const Floats& a, const Floats& b, int lanes, const char* what) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (static_cast<int>(i % base::kTile) < lanes) {
      EXPECT_TRUE(same_bits(a[i], b[i])) << what << " row " << i / base::kTile << " lane " << i % base::kTile << ": " << a[i] << " "
                                         << b[i];
    }
  }
}

/// A test of words in F, run for every instruction set.
template <class F>
class RowTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { base::pretend(GetParam()); }
  void TearDown() override { base::pretend(""); }

  template <std::integral Count>
  std::vector<F> draw(Count count, F spread = 1) {
    std::normal_distribution<F> normal(0, spread);
    std::vector<F> numbers(static_cast<std::size_t>(count));
    for (F& number : numbers) number = normal(random_);
    return numbers;
  }
  std::mt19937_64 random_{42};
};

}  // namespace heed::laws
