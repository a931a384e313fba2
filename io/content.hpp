// What a file is, by its first bytes: never by its name.
#pragma once

#include <string>

#include "io/source.hpp"

namespace heed::io {

enum class Format { kNpy, kZip, kSafetensors, kOther };

struct Content {
  Format format;
  std::string words;  ///< for a reader: "a git-lfs pointer: fetch the file itself (git lfs pull)"
};

/// Looks at no more than the first 512 bytes. Throws Error like Source::read.
[[nodiscard]] Content content_of(const Source& source);

}  // namespace heed::io
