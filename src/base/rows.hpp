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

/// Elements from the first one of a tensor [B, H, T, ...] of these strides to row (b, h, t).
[[nodiscard]] inline std::int64_t row_offset(const Dims& strides, std::int64_t b, std::int64_t h, std::int64_t t) {
  return b * strides[0] + h * strides[1] + t * strides[2];
}

/// Rows [T, D] of one head of a [B, H, T, D] tensor.
[[nodiscard]] inline Rows rows_of(const TensorView& tensor, std::int64_t b, std::int64_t h) {
  const std::int64_t offset = b * tensor.strides[0] + h * tensor.strides[1];
  return {static_cast<const std::byte*>(tensor.data) + offset * size_of(tensor.dtype), tensor.dtype, tensor.strides[2], tensor.strides[3]};
}

/// function(T{}) with the element type of a dtype that kernels compute with: f32, f16 or bf16.
template <class Function>
inline auto by_dtype(DType dtype, const Function& function) {
  if (dtype == DType::kF32) return function(float{});
  if (dtype == DType::kF16) return function(f16{});
  return function(bf16{});
}

}  // namespace heed::base
