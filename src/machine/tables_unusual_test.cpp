// unusual, suspects, overflown of the tables of every machine: they find what they are to find and nothing else; packed values count it as
// 0.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "machine/tables_support.hpp"

namespace heed::machine {
namespace {

struct Numbers {
  std::vector<double> usual, unusual;
};

/// Both sides of every border of pairs.hpp; `large`: where too large numbers begin.
Numbers numbers_of(DType dtype, double large) {
  const double nan = std::nan(""), inf = HUGE_VAL;
  if (dtype == DType::kBF16)
    return {{0, -0.0, 0x1p-126, -0x1.02p-126, 1, -large * 0x1.fep-1}, {nan, inf, -inf, 0x1p-133, -0x1.fcp-127, large, -0x1.fep127}};
  if (dtype == DType::kF16) return {{0, -0.0, 0x1p-24, -0x1p-14, 0x1.004p0, 65504}, {nan, inf, -inf}};
  return {{0, -0.0, 0x1p-100, -0x1.fffffep-100, 0x1.234568p0, -large * 0x1.fffffep-1},
          {nan, inf, -inf, 0x1p-149, -0x1.fffffep-101, large, -0x1.fffffep127}};
}
constexpr double kLargeKey = 0x1p45, kLargeValue = 0x1p80;

using Finder = std::uint64_t (*)(const Rows&, int, int);

/// A number at one place.
struct Placed {
  double number;
  int row, column;
};

/// It, of [64, 70], between ones; rows beyond `count` do not matter.
std::uint64_t found(Finder find, DType dtype, Layout layout, const Placed& one, int count = kTile) {
  Matrix matrix(dtype, kTile, 70, layout);
  for (int r = 0; r < kTile; ++r) {
    for (int c = 0; c < 70; ++c) matrix.set(r, c, r == one.row && c == one.column ? one.number : r < count ? 1 : std::nan(""));
  }
  return find(matrix.view(), count, 70);
}

void expect_finds(Finder find, DType dtype, const Numbers& numbers) {
  int row = 0;
  for (const Layout layout : kLayouts) {
    for (const int column : {0, 15, 16, 31, 37, 69}) {
      row = (row + 23) % kTile;
      for (const double number : numbers.usual) EXPECT_EQ(found(find, dtype, layout, {number, row, column}), 0U) << number;
      for (const double number : numbers.unusual)
        EXPECT_EQ(found(find, dtype, layout, {number, row, column}), std::uint64_t{1} << row) << number;
    }
    EXPECT_EQ(found(find, dtype, layout, {1, 0, 0}, 5), 0U);
  }
}

using UnusualNumbers = EveryTable;

TEST_P(UnusualNumbers, AreFound) {
  expect_finds(tables_.similarity.unusual_keys, subject_.dtype, numbers_of(subject_.dtype, kLargeKey));
  expect_finds(tables_.similarity.unusual_queries, subject_.dtype, numbers_of(subject_.dtype, kLargeKey));
  expect_finds(tables_.mixing.unusual, subject_.dtype, numbers_of(subject_.dtype, kLargeValue));
}

TEST_P(UnusualNumbers, CountAsZeroInPackedValues) {
  const Numbers numbers = numbers_of(subject_.dtype, kLargeValue);
  std::vector<double> all = numbers.usual, expected = all;
  all.insert(all.end(), numbers.unusual.begin(), numbers.unusual.end());
  expected.resize(all.size(), 0);
  const int columns = static_cast<int>(all.size()) + 40;
  for (const Layout layout : kLayouts) {
    for (const int shift : {0, 40}) {
      Matrix v(subject_.dtype, 1, columns, layout);
      for (int c = 0; c < columns; ++c) v.set(0, c, c < shift || c >= shift + columns - 40 ? 1 : all[index(c - shift)]);
      State state(tables_, columns, 1);
      fold(Floats(kTile * kTile, 0.0F).data(), v, state);  // one key, of weight 1
      const Floats outputs = state.outputs();
      for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(wide(outputs[i + index(shift)]), expected[i]) << all[i];
    }
  }
}

#if HEED_PAIRS
TEST(FewQueriesInPairs, AreUnusualWhereDenormalsOfKeysCouldBeFelt) {
  if (!base::real_cpu().avx512_bf16) GTEST_SKIP() << "no AVX-512 with bf16 products";
  expect_finds(dot::kFewDot.unusual_queries, DType::kBF16,
               {{0, -0.0, 0x1p-133, 1, -0x1.fep63}, {0x1p64, -0x1.02p64, HUGE_VAL, -HUGE_VAL, std::nan("")}});
}
#endif

using Suspects = EveryTable;

TEST_P(Suspects, AreRowsOfNaN) {
  const bool flushes = subject_.parts != 0;  // denormals are lost: rows of tiny numbers are suspect as well
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      State state(tables_, value_dim, lanes);
      Exact exact(random_, value_dim);
      std::uint64_t expected = 0;
      for (int i = 0; i < lanes; ++i) {
        if (i % 3 == 0) exact.o[at(i * 7 % value_dim, i)] = i % 2 == 0 ? kNaN : -kNaN;
        if (i % 3 == 1) exact.set(i, 0, 1, 1e-39F);
        if (i % 6 == 1) exact.o[at(i * 7 % value_dim, i)] = -1e-3F;
        if (i % 3 == 0 || (flushes && i % 6 == 4)) expected |= std::uint64_t{1} << i;
      }
      exact.adopted_by(state);
      EXPECT_EQ(tables_.mixing.suspects(state.o.floats(), state.begun(), value_dim, lanes), expected) << lanes << " x " << value_dim;
    }
  }
}

using Overflown = EveryTable;

TEST_P(Overflown, AreRowsOfNaNAndInfinity) {
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      State state(tables_, value_dim, lanes);
      Exact exact(random_, value_dim);
      std::uint64_t expected = 0;
      for (int i = 0; i < lanes; ++i) {
        exact.o[at(i * 5 % value_dim, i)] = 3.4e38F;
        if (i % 3 != 0) continue;
        exact.o[at(i * 7 % value_dim, i)] = i % 2 == 0 ? kNaN : i % 4 == 1 ? HUGE_VALF : -HUGE_VALF;
        expected |= std::uint64_t{1} << i;
      }
      exact.adopted_by(state);
      EXPECT_EQ(tables_.mixing.overflown(state.o.floats(), value_dim, lanes), expected) << lanes << " x " << value_dim;
    }
  }
}

const auto kHasUnusual = [](const Tables& tables) { return tables.similarity.unusual_keys != nullptr; };
const auto kHasSuspects = [](const Tables& tables) { return tables.mixing.suspects != nullptr; };
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UnusualNumbers);  // where the processor has no products of pairs
INSTANTIATE_TEST_SUITE_P(Machines, UnusualNumbers, testing::ValuesIn(subjects_where(kHasUnusual)), name_of_subject);
INSTANTIATE_TEST_SUITE_P(Machines, Suspects, testing::ValuesIn(subjects_where(kHasSuspects)), name_of_subject);
INSTANTIATE_TEST_SUITE_P(Machines, Overflown, testing::ValuesIn(subjects()), name_of_subject);

}  // namespace
}  // namespace heed::machine
