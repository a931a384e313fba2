// Rows of a tensor where they lie: what walks hand to machines, read and written.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heed/tensor.hpp>

namespace heed::base {

/// Rows of a matrix in memory: element (row, column) at data[row * row_stride + column * column_stride], strides in elements.
struct Rows {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  [[nodiscard]] Rows from(std::int64_t row) const {
    return {static_cast<const std::byte*>(data) + row * row_stride * size_of(dtype), dtype, row_stride, column_stride};
  }
};

/// Where finished rows go.
struct OutputRows {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
};

/// Elements from the first one to place (b, h, t, c) of a tensor [B, H, T, C] of these strides; of [B, H, T] to (b, h, t), whatever c.
[[nodiscard]] inline std::int64_t offset_of(const Dims& strides, std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t c = 0) {
  return b * strides[0] + h * strides[1] + t * strides[2] + c * strides[3];
}

/// The element there, as double.
[[nodiscard]] inline double element(const TensorView& tensor, std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t c = 0) {
  return real_at(tensor, offset_of(tensor.strides, b, h, t, c));
}

/// Rows [T, D] of one head of a [B, H, T, D] tensor.
[[nodiscard]] inline Rows rows_of(const TensorView& tensor, std::int64_t b, std::int64_t h) {
  return {static_cast<const std::byte*>(tensor.data) + offset_of(tensor.strides, b, h, 0) * size_of(tensor.dtype), tensor.dtype,
          tensor.strides[2], tensor.strides[3]};
}

/// function(T{}) with the element type of a dtype that kernels compute with: f32, f16 or bf16.
template <class Function>
inline auto by_dtype(DType dtype, const Function& function) {
  if (dtype == DType::kF32) return function(float{});
  if (dtype == DType::kF16) return function(f16{});
  return function(bf16{});
}

}  // namespace heed::base
