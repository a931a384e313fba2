// Which tensors share memory: against marking every byte, on random shapes and strides; packed buffers; strides beyond any memory.
#include "base/overlap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace heed::base {
namespace {

alignas(64) std::byte memory[1 << 16];

TensorView at(std::int64_t byte, DType dtype, const Dims& shape, const Dims& strides) {
  return {memory + byte, dtype, shape, strides};
}

/// Offsets of the elements, in bytes from `memory`, in row-major order.
std::vector<std::int64_t> places_of(const TensorView& tensor) {
  std::vector<std::int64_t> places{static_cast<const std::byte*>(tensor.data) - memory};
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
    std::vector<std::int64_t> longer;
    for (const std::int64_t place : places) {
      for (std::int64_t i = 0; i < tensor.shape[axis]; ++i) longer.push_back(place + i * tensor.strides[axis] * size_of(tensor.dtype));
    }
    places = longer;
  }
  return places;
}

std::set<std::int64_t> bytes_of(const TensorView& tensor) {
  std::set<std::int64_t> bytes;
  for (const std::int64_t place : places_of(tensor)) {
    for (std::int64_t n = 0; n < size_of(tensor.dtype); ++n) bytes.insert(place + n);
  }
  return bytes;
}

bool share_a_byte(const TensorView& a, const TensorView& b) {
  const std::set<std::int64_t> bytes = bytes_of(a);
  return std::ranges::any_of(bytes_of(b), [&](std::int64_t byte) { return bytes.contains(byte); });
}

class Random {
 public:
  std::int64_t from(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(engine_); }
  TensorView tensor() {
    TensorView view = at(0, std::vector{DType::kF32, DType::kBF16, DType::kU8, DType::kF64}[static_cast<std::size_t>(from(0, 3))], {}, {});
    for (std::int64_t rank = from(0, 3), axis = 0; axis < rank; ++axis) {
      view.shape.push(from(0, 9) == 0 ? 0 : from(1, 4));
      view.strides.push(from(-9, 9));
    }
    view.data = memory + 4096 + from(0, 12) * size_of(view.dtype) + (from(0, 3) == 0 ? 1 : 0);
    return view;
  }

 private:
  std::mt19937_64 engine_{20};
};

TEST(Overlap, IsWhatMarkingEveryByteFinds) {
  Random random;
  int shared = 0, twice = 0;
  for (int round = 0; round < 20'000; ++round) {
    const TensorView a = random.tensor(), b = random.tensor();
    const bool expected = share_a_byte(a, b);
    shared += expected;
    ASSERT_EQ(overlap(a, b), expected) << to_text(a.shape) << to_text(a.strides) << " " << to_text(b.shape) << to_text(b.strides);
    ASSERT_EQ(overlap(b, a), expected);
    const std::vector<std::int64_t> places = places_of(a);
    const bool coincide = std::set<std::int64_t>(places.begin(), places.end()).size() < places.size();
    twice += coincide;
    ASSERT_EQ(overlaps_itself(a), coincide) << to_text(a.shape) << to_text(a.strides);
  }
  EXPECT_GT(shared, 1000);
  EXPECT_LT(shared, 19'000);
  EXPECT_GT(twice, 1000);
}

TEST(Overlap, PackedTensorsLieApart) {
  const std::int64_t heads = 4, kv_heads = 2, dim = 8, tokens = 12, row = (2 * heads + 2 * kv_heads) * dim;
  const auto packed = [&](std::int64_t first, std::int64_t of) {
    return at(first * dim * 4, DType::kF32, {2, of, tokens, dim}, {tokens * row, dim, row, 1});
  };
  const TensorView q = packed(0, heads), k = packed(heads, kv_heads), v = packed(heads + kv_heads, kv_heads),
                   o = packed(heads + 2 * kv_heads, heads);
  for (const TensorView& input : {q, k, v}) {
    EXPECT_FALSE(overlap(o, input));
    EXPECT_TRUE(overlap(input, input));
  }
  EXPECT_TRUE(overlap(packed(heads + 2 * kv_heads - 1, heads), v));
  EXPECT_TRUE(overlap(packed(2, heads), q));
  // Every second component: interleaved, byte ranges the same.
  EXPECT_FALSE(overlap(at(0, DType::kF32, {100, 8}, {16, 2}), at(4, DType::kF32, {100, 8}, {16, 2})));
  EXPECT_TRUE(overlap(at(0, DType::kF32, {100, 8}, {16, 2}), at(6, DType::kF32, {100, 8}, {16, 2})));
}

TEST(Overlap, LargeShapesAreSettledAtOnce) {
  const std::int64_t far = std::int64_t{1} << 40;
  EXPECT_FALSE(overlap(at(0, DType::kF32, {far, 64}, {192, 1}), at(64 * 4, DType::kF32, {far, 64}, {192, 1})));
  EXPECT_TRUE(overlap(at(0, DType::kF32, {far, 64}, {192, 1}), at(63 * 4, DType::kF32, {far, 64}, {192, 1})));
  EXPECT_FALSE(overlaps_itself(at(0, DType::kF32, {far, 64}, {192, 1})));
  EXPECT_TRUE(overlaps_itself(at(0, DType::kF32, {far, 65}, {64, 1})));
}

TEST(Overlap, WhatCannotBeSettledCounts) {
  const std::int64_t most = INT64_MAX;
  EXPECT_TRUE(overlap(at(0, DType::kF32, {2, 2}, {most, 1}), at(4096, DType::kF32, {2}, {1})));
  EXPECT_TRUE(overlap(at(0, DType::kF32, {2}, {INT64_MIN}), at(4096, DType::kF32, {2}, {1})));
  EXPECT_TRUE(overlap(at(0, DType::kF32, {most}, {most}), at(4096, DType::kF32, {2}, {1})));
  EXPECT_FALSE(overlap(at(0, DType::kF32, {1, 2}, {most, 1}), at(4096, DType::kF32, {2}, {1})));
  EXPECT_FALSE(overlap(at(0, DType::kF32, {0, 2}, {most, 1}), at(0, DType::kF32, {2}, {1})));
  // No strides nest here, and too many sums lie near each other.
  const Dims shape{900, 900, 900, 900}, strides{2 * 1009, 2 * 1013, 2 * 1019, 2 * 1021};
  EXPECT_TRUE(overlap(at(0, DType::kU8, shape, strides), at(1, DType::kU8, shape, strides)));
}

TEST(SamePlaces, IgnoresStridesThatNobodyTakes) {
  EXPECT_TRUE(same_places(at(0, DType::kF32, {2, 1, 3}, {3, 3, 1}), at(0, DType::kF32, {2, 1, 3}, {3, 99, 1})));
  EXPECT_FALSE(same_places(at(0, DType::kF32, {2, 1, 3}, {3, 3, 1}), at(0, DType::kF32, {2, 1, 3}, {6, 3, 1})));
  EXPECT_FALSE(same_places(at(0, DType::kF32, {2}, {1}), at(4, DType::kF32, {2}, {1})));
  EXPECT_FALSE(same_places(at(0, DType::kF32, {2}, {1}), at(0, DType::kI32, {2}, {1})));
}

}  // namespace
}  // namespace heed::base
