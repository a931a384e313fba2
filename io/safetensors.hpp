// .safetensors files: u64 little-endian header length, JSON header, then the data
// (https://github.com/huggingface/safetensors, "Format"). Offsets count from the end of the header; tensors may be unaligned.
//
// Every number of the header is untrusted: header length against the file (and the format's limit of 100 MB), begin <= end, no overlap, no
// hole, nothing outside the file. Whether a tensor can be read (its dtype, its rank, size = product(shape) x dtype) is asked when it is.
#pragma once

#include <map>
#include <span>
#include <string>

#include <heed/tensor.hpp>

#include "io/tensor_file.hpp"

namespace heed::io {

struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// All tensors: dtypes F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL, and U16 U32 U64 widened. Throws Error naming the file, the tensor, what was
/// expected and found.
[[nodiscard]] Safetensors read_safetensors(const std::string& path);
[[nodiscard]] Safetensors parse_safetensors(const std::byte* data, std::size_t size, const std::string& name);

/// One tensor under a name. Throws Error like write_npy.
void write_safetensors(const std::string& path, const std::string& name, const TensorView& tensor);

}  // namespace heed::io
