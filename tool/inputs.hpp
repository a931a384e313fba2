// Files that tensors come from, told by their content, and one tensor out of them by FILE or FILE:NAME. "-" is standard input.
#pragma once

#include <map>
#include <string>

#include <heed/tensor.hpp>

#include "io/tensor_file.hpp"

namespace heed::tool {

/// How files are read from here on: what --read-as says.
void read_files_as(const io::ReadAs& as);

/// An open file: its tensors are read when they are asked for.
struct Container {
  std::string path;
  std::map<std::string, std::string> metadata{};  ///< .safetensors only
  io::TensorFilePtr file{};
};

/// A file of several tensors. Throws Error like io::open_tensors, or for a .npy file.
[[nodiscard]] Container read_container(const std::string& path);

/// A tensor of it. Throws Error with the nearest of the names that there are, or like TensorFile::read.
[[nodiscard]] Tensor tensor_of(const Container& container, const std::string& name);

/// "FILE" or "FILE:NAME"; the name may be left out where the file holds one tensor. `option` is for errors.
[[nodiscard]] Tensor read_tensor(const std::string& spec, const std::string& option);

/// The same with the metadata of its file, which is opened once: it may be a pipe.
struct Read {
  Tensor tensor;
  std::map<std::string, std::string> metadata{};  ///< .safetensors only
};
[[nodiscard]] Read read_with_metadata(const std::string& spec, const std::string& option);

/// The path in such a spec.
[[nodiscard]] std::string path_of(const std::string& spec);

}  // namespace heed::tool
