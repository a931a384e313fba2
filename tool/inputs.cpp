#include "inputs.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <heed/error.hpp>
#include <heed/spelling.hpp>

#include "memory.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

io::ReadAs read_as;

struct Spec {
  std::string path, name;
};

/// The whole is a path if there is such a file; else the name begins after the last colon that follows an existing file (or "-"). Where
/// there is no file at all, after the last colon that follows an extension of such files, so that the error names the path.
Spec split(const std::string& spec) {
  const auto exists = [](const std::string& path) {
    std::error_code none;
    return path == "-" || std::filesystem::exists(path, none);
  };
  if (exists(spec)) return {spec, ""};
  for (std::size_t at = spec.rfind(':'); at != std::string::npos && at > 0; at = spec.rfind(':', at - 1)) {
    if (exists(spec.substr(0, at))) return {spec.substr(0, at), spec.substr(at + 1)};
  }
  for (const char* extension : {".safetensors:", ".npz:", ".npy:"}) {
    const std::size_t at = spec.rfind(extension);
    if (at == std::string::npos) continue;
    const std::size_t colon = at + std::string_view(extension).size() - 1;
    return {spec.substr(0, colon), spec.substr(colon + 1)};
  }
  return {spec, ""};
}

/// Standard input comes once: whoever asks again gets the same file.
io::TensorFilePtr open(const std::string& path) {
  static io::TensorFilePtr standard_input;
  asking_for("reading " + path);
  if (path != "-") return io::open_tensors(path);
  if (!standard_input) standard_input = io::open_tensors(path);
  return standard_input;
}

/// A .npy file: one tensor without a name.
bool is_nameless(const io::TensorFile& file) {
  return file.entries().size() == 1 && file.entries().front().name.empty();
}

/// "one of q, k, v", nearest to `wanted` first.
std::string names_of(const io::TensorFile& file, const std::string& wanted) {
  constexpr std::size_t kMost = 8;
  std::vector<std::pair<std::size_t, std::string>> names;
  for (const auto& entry : file.entries()) names.emplace_back(wanted.empty() ? 0 : slips(wanted, entry.name), entry.name);
  if (names.empty()) return "a file with tensors";
  std::ranges::sort(names);
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i == 0 ? "" : ", ") + one_line(names[i].second);
  return "one of " + text + (names.size() > kMost ? " and " + std::to_string(names.size() - kMost) + " more" : "");
}

Tensor read_entry(const io::TensorFile& file, std::size_t entry, const std::string& path) {
  const auto& [name, bytes] = file.entries()[entry];
  require_memory("reading " + (name.empty() ? path : one_line(name) + " of " + path), static_cast<double>(bytes));
  const Progress progress("reading " + one_line(path), 0);
  return file.read(entry, read_as);
}

}  // namespace

void read_files_as(const io::ReadAs& as) {
  read_as = as;
}

Container read_container(const std::string& path) {
  io::TensorFilePtr file = open(path);
  if (is_nameless(*file)) {
    throw Error({"a .npy file holds one tensor, not q, k and v", path, "--q Q.npy --k K.npy --v V.npy and no FILE", "one .npy file"});
  }
  return {path, file->metadata(), std::move(file)};
}

Tensor tensor_of(const Container& container, const std::string& name) {
  const auto& entries = container.file->entries();
  const auto found = std::ranges::find(entries, name, &io::TensorFile::Entry::name);
  if (found == entries.end())
    throw Error({"no tensor of this name", container.path, names_of(*container.file, name), "\"" + one_line(name) + "\""});
  return read_entry(*container.file, static_cast<std::size_t>(found - entries.begin()), container.path);
}

Tensor read_tensor(const std::string& spec, const std::string& option) {
  return read_with_metadata(spec, option).tensor;
}

Read read_with_metadata(const std::string& spec, const std::string& option) {
  const auto [path, name] = split(spec);
  const io::TensorFilePtr file = open(path);
  const auto metadata = file->metadata();
  if (is_nameless(*file) && !name.empty()) {
    throw Error({"the tensor of a .npy file has no name", option + ", " + path, path, "\"" + one_line(name) + "\""});
  }
  if (name.empty() && file->entries().size() == 1) return {read_entry(*file, 0, path), metadata};
  if (name.empty())
    throw Error({"the file holds several tensors", option + ", " + path, path + ":NAME, " + names_of(*file, name), "no name"});
  return {tensor_of({path, {}, file}, name), metadata};
}

std::string path_of(const std::string& spec) {
  return split(spec).path;
}

}  // namespace heed::tool
