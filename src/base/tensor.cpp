// Element types, shapes and the owning tensor: what include/heed/tensor.hpp declares.
//
// Elements are read and written by memcpy, so views may be unaligned. Products of extents are taken over the non-zero ones: a shape
// like [0, 2^62, 4] is refused although it holds nothing, because its strides would not fit.
// Checked in tensor_test.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include <heed/error.hpp>
#include <heed/tensor.hpp>

#include "base/dtype.hpp"

namespace heed {
namespace {

struct DTypeRow {
  DType dtype;
  std::int64_t size;
  std::string_view name;
  std::string_view long_name;
};

// In the order of the enumeration.
constexpr std::array<DTypeRow, 10> kDTypes{{{DType::kF64, 8, "f64", "float64"},
                                            {DType::kF32, 4, "f32", "float32"},
                                            {DType::kF16, 2, "f16", "float16"},
                                            {DType::kBF16, 2, "bf16", "bfloat16"},
                                            {DType::kI64, 8, "i64", "int64"},
                                            {DType::kI32, 4, "i32", "int32"},
                                            {DType::kI16, 2, "i16", "int16"},
                                            {DType::kI8, 1, "i8", "int8"},
                                            {DType::kU8, 1, "u8", "uint8"},
                                            {DType::kBool, 1, "bool", "bool"}}};

const DTypeRow& row_of(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  if (index >= kDTypes.size()) throw Error({"no such dtype", "dtype", "a number below 10", std::to_string(index)});
  return kDTypes[index];
}

template <class T>
T load(const void* data, std::int64_t offset) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + offset * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <class T>
void store(void* data, std::int64_t offset, T value) {
  std::memcpy(static_cast<std::byte*>(data) + offset * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
}

/// Throws Error when the rounded value is not an Integer.
template <class Integer>
void store_rounded(const TensorSpan& tensor, std::int64_t offset, double value) {
  const double rounded = std::nearbyint(value);
  const double past = std::ldexp(1.0, std::numeric_limits<Integer>::digits);  // one past the largest
  const auto lowest = static_cast<double>(std::numeric_limits<Integer>::min());
  if (!(rounded >= lowest && rounded < past)) {
    throw Error(
        {"the value does not fit the element type", "store", "a value of " + std::string(name_of(tensor.dtype)), std::to_string(value)});
  }
  store(tensor.data, offset, static_cast<Integer>(rounded));
}

/// Product of the non-zero extents.
std::int64_t checked_product(const Dims& shape) {
  std::int64_t product = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t extent = shape[axis];
    if (extent < 0) throw Error({"an extent is negative", "shape", "extents of at least 0", to_text(shape)});
    if (extent == 0) continue;
    if (product > std::numeric_limits<std::int64_t>::max() / extent) {
      throw Error({"the number of elements leaves 63 bits", "shape", "a product below 2^63", to_text(shape)});
    }
    product *= extent;
  }
  return product;
}

std::shared_ptr<std::byte> zeroed(std::size_t size) {
  constexpr std::align_val_t kAlignment{64};
  const std::size_t asked = std::max<std::size_t>(size, 1);  // an empty tensor is still given
  std::shared_ptr<std::byte> bytes(static_cast<std::byte*>(::operator new(asked, kAlignment)),
                                   [](std::byte* pointer) { ::operator delete (pointer, std::align_val_t{64}); });
  std::memset(bytes.get(), 0, asked);
  return bytes;
}

}  // namespace

std::int64_t size_of(DType dtype) {
  return row_of(dtype).size;
}

std::string_view name_of(DType dtype) {
  return row_of(dtype).name;
}

DType dtype_from(std::string_view name) {
  std::string known;
  for (const DTypeRow& row : kDTypes) {
    if (name == row.name || name == row.long_name) return row.dtype;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error({"unknown element type", "dtype", "one of " + known, "\"" + std::string(name) + "\""});
}

bool is_real(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

void Dims::push(std::int64_t value) {
  if (rank_ == kMaxRank) throw Error({"too many axes", "shape", "at most 8", "9 or more"});
  values_[static_cast<std::size_t>(rank_++)] = value;
}

std::string to_text(const Dims& dims) {
  std::string text = "[";
  for (int axis = 0; axis < dims.rank(); ++axis) text += (axis == 0 ? "" : ", ") + std::to_string(dims[axis]);
  return text + "]";
}

std::int64_t count_of(const Dims& shape) {
  const std::int64_t product = checked_product(shape);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 0) return 0;
  }
  return product;
}

Dims contiguous_strides(const Dims& shape) {
  (void)checked_product(shape);
  Dims strides = shape;
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

Tensor::Tensor(DType dtype, const Dims& shape) : dtype_(dtype), shape_(shape) {
  const std::int64_t count = count_of(shape);
  if (count > std::numeric_limits<std::int64_t>::max() / size_of(dtype)) {
    throw Error({"the size in bytes leaves 63 bits", "tensor", "below 2^63 bytes", to_text(shape) + " of " + std::string(name_of(dtype))});
  }
  bytes_ = zeroed(static_cast<std::size_t>(count * size_of(dtype)));
}

double real_at(const TensorView& tensor, std::int64_t offset) {
  switch (tensor.dtype) {
    case DType::kF64:
      return load<double>(tensor.data, offset);
    case DType::kF32:
      return static_cast<double>(load<float>(tensor.data, offset));
    case DType::kF16:
      return static_cast<double>(f32_from(load<f16>(tensor.data, offset)));
    case DType::kBF16:
      return static_cast<double>(f32_from(load<bf16>(tensor.data, offset)));
    default:
      return static_cast<double>(integer_at(tensor, offset));
  }
}

std::int64_t integer_at(const TensorView& tensor, std::int64_t offset) {
  switch (tensor.dtype) {
    case DType::kI64:
      return load<std::int64_t>(tensor.data, offset);
    case DType::kI32:
      return load<std::int32_t>(tensor.data, offset);
    case DType::kI16:
      return load<std::int16_t>(tensor.data, offset);
    case DType::kI8:
      return load<std::int8_t>(tensor.data, offset);
    case DType::kU8:
      return load<std::uint8_t>(tensor.data, offset);
    case DType::kBool:
      return load<std::uint8_t>(tensor.data, offset) != 0 ? 1 : 0;
    default:
      throw Error({"an element is read as an integer", "tensor", "an integer or boolean dtype", std::string(name_of(tensor.dtype))});
  }
}

void store_real(const TensorSpan& tensor, std::int64_t offset, double value) {
  switch (tensor.dtype) {
    case DType::kF64:
      return store(tensor.data, offset, value);
    case DType::kF32:
      return store(tensor.data, offset, static_cast<float>(value));
    case DType::kF16:
      return store(tensor.data, offset, f16_from(value));
    case DType::kBF16:
      return store(tensor.data, offset, bf16_from(value));
    case DType::kI64:
      return store_rounded<std::int64_t>(tensor, offset, value);
    case DType::kI32:
      return store_rounded<std::int32_t>(tensor, offset, value);
    case DType::kI16:
      return store_rounded<std::int16_t>(tensor, offset, value);
    case DType::kI8:
      return store_rounded<std::int8_t>(tensor, offset, value);
    case DType::kU8:
      return store_rounded<std::uint8_t>(tensor, offset, value);
    case DType::kBool:
      return store(tensor.data, offset, static_cast<std::uint8_t>(value != 0.0));
  }
  throw Error({"no such dtype", "dtype", "a number below 10", std::to_string(static_cast<int>(tensor.dtype))});
}

}  // namespace heed
