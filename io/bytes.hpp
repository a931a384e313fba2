// Untrusted bytes in memory: a window in which every look is checked; and the contiguous copy that writers need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <heed/tensor.hpp>

namespace heed::io {

/// A piece of a file with the name it goes by in errors.
class Window {
 public:
  Window(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The bytes [at, at + size). Throws Error "truncated" naming `part` when they are not all there.
  [[nodiscard]] std::span<const std::byte> slice(std::uint64_t at, std::uint64_t size, std::string_view part) const;
  /// An unsigned little-endian number of 1 to 8 bytes. Throws like slice.
  [[nodiscard]] std::uint64_t number(std::uint64_t at, int bytes, std::string_view part) const;
  /// The same bytes as characters. Throws like slice.
  [[nodiscard]] std::string_view text(std::uint64_t at, std::uint64_t size, std::string_view part) const;

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
};

/// A contiguous copy in row-major order, whatever the strides and the alignment; every true boolean becomes 1. Throws like Tensor.
[[nodiscard]] Tensor contiguous_copy(const TensorView& source);

}  // namespace heed::io
