// Element types, shapes, strides, and elements of every type in and out.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include <heed/error.hpp>
#include <heed/tensor.hpp>

namespace heed {
namespace {

constexpr std::array kAll{DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64,
                          DType::kI32, DType::kI16, DType::kI8,  DType::kU8,   DType::kBool};

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no heed::Error was thrown";
  return Error({});
}

TEST(DTypeNames, GoThereAndBack) {
  for (const DType dtype : kAll) EXPECT_EQ(dtype_from(name_of(dtype)), dtype);
  EXPECT_EQ(dtype_from("bfloat16"), DType::kBF16);
  EXPECT_EQ(dtype_from("float32"), DType::kF32);
  EXPECT_EQ(dtype_from("uint8"), DType::kU8);
}

TEST(DTypeNames, AnUnknownOneIsAnsweredWithTheKnownOnes) {
  const Error error = error_of([] { (void)dtype_from("fp8"); });
  EXPECT_EQ(error.parts().expected, "one of f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool");
  EXPECT_EQ(error.parts().found, "\"fp8\"");
  EXPECT_THROW((void)dtype_from(""), Error);
  EXPECT_THROW((void)dtype_from("F32"), Error);
}

TEST(DTypeSizes, AreThoseOfTheTypes) {
  const std::array<std::int64_t, 10> sizes{8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
  for (std::size_t i = 0; i < kAll.size(); ++i) {
    EXPECT_EQ(size_of(kAll[i]), sizes[i]);
    EXPECT_EQ(is_real(kAll[i]), i < 4);
  }
  EXPECT_THROW((void)size_of(static_cast<DType>(10)), Error);
}

TEST(Shapes, TextCountAndStrides) {
  EXPECT_EQ(to_text(Dims{2, 9, 2224, 64}), "[2, 9, 2224, 64]");
  EXPECT_EQ(to_text(Dims{}), "[]");
  EXPECT_EQ(count_of(Dims{2, 3, 4}), 24);
  EXPECT_EQ(count_of(Dims{}), 1);
  EXPECT_EQ(count_of(Dims{2, 0, 4}), 0);
  EXPECT_EQ(contiguous_strides(Dims{2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ(contiguous_strides(Dims{}), Dims{});
}

TEST(Shapes, ANegativeExtentIsAnError) {
  const Error error = error_of([] { (void)count_of(Dims{2, -1}); });
  EXPECT_EQ(error.parts().what, "an extent is negative");
  EXPECT_EQ(error.parts().found, "[2, -1]");
  EXPECT_THROW((void)contiguous_strides(Dims{0, -1}), Error);
}

TEST(Shapes, AProductPast63BitsIsAnError) {
  const std::int64_t huge = std::int64_t{1} << 32;
  EXPECT_EQ(count_of(Dims{huge, huge / 4}), std::int64_t{1} << 62);
  const Error error = error_of([&] { (void)count_of(Dims{huge, huge / 2}); });
  EXPECT_EQ(error.parts().what, "the number of elements leaves 63 bits");
  EXPECT_THROW((void)contiguous_strides(Dims{0, huge, huge}), Error);
  EXPECT_THROW((void)count_of(Dims{huge, huge, 0}), Error);
}

TEST(Shapes, ANinthAxisIsAnError) {
  Dims dims{1, 2, 3, 4, 5, 6, 7, 8};
  const Error error = error_of([&] { dims.push(9); });
  EXPECT_EQ(error.parts().what, "too many axes");
  EXPECT_EQ(dims.rank(), 8);
}

TEST(Owning, IsZeroAlignedAndShared) {
  Tensor tensor(DType::kF32, {3, 5});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.view().data) % 64, 0U);
  for (std::int64_t i = 0; i < tensor.count(); ++i) EXPECT_EQ(tensor.data<float>()[i], 0.0F);
  Tensor copy = tensor;
  copy.data<float>()[7] = 2.0F;
  EXPECT_EQ(tensor.data<float>()[7], 2.0F);
}

TEST(Owning, AnEmptyTensorIsGivenAndADefaultOneIsNot) {
  EXPECT_TRUE(Tensor(DType::kF32, {0, 4}).view().given());
  EXPECT_TRUE(Tensor(DType::kF32, {}).view().given());
  EXPECT_FALSE(TensorView{}.given());
  EXPECT_FALSE(Tensor{}.view().given());
}

TEST(Owning, ASizePast63BitsIsAnError) {
  const Error error = error_of([] { (void)Tensor(DType::kF64, {std::int64_t{1} << 61}); });
  EXPECT_EQ(error.parts().what, "the size in bytes leaves 63 bits");
}

TEST(Elements, EveryTypeStoresAndReadsBack) {
  for (const DType dtype : kAll) {
    Tensor tensor(dtype, {4});
    for (int i = 0; i < 4; ++i) store_real(tensor.span(), i, i % 2);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(real_at(tensor.view(), i), i % 2) << name_of(dtype);
  }
}

TEST(Elements, StoringRoundsOnceToNearestEven) {
  Tensor half(DType::kF16, {1});
  store_real(half.span(), 0, 1.0 + 0x1p-11 + 0x1p-40);  // just past a midpoint; through a rounded f32 it would fall to 1
  EXPECT_EQ(real_at(half.view(), 0), 1.0 + 0x1p-10);
  Tensor brain(DType::kBF16, {1});
  store_real(brain.span(), 0, 1.0 + 0x1p-8 + 0x1p-40);
  EXPECT_EQ(real_at(brain.view(), 0), 1.0 + 0x1p-7);
  Tensor integer(DType::kI32, {1});
  store_real(integer.span(), 0, 2.5);
  EXPECT_EQ(integer_at(integer.view(), 0), 2);
}

TEST(Elements, AnIntegerThatDoesNotFitIsAnError) {
  Tensor byte(DType::kU8, {1});
  store_real(byte.span(), 0, 255.0);
  EXPECT_EQ(integer_at(byte.view(), 0), 255);
  const Error error = error_of([&] { store_real(byte.span(), 0, 256.0); });
  EXPECT_EQ(error.parts().expected, "a value of u8");
  EXPECT_THROW(store_real(byte.span(), 0, -1.0), Error);
  EXPECT_THROW(store_real(byte.span(), 0, std::nan("")), Error);
  Tensor wide(DType::kI64, {1});
  EXPECT_THROW(store_real(wide.span(), 0, 0x1p63), Error);
  store_real(wide.span(), 0, -0x1p63);
  EXPECT_EQ(integer_at(wide.view(), 0), std::numeric_limits<std::int64_t>::min());
}

TEST(Elements, OffsetsMayBeNegativeAndBytesUnaligned) {
  std::array<std::byte, 17> buffer{};
  const double values[2] = {3.0, 4.0};
  std::memcpy(buffer.data() + 1, values, sizeof values);
  EXPECT_EQ(real_at({buffer.data() + 9, DType::kF64, {1}}, -1), 3.0);
  EXPECT_EQ(real_at({buffer.data() + 9, DType::kF64, {1}}, 0), 4.0);
}

TEST(Elements, AnyNonZeroByteIsTrue) {
  const std::uint8_t bytes[2] = {0, 7};
  const TensorView tensor{bytes, DType::kBool, {2}};
  EXPECT_EQ(integer_at(tensor, 0), 0);
  EXPECT_EQ(integer_at(tensor, 1), 1);
  EXPECT_EQ(real_at(tensor, 1), 1.0);
}

TEST(Elements, ARealElementIsNoInteger) {
  const Error error = error_of([] {
    const Tensor tensor(DType::kBF16, {1});
    (void)integer_at(tensor.view(), 0);
  });
  EXPECT_EQ(error.parts().found, "bf16");
}

}  // namespace
}  // namespace heed
