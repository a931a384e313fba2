// Where bytes come from: a file read by range, a pipe that was spooled, or memory; and bytes in order, of a length known beforehand.
//
// Nothing is read that is not asked for. A source that turns out shorter than it was when it was opened is an Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace heed::io {

/// Bytes by range, with the name that they go by in errors. Safe to share.
class Source {
 public:
  explicit Source(std::string name) : name_(std::move(name)) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Fills `target` with the bytes from `at` on. Throws Error "truncated" naming `part` when they are not all there, or the system's
  /// reason.
  void read(std::uint64_t at, std::span<std::byte> target, std::string_view part) const;
  /// The bytes [at, at + size) as characters. Throws like read, before memory is asked for.
  [[nodiscard]] std::string text(std::uint64_t at, std::uint64_t size, std::string_view part) const;
  /// An unsigned little-endian number of 1 to 8 bytes. Throws like read.
  [[nodiscard]] std::uint64_t number(std::uint64_t at, int bytes, std::string_view part) const;
  /// Throws what read would for this range.
  void require(std::uint64_t at, std::uint64_t size, std::string_view part) const;

 private:
  /// The range lies within size().
  virtual void fetch(std::uint64_t at, std::span<std::byte> target) const = 0;

  std::string name_;
};

using SourcePtr = std::shared_ptr<const Source>;

/// A file; "-" is standard input. What has no ranges (a pipe, a socket) is read to its end: up to 32 MiB into memory, more into a
/// temporary file without a name. Throws Error naming the path: missing, a folder, a device, unreadable.
[[nodiscard]] SourcePtr open_source(const std::string& path);
/// Bytes that the caller keeps alive.
[[nodiscard]] SourcePtr memory_source(std::span<const std::byte> bytes, std::string name);

/// Bytes in order. `size` is known beforehand, so that what a header says can be checked before memory is asked for.
class Stream {
 public:
  explicit Stream(std::uint64_t size) : size_(size) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t left() const { return size_ - position_; }
  /// The next bytes; at most left() of them. Throws Error like Source::read, or where packed bytes are broken.
  void read(std::span<std::byte> target);
  /// To be called when everything is read: throws Error when what was read is not what was packed.
  virtual void finish() {}

 private:
  virtual void fetch(std::span<std::byte> target) = 0;

  std::uint64_t size_, position_ = 0;
};

/// The bytes [at, at + size) of a source. Throws Error "truncated" naming `part` when they are not all there.
class RangeStream : public Stream {
 public:
  RangeStream(SourcePtr source, std::uint64_t at, std::uint64_t size, std::string part);

 protected:
  void fetch(std::span<std::byte> target) override;

 private:
  SourcePtr source_;
  std::uint64_t at_;
  std::string part_;
};

}  // namespace heed::io
