// Places: where the rows of a tensor lie, dense [B, H, T, ...] or packed [T_total, H, ...]: the one place that turns (b, h, row) into
// elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/rows.hpp"
#include "problem/layout.hpp"

namespace heed::problem {

class Places {
 public:
  Places() = default;
  /// Of q, k, v, O (rows of columns), or of lines, which have one number per row.
  Places(const TensorView& tensor, const Layout& layout, Side side)
      : dtype_(tensor.dtype), begin_(layout.ragged() ? (side == Side::kQueries ? layout.query_begin : layout.key_begin).data() : nullptr) {
    if (!tensor.given()) return;
    const Dims& strides = tensor.strides;
    const int row = begin_ == nullptr ? 2 : 0, last = begin_ == nullptr ? 3 : 2;
    batch_ = begin_ == nullptr ? strides[0] : 0;
    head_ = strides[1];
    row_ = strides[row];
    column_ = strides.rank() > last ? strides[last] : 0;
  }
  /// In elements from the tensor's first.
  [[nodiscard]] std::int64_t at(std::int64_t b, std::int64_t h, std::int64_t row) const { return first(b) + h * head_ + row * row_; }
  [[nodiscard]] std::int64_t at(std::int64_t b, std::int64_t h, std::int64_t row, std::int64_t column) const {
    return at(b, h, row) + column * column_;
  }
  [[nodiscard]] std::int64_t row_stride() const { return row_; }
  [[nodiscard]] std::int64_t head_stride() const { return head_; }
  [[nodiscard]] std::int64_t column_stride() const { return column_; }
  /// The rows of one head of `data`, the tensor's first element.
  [[nodiscard]] base::Rows rows(const void* data, std::int64_t b, std::int64_t h) const {
    return {static_cast<const std::byte*>(data) + at(b, h, 0) * size_of(dtype_), dtype_, row_, column_};
  }

 private:
  [[nodiscard]] std::int64_t first(std::int64_t b) const { return begin_ == nullptr ? b * batch_ : begin_[b] * row_; }
  DType dtype_ = DType::kF32;
  const std::int64_t* begin_ = nullptr;
  std::int64_t batch_ = 0, head_ = 0, row_ = 0, column_ = 0;
};

/// A tensor with its places.
struct Placed {
  TensorView tensor;
  Places places;
  Placed() = default;
  Placed(const TensorView& of, const Layout& layout, Side side) : tensor(of), places(of, layout, side) {}
  [[nodiscard]] base::Rows rows(std::int64_t b, std::int64_t h) const { return places.rows(tensor.data, b, h); }
  [[nodiscard]] double real(std::int64_t b, std::int64_t h, std::int64_t row, std::int64_t column) const {
    return real_at(tensor, places.at(b, h, row, column));
  }
};

}  // namespace heed::problem
