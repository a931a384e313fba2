// Files that results go to: checked before anything is computed, written only when everything is there.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace heed::tool {

struct Target {
  std::string option;  ///< "--out", for errors
  std::string path;
  std::function<void(const std::string& path)> write;
};

/// Throws Error: a folder that is missing or not writable, a target that is a folder or an input, one path given twice.
void check_targets(std::span<const Target> targets, std::span<const std::string> inputs);

/// Devices first, since they cannot be taken back; when one fails, new files of this call are removed again. Throws like io::write_file.
void write_targets(std::span<const Target> targets);

}  // namespace heed::tool
