// Whole files in and out. Writing goes beside the target and is renamed when complete: a reader sees the old file or the new one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace heed::io {

/// A file, or a pipe to its end. Throws Error naming the path: missing, a directory, a device, unreadable.
[[nodiscard]] std::vector<std::byte> read_file(const std::string& path);

/// `write` receives a sink that takes bytes. Throws Error when the folder is missing or not writable, or the disk is full; the
/// temporary file is removed and the target is as it was. An existing target that is no regular file (a pipe, /dev/stdout) is written in
/// place.
using Sink = std::function<void(const void* bytes, std::size_t size)>;
void write_file(const std::string& path, const std::function<void(const Sink&)>& write);

}  // namespace heed::io
