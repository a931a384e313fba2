// Whole files in and out, by the system's own calls, so that every refusal carries the system's reason.
//
// A regular target is replaced by renaming a finished temporary beside it (beside what a symbolic link points to). An existing target
// that is no regular file (a pipe, /dev/stdout, /dev/full) cannot be replaced and is written in place.
// Checked in file_test.cpp.
#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include <heed/error.hpp>

namespace heed::io {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& path, const char* expected, int reason) {
  throw Error({what, path, expected, std::generic_category().message(reason)});
}

/// Bytes per call of the system: below the 2^31 - 4096 at which Linux cuts.
constexpr std::size_t kPiece = std::size_t{1} << 30;

/// An open file that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  /// What close says, for those who must know.
  [[nodiscard]] int close() { return ::close(std::exchange(number_, -1)); }

 private:
  int number_;
};

/// Up to `size` bytes; fewer only at the end of the file.
std::size_t read_some(const Descriptor& file, std::byte* target, std::size_t size, const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.number(), target + done, std::min(size - done, kPiece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse("the file cannot be read", path, "", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void write_all(const Descriptor& file, const std::byte* bytes, std::size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t put = ::write(file.number(), bytes, std::min(size, kPiece));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) refuse("the file cannot be written", path, "", errno);
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
}

void write_and_close(Descriptor file, const std::string& path, const std::function<void(const Sink&)>& write) {
  write([&](const void* bytes, std::size_t size) { write_all(file, static_cast<const std::byte*>(bytes), size, path); });
  if (file.close() != 0) refuse("the file cannot be written", path, "", errno);
}

/// A name that is removed again unless it was renamed.
class Temporary {
 public:
  explicit Temporary(std::string name) : name_(std::move(name)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  void rename_to(const std::string& target, const std::string& path) {
    if (std::rename(name_.c_str(), target.c_str()) != 0) refuse("the file cannot be written", path, "", errno);
    name_.clear();
  }

 private:
  std::string name_;
};

/// Opens a new file in the folder of `target` and says its name. Throws Error naming `path`.
std::pair<Descriptor, std::string> open_beside(const std::string& target, const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path folder = std::filesystem::path(target).parent_path();
  for (;;) {
    const std::string file = ".heed-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp";
    const std::string name = (folder / file).string();
    const int number = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (number >= 0) return {Descriptor(number), name};
    if (errno != EEXIST) refuse("the file cannot be written", path, "an existing, writable folder", errno);
  }
}

/// `mode` of the file that is replaced; 0 for a new one.
void write_beside(const std::string& target, mode_t mode, const std::string& path, const std::function<void(const Sink&)>& write) {
  auto [file, name] = open_beside(target, path);
  Temporary temporary(name);
  if (mode != 0 && ::fchmod(file.number(), mode & 07777U) != 0) refuse("the file cannot be written", path, "", errno);
  write_and_close(std::move(file), path, write);
  temporary.rename_to(target, path);
}

void write_in_place(const std::string& path, const std::function<void(const Sink&)>& write) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.number() < 0) refuse("the file cannot be written", path, "", errno);
  write_and_close(std::move(file), path, write);
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (file.number() < 0 || ::fstat(file.number(), &facts) != 0) refuse("the file cannot be opened", path, "", errno);
  if (S_ISDIR(facts.st_mode)) throw Error({"the file cannot be read", path, "a file", "a folder"});
  if (S_ISCHR(facts.st_mode) || S_ISBLK(facts.st_mode)) throw Error({"the file cannot be read", path, "a file or a pipe", "a device"});
  std::vector<std::byte> bytes;
  std::size_t done = 0;
  std::size_t room = static_cast<std::size_t>(facts.st_size) + 1;  // one more, to see the end
  do {
    bytes.resize(std::max(room, done * 2));
    room = bytes.size();
    done += read_some(file, bytes.data() + done, room - done, path);
  } while (done == room);
  bytes.resize(done);
  return bytes;
}

void write_file(const std::string& path, const std::function<void(const Sink&)>& write) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return write_beside(path, 0, path, write);
  if (S_ISDIR(facts.st_mode)) throw Error({"the file cannot be written", path, "the name of a file", "a folder"});
  if (!S_ISREG(facts.st_mode)) return write_in_place(path, write);
  if (::access(path.c_str(), W_OK) != 0) refuse("the file cannot be written", path, "a writable file", errno);
  std::error_code failure;
  const std::filesystem::path target = std::filesystem::canonical(path, failure);
  if (failure) refuse("the file cannot be written", path, "", failure.value());
  write_beside(target.string(), facts.st_mode, path, write);
}

}  // namespace heed::io
