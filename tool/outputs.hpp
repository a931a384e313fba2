// Files that results go to: checked before anything is computed, written only when everything is there.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <heed/tensor.hpp>

#include "io/png.hpp"

namespace heed::tool {

struct Target {
  std::string option;  ///< "--out", for errors
  std::string path;    ///< "-" is standard output
  std::function<void(const std::string& path)> write;
  std::vector<std::string> endings{};  ///< what a file's name may end in, where it has an ending: {".png"}; empty: anything
  std::string hint{};                  ///< then it must have one; what else may have been meant, for the error
};

/// Whether a path's ending says a file of arrays, .npy or .safetensors.
[[nodiscard]] bool names_array(const std::string& path);
/// An array under `name`: .safetensors where the path ends so, else .npy.
[[nodiscard]] Target array_target(const std::string& option, const std::string& path, const std::string& name, const Tensor& tensor);
[[nodiscard]] Target picture_target(const std::string& option, const std::string& path, std::function<io::Canvas()> draw);

/// Throws Error: a folder that is missing or not writable, a target that is a folder or an input, one path given twice, an ending that
/// says another format than is written. Where a target is standard output, the report goes to standard error from here on.
void check_targets(std::span<const Target> targets, std::span<const std::string> inputs);

/// Devices first, since they cannot be taken back; when one fails, new files of this call are removed again. Throws like io::write_file.
void write_targets(std::span<const Target> targets);

}  // namespace heed::tool
