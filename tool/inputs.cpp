#include "inputs.hpp"

#include <filesystem>

#include <heed/error.hpp>

#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "memory.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

struct Spec {
  std::string path, name;
};

/// The name begins after the last colon that follows a container's extension.
Spec split(const std::string& spec) {
  for (const char* extension : {".safetensors:", ".npz:"}) {
    const std::size_t at = spec.rfind(extension);
    if (at == std::string::npos) continue;
    const std::size_t colon = at + std::string_view(extension).size() - 1;
    return {spec.substr(0, colon), spec.substr(colon + 1)};
  }
  return {spec, ""};
}

void note_size(const std::string& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  require_memory("reading " + path, failure ? 0.0 : static_cast<double>(size));
}

std::string names_of(const Container& container) {
  std::string names;
  for (const auto& [name, tensor] : container.tensors) names += (names.empty() ? "" : ", ") + one_line(name);
  return names.empty() ? "a file with tensors" : "one of " + names;
}

}  // namespace

Container read_container(const std::string& path) {
  note_size(path);
  if (path.ends_with(".safetensors")) {
    io::Safetensors file = io::read_safetensors(path);
    return {path, std::move(file.tensors), std::move(file.metadata)};
  }
  if (path.ends_with(".npz")) return {path, io::read_npz(path), {}};
  if (path.ends_with(".npy")) {
    throw Error({"a .npy file holds one tensor, not q, k and v", path, "--q Q.npy --k K.npy --v V.npy and no FILE", "one .npy file"});
  }
  throw Error(
      {"the kind of file is told by its extension", path, ".safetensors or .npz", std::filesystem::path(path).extension().string()});
}

Tensor tensor_of(const Container& container, const std::string& name) {
  const auto found = container.tensors.find(name);
  if (found == container.tensors.end())
    throw Error({"no tensor of this name", container.path, names_of(container), "\"" + one_line(name) + "\""});
  return found->second;
}

Tensor read_tensor(const std::string& spec, const std::string& option) {
  const auto [path, name] = split(spec);
  if (path.ends_with(".npy")) {
    note_size(path);
    return io::read_npy(path);
  }
  if (!path.ends_with(".npz") && !path.ends_with(".safetensors")) {
    throw Error({"the kind of file is told by its extension", option, "FILE.npy, FILE.npz:NAME or FILE.safetensors:NAME", spec});
  }
  const Container container = read_container(path);
  if (name.empty() && container.tensors.size() == 1) return container.tensors.begin()->second;
  if (name.empty())
    throw Error({"the file holds several tensors", option + ", " + path, path + ":NAME, " + names_of(container), "no name"});
  return tensor_of(container, name);
}

std::map<std::string, std::string> metadata_of(const std::string& spec) {
  const std::string path = split(spec).path;
  return path.ends_with(".safetensors") ? read_container(path).metadata : std::map<std::string, std::string>{};
}

std::string path_of(const std::string& spec) {
  return split(spec).path;
}

}  // namespace heed::tool
