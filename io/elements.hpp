// How the elements of a file become those of a tensor: read straight into it where they are the same, else piece by piece.
//
// heed has no unsigned types past 8 bits: 16 bits become i32, 32 bits i64, and 64 bits i64 where every value is below 2^63.
#pragma once

#include <heed/tensor.hpp>

#include "io/source.hpp"

namespace heed::io {

struct Stored {
  enum class Form : std::uint8_t { kSame, kU16, kU32, kU64 };
  DType dtype;  ///< of the tensor
  Form form = Form::kSame;

  /// Bytes of one element in the file.
  [[nodiscard]] std::int64_t bytes() const;
  /// "f32", "u16"
  [[nodiscard]] std::string name() const;
};

/// Bytes of a contiguous tensor in the file. Throws Error naming `where` when an extent is negative or the size leaves 63 bits.
[[nodiscard]] std::int64_t bytes_needed(const Stored& stored, const Dims& shape, const std::string& where);

/// The next bytes_needed() bytes of a stream, which must have them, as a contiguous tensor; `fortran` says that the first axis is
/// innermost in the file. Every true boolean becomes 1. Asks for no more memory than the tensor and 1 MiB. Throws Error like the
/// stream, and naming `where` for a number from 2^63 on.
[[nodiscard]] Tensor read_elements(Stream& stream, const Stored& stored, const Dims& shape, bool fortran, const std::string& where);

}  // namespace heed::io
