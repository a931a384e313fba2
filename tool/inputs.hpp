// Files that tensors come from: .npy, .npz and .safetensors, and one tensor out of them by FILE or FILE:NAME.
#pragma once

#include <map>
#include <string>

#include <heed/tensor.hpp>

namespace heed::tool {

struct Container {
  std::string path;
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;  ///< .safetensors only
};

/// A .safetensors or .npz file, told by its extension. Throws Error like the readers, or for another extension.
[[nodiscard]] Container read_container(const std::string& path);

/// A tensor of it. Throws Error listing the names that there are.
[[nodiscard]] Tensor tensor_of(const Container& container, const std::string& name);

/// "t.npy", "t.npz:NAME", "t.safetensors:NAME"; the name may be left out where the file holds one tensor. `option` is for errors.
[[nodiscard]] Tensor read_tensor(const std::string& spec, const std::string& option);

/// The metadata of the file of such a spec; none but a .safetensors file has any.
[[nodiscard]] std::map<std::string, std::string> metadata_of(const std::string& spec);

/// The path in such a spec.
[[nodiscard]] std::string path_of(const std::string& spec);

}  // namespace heed::tool
