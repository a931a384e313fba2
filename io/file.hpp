// Files out. Writing makes a new file that takes the target's place when complete: a reader sees the old file or the new one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace heed::io {

/// `write` receives a sink that takes bytes. Throws Error when the folder is missing or not writable, or the disk is full; nothing
/// half-written is left and the target is as it was. A symbolic link is followed, also one that leads to no file yet. "-" is standard
/// output; it and an existing target that is no regular file (a pipe, /dev/null) are written in place.
using Sink = std::function<void(const void* bytes, std::size_t size)>;
void write_file(const std::string& path, const std::function<void(const Sink&)>& write);

/// The file that a path leads to when symbolic links are followed to their end, whether it exists or not. Throws Error naming the path
/// where links go in a circle.
[[nodiscard]] std::string end_of_links(const std::string& path);

/// Whether a path stands for this process's standard output: "-", /dev/stdout and its other names.
[[nodiscard]] bool is_standard_output(const std::string& path);

}  // namespace heed::io
