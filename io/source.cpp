// Files by range with pread, pipes by way of memory or a file without a name.
// Checked in source_test.cpp.
#include "io/source.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include <heed/error.hpp>

#include "io/descriptor.hpp"

namespace heed::io {
namespace {

/// Bytes per call of the system: below the 2^31 - 4096 at which Linux cuts.
constexpr std::size_t kPiece = std::size_t{1} << 30;
constexpr std::size_t kSpooledInMemory = std::size_t{32} << 20;
constexpr const char* kUnreadable = "the file cannot be read";

/// Up to `size` bytes of a pipe; fewer only at its end.
std::size_t read_some(const Descriptor& file, std::span<std::byte> target, const std::string& name) {
  std::size_t done = 0;
  while (done < target.size()) {
    const ssize_t got = ::read(file.number(), target.data() + done, std::min(target.size() - done, kPiece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(kUnreadable, name, "", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

class FileSource : public Source {
 public:
  FileSource(Descriptor file, std::uint64_t size, std::string name) : Source(std::move(name)), file_(std::move(file)), size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }

 private:
  void fetch(std::uint64_t at, std::span<std::byte> target) const override {
    while (!target.empty()) {
      const ssize_t got = ::pread(file_.number(), target.data(), std::min(target.size(), kPiece), static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) refuse(kUnreadable, name(), "", errno);
      if (got == 0) {
        throw Error({"the file was cut short while it was read", name(), std::to_string(size_) + " bytes, as when it was opened",
                     "its end at or before byte " + std::to_string(at)});
      }
      at += static_cast<std::uint64_t>(got);
      target = target.subspan(static_cast<std::size_t>(got));
    }
  }

  Descriptor file_;
  std::uint64_t size_;
};

class MemorySource : public Source {
 public:
  MemorySource(std::vector<std::byte> bytes, std::string name) : Source(std::move(name)), owned_(std::move(bytes)), bytes_(owned_) {}
  MemorySource(std::span<const std::byte> bytes, std::string name) : Source(std::move(name)), bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

 private:
  void fetch(std::uint64_t at, std::span<std::byte> target) const override {
    if (!target.empty()) std::memcpy(target.data(), bytes_.data() + at, target.size());
  }

  std::vector<std::byte> owned_;
  std::span<const std::byte> bytes_;
};

/// A file without a name in the folder for temporary files.
Descriptor open_nameless(const std::string& name) {
  std::error_code failure;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(failure);
  if (failure) refuse("no folder for temporary files", name, "a folder in TMPDIR", failure.value());
  Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.open()) return file;
  std::string pattern = (folder / "heed-spool-XXXXXX").string();
  file = Descriptor(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!file.open()) refuse("what is read from a pipe finds no room", name, "a writable folder for temporary files (TMPDIR)", errno);
  ::unlink(pattern.c_str());
  return file;
}

SourcePtr spool(const Descriptor& pipe, const std::string& name) {
  std::vector<std::byte> bytes;
  std::size_t done = 0;
  for (std::size_t room = 1U << 16; room <= kSpooledInMemory; room *= 2) {
    bytes.resize(room);
    done += read_some(pipe, std::span(bytes).subspan(done), name);
    if (done == room) continue;
    bytes.resize(done);
    return std::make_shared<MemorySource>(std::move(bytes), name);
  }
  Descriptor file = open_nameless(name);
  std::uint64_t size = 0;
  while (done > 0) {
    write_all(file, bytes.data(), done, name);
    size += done;
    done = read_some(pipe, bytes, name);
  }
  return std::make_shared<FileSource>(std::move(file), size, name);
}

}  // namespace

void Source::require(std::uint64_t at, std::uint64_t wanted, std::string_view part) const {
  if (at <= size() && wanted <= size() - at) return;
  throw Error({"truncated: " + std::string(part) + " is not all there", name_,
               std::to_string(wanted) + " bytes from byte " + std::to_string(at), std::to_string(size()) + " bytes in all"});
}

void Source::read(std::uint64_t at, std::span<std::byte> target, std::string_view part) const {
  require(at, target.size(), part);
  fetch(at, target);
}

std::string Source::text(std::uint64_t at, std::uint64_t wanted, std::string_view part) const {
  require(at, wanted, part);
  std::string text(wanted, '\0');
  fetch(at, std::as_writable_bytes(std::span(text)));
  return text;
}

std::uint64_t Source::number(std::uint64_t at, int bytes, std::string_view part) const {
  std::byte digits[8] = {};
  read(at, std::span(digits).first(static_cast<std::size_t>(bytes)), part);
  std::uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(digits[i]);
  return value;
}

SourcePtr open_source(const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path;
  Descriptor file(standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file.open() || ::fstat(file.number(), &facts) != 0) refuse("the file cannot be opened", name, "", errno);
  if (S_ISDIR(facts.st_mode)) throw Error({kUnreadable, name, "a file", "a folder"});
  if (S_ISCHR(facts.st_mode) || S_ISBLK(facts.st_mode)) {
    throw Error({kUnreadable, name, "a file or a pipe", ::isatty(file.number()) != 0 ? "a terminal" : "a device"});
  }
  // A regular file of 0 bytes may be one of /proc, which shows its size only to those who read it.
  if (!S_ISREG(facts.st_mode) || facts.st_size == 0) return spool(file, name);
  return std::make_shared<FileSource>(std::move(file), static_cast<std::uint64_t>(facts.st_size), name);
}

SourcePtr memory_source(std::span<const std::byte> bytes, std::string name) {
  return std::make_shared<MemorySource>(bytes, std::move(name));
}

void Stream::read(std::span<std::byte> target) {
  fetch(target);
  position_ += target.size();
}

RangeStream::RangeStream(SourcePtr source, std::uint64_t at, std::uint64_t size, std::string part)
    : Stream(size), source_(std::move(source)), at_(at), part_(std::move(part)) {
  source_->require(at, size, part_);
}

void RangeStream::fetch(std::span<std::byte> target) {
  source_->read(at_ + position(), target, part_);
}

}  // namespace heed::io
