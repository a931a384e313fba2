// Checked looks at untrusted bytes, and the strided copy that writing needs.
// Checked through npy_test.cpp, npz_test.cpp and safetensors_test.cpp.
#include "io/bytes.hpp"

#include <cstring>

#include <heed/error.hpp>

namespace heed::io {
namespace {

/// Copies elements of `Size` bytes in the logical order of `source`.
template <std::size_t Size>
void gather(const TensorView& source, std::byte* target) {
  const int last = source.shape.rank() - 1;
  const std::int64_t rows = count_of(source.shape) / source.shape[last];
  const auto* base = static_cast<const std::byte*>(source.data);
  Dims place = source.shape;
  for (int axis = 0; axis <= last; ++axis) place[axis] = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t offset = 0;
    for (int axis = 0; axis < last; ++axis) offset += place[axis] * source.strides[axis];
    for (std::int64_t i = 0; i < source.shape[last]; ++i, target += Size) {
      std::memcpy(target, base + (offset + i * source.strides[last]) * static_cast<std::int64_t>(Size), Size);
    }
    for (int axis = last - 1; axis >= 0 && ++place[axis] == source.shape[axis]; --axis) place[axis] = 0;
  }
}

}  // namespace

std::span<const std::byte> Window::slice(std::uint64_t at, std::uint64_t size, std::string_view part) const {
  if (at > bytes_.size() || size > bytes_.size() - at) {
    throw Error({"truncated: " + std::string(part) + " is not all there", name_,
                 std::to_string(size) + " bytes from byte " + std::to_string(at), std::to_string(bytes_.size()) + " bytes in all"});
  }
  return bytes_.subspan(at, size);
}

std::uint64_t Window::number(std::uint64_t at, int bytes, std::string_view part) const {
  std::uint64_t value = 0;
  int shift = 0;
  for (const std::byte byte : slice(at, static_cast<std::uint64_t>(bytes), part)) {
    value |= std::to_integer<std::uint64_t>(byte) << shift;
    shift += 8;
  }
  return value;
}

std::string_view Window::text(std::uint64_t at, std::uint64_t size, std::string_view part) const {
  const std::span<const std::byte> bytes = slice(at, size, part);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Tensor contiguous_copy(const TensorView& source) {
  Tensor copy(source.dtype, source.shape);
  const std::int64_t count = copy.count();
  if (count == 0) return copy;
  auto* target = copy.data<std::byte>();
  const std::int64_t size = size_of(source.dtype);
  if (source.strides == contiguous_strides(source.shape)) {
    std::memcpy(target, source.data, static_cast<std::size_t>(count * size));
  } else if (size == 8) {
    gather<8>(source, target);
  } else if (size == 4) {
    gather<4>(source, target);
  } else if (size == 2) {
    gather<2>(source, target);
  } else {
    gather<1>(source, target);
  }
  if (source.dtype == DType::kBool) {
    for (std::int64_t i = 0; i < count; ++i) target[i] = target[i] == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  return copy;
}

}  // namespace heed::io
