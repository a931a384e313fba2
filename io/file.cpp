// Files out, by the system's own calls, so that every refusal carries the system's reason.
//
// A regular target is replaced by renaming a finished temporary (beside what a symbolic link points to). An existing target that is no
// regular file (a pipe, /dev/full) cannot be replaced and is written in place.
// Checked in file_test.cpp.
#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <heed/error.hpp>

#include "io/descriptor.hpp"
#include "io/temporary.hpp"

namespace heed::io {
namespace {

constexpr const char* kUnwritable = "the file cannot be written";

/// Bytes per call of the system: below the 2^31 - 4096 at which Linux cuts.
constexpr std::size_t kPiece = std::size_t{1} << 30;

void write_through(const Descriptor& file, const std::string& path, const std::function<void(const Sink&)>& write) {
  write([&](const void* bytes, std::size_t size) { write_all(file, static_cast<const std::byte*>(bytes), size, path); });
}

/// `mode` of the file that is replaced; 0 for a new one.
void write_beside(const std::string& target, mode_t mode, const std::string& path, const std::function<void(const Sink&)>& write) {
  Temporary temporary(target, path);
  if (mode != 0 && ::fchmod(temporary.file().number(), mode & 07777U) != 0) refuse(kUnwritable, path, "", errno);
  write_through(temporary.file(), path, write);
  temporary.keep();
}

void write_in_place(Descriptor file, const std::string& path, const std::function<void(const Sink&)>& write) {
  if (!file.open()) refuse(kUnwritable, path, "", errno);
  write_through(file, path, write);
  if (file.close() != 0) refuse(kUnwritable, path, "", errno);
}

}  // namespace

void write_all(const Descriptor& file, const std::byte* bytes, std::size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t put = ::write(file.number(), bytes, std::min(size, kPiece));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) refuse(kUnwritable, path, "", errno);
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
}

std::string end_of_links(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as the system
  fs::path place = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code failure;
    if (fs::symlink_status(place, failure).type() != fs::file_type::symlink) return place.string();
    const fs::path next = fs::read_symlink(place, failure);
    if (failure) refuse(kUnwritable, path, "", failure.value());
    place = next.is_absolute() ? next : place.parent_path() / next;
  }
  refuse(kUnwritable, path, "", ELOOP);
}

bool is_standard_output(const std::string& path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

void write_file(const std::string& path, const std::function<void(const Sink&)>& write) {
  if (is_standard_output(path)) {
    return write_in_place(Descriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)), path == "-" ? "standard output" : path, write);
  }
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno != ENOENT) refuse(kUnwritable, path, "", errno);
    return write_beside(end_of_links(path), 0, path, write);
  }
  if (S_ISDIR(facts.st_mode)) throw Error({kUnwritable, path, "the name of a file", "a folder"});
  if (!S_ISREG(facts.st_mode)) return write_in_place(Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC)), path, write);
  if (::access(path.c_str(), W_OK) != 0) refuse(kUnwritable, path, "a writable file", errno);
  write_beside(end_of_links(path), facts.st_mode, path, write);
}

}  // namespace heed::io
