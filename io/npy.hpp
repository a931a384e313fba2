// .npy and .npz files: NumPy's array formats (NEP 1; .npz is a zip archive of .npy members, stored or deflated, Zip64 included).
//
// Read: dtypes f8 f4 f2 i8 i4 i2 i1 u1 b1 (little-endian; '|' and '<'), and u2 u4 u8 widened, C order and Fortran order, versions 1.0 to
// 3.0. Elements go straight from the file into the tensor.
// Write: C order, version 1.0, to a temporary file that takes the target's place when complete.
// Every number of the header is untrusted: sizes are checked against the file before memory is asked for.
#pragma once

#include <map>
#include <string>

#include <heed/tensor.hpp>

#include "io/tensor_file.hpp"

namespace heed::io {

/// The one tensor of a .npy stream: a file, or a member of an archive. Throws Error naming the file: wrong magic, truncated, bytes behind
/// the data, header not understood, unknown dtype.
[[nodiscard]] Tensor read_npy(Stream& stream, const std::string& name, const ReadAs& as = {});
[[nodiscard]] Tensor read_npy(const std::string& path);
/// The same from bytes in memory (a fuzzer's input). `name` is for errors.
[[nodiscard]] Tensor parse_npy(const std::byte* data, std::size_t size, const std::string& name);
/// All arrays of a .npz, by name without ".npy"; members of other names are passed over.
[[nodiscard]] std::map<std::string, Tensor> read_npz(const std::string& path);
[[nodiscard]] std::map<std::string, Tensor> parse_npz(const std::byte* data, std::size_t size, const std::string& name);
/// bf16 has no .npy type: Error. Throws Error when the target cannot be written or the disk is full; nothing half-written remains.
void write_npy(const std::string& path, const TensorView& tensor);

}  // namespace heed::io
