// Tensors as heed sees them: a pointer, an element type, a shape and strides. Views own nothing; Tensor owns its bytes.
//
// Strides count elements, not bytes; 0 (broadcast) and negative strides are fine. The logical order of attention's tensors is
// [B, H, T, D] whatever the strides say, so a [B, T, H, D] buffer is a view with its middle strides exchanged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace heed {

enum class DType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// Bytes of one element.
[[nodiscard]] std::int64_t size_of(DType dtype);
/// "f32", "bf16", …
[[nodiscard]] std::string_view name_of(DType dtype);
/// Throws Error for an unknown name; accepts "f32", "float32", "bf16", "bfloat16", ….
[[nodiscard]] DType dtype_from(std::string_view name);
[[nodiscard]] bool is_real(DType dtype);

/// Bit patterns of the two 16-bit floats, so that pointers to them carry their type.
struct f16 {
  std::uint16_t bits;
};
struct bf16 {
  std::uint16_t bits;
};

/// Up to eight extents or strides, outermost first.
class Dims {
 public:
  static constexpr int kMaxRank = 8;

  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values) {
    for (const std::int64_t value : values) push(value);
  }

  /// Throws Error past kMaxRank.
  void push(std::int64_t value);
  [[nodiscard]] int rank() const { return rank_; }
  std::int64_t& operator[](int axis) { return values_[static_cast<std::size_t>(axis)]; }
  std::int64_t operator[](int axis) const { return values_[static_cast<std::size_t>(axis)]; }
  friend bool operator==(const Dims&, const Dims&) = default;

 private:
  std::array<std::int64_t, kMaxRank> values_{};
  int rank_ = 0;
};

/// "[2, 9, 2224, 64]"
[[nodiscard]] std::string to_text(const Dims& dims);
/// Product of the extents (1 for rank 0). Throws Error when an extent is negative or the product leaves 63 bits.
[[nodiscard]] std::int64_t count_of(const Dims& shape);
/// Row-major strides in elements. Throws like count_of.
[[nodiscard]] Dims contiguous_strides(const Dims& shape);

namespace detail {
/// Defined for the element types alone: view(pointer) of any other is an error at compile time.
template <class T>
struct DTypeOf;
template <DType kValue>
struct Known {
  static constexpr DType value = kValue;
};
template <>
struct DTypeOf<double> : Known<DType::kF64> {};
template <>
struct DTypeOf<float> : Known<DType::kF32> {};
template <>
struct DTypeOf<f16> : Known<DType::kF16> {};
template <>
struct DTypeOf<bf16> : Known<DType::kBF16> {};
template <>
struct DTypeOf<std::int64_t> : Known<DType::kI64> {};
template <>
struct DTypeOf<std::int32_t> : Known<DType::kI32> {};
template <>
struct DTypeOf<std::int16_t> : Known<DType::kI16> {};
template <>
struct DTypeOf<std::int8_t> : Known<DType::kI8> {};
template <>
struct DTypeOf<std::uint8_t> : Known<DType::kU8> {};
template <>
struct DTypeOf<bool> : Known<DType::kBool> {};
}  // namespace detail

/// What heed reads.
struct TensorView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  Dims shape;
  Dims strides;  ///< in elements

  TensorView() = default;
  TensorView(const void* data_, DType dtype_, const Dims& shape_)
      : data(data_), dtype(dtype_), shape(shape_), strides(contiguous_strides(shape_)) {}
  TensorView(const void* data_, DType dtype_, const Dims& shape_, const Dims& strides_)
      : data(data_), dtype(dtype_), shape(shape_), strides(strides_) {}

  /// False for a default-made view: "not given".
  [[nodiscard]] bool given() const { return shape.rank() > 0 || data != nullptr; }
};

/// What heed writes. A default-made span means "not wanted".
struct TensorSpan {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Dims shape;
  Dims strides;  ///< in elements

  TensorSpan() = default;
  TensorSpan(void* data_, DType dtype_, const Dims& shape_)
      : data(data_), dtype(dtype_), shape(shape_), strides(contiguous_strides(shape_)) {}
  TensorSpan(void* data_, DType dtype_, const Dims& shape_, const Dims& strides_)
      : data(data_), dtype(dtype_), shape(shape_), strides(strides_) {}

  [[nodiscard]] bool given() const { return shape.rank() > 0 || data != nullptr; }
  operator TensorView() const {
    return {data, dtype, shape, strides};
  }  // NOLINT(google-explicit-constructor): reading what may be written is harmless
};

/// A contiguous view of `pointer`; the element type follows from the pointer.
template <class T>
[[nodiscard]] TensorView view(const T* pointer, const Dims& shape) {
  return {pointer, detail::DTypeOf<T>::value, shape};
}
template <class T>
[[nodiscard]] TensorSpan span(T* pointer, const Dims& shape) {
  return {pointer, detail::DTypeOf<T>::value, shape};
}

/// A tensor that owns its bytes: contiguous, row-major, 64-byte aligned, zero-filled. Copies share the bytes.
class Tensor {
 public:
  Tensor() = default;
  /// Throws Error when the size leaves 63 bits, std::bad_alloc when memory is short.
  Tensor(DType dtype, const Dims& shape);

  [[nodiscard]] TensorView view() const { return {bytes_.get(), dtype_, shape_}; }
  [[nodiscard]] TensorSpan span() { return {bytes_.get(), dtype_, shape_}; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Dims& shape() const { return shape_; }
  [[nodiscard]] std::int64_t count() const { return count_of(shape_); }
  template <class T>
  [[nodiscard]] T* data() {
    return reinterpret_cast<T*>(bytes_.get());
  }
  template <class T>
  [[nodiscard]] const T* data() const {
    return reinterpret_cast<const T*>(bytes_.get());
  }

 private:
  DType dtype_ = DType::kF32;
  Dims shape_;
  std::shared_ptr<std::byte> bytes_;
};

/// One element as double (bool as 0 or 1), by its place in elements from `data`.
[[nodiscard]] double real_at(const TensorView& tensor, std::int64_t offset);
/// One element of an integer or boolean tensor.
[[nodiscard]] std::int64_t integer_at(const TensorView& tensor, std::int64_t offset);
/// Rounds to the tensor's element type (to nearest, ties to even) and stores.
void store_real(const TensorSpan& tensor, std::int64_t offset, double value);

}  // namespace heed
