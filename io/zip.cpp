// A small zip reader: end record -> central directory -> local headers -> data.
//
// Read are the end of the archive, its directory, local headers, and the members that are asked for, in pieces of 256 KiB. What a member
// may unpack to is bounded: members may not overlap, and none may declare more than 1040 times its packed bytes (deflate reaches 1032),
// so all members together unpack to at most 1040 times the archive plus 1 KiB each.
// Sizes come from the central directory; the local header serves to find the data and must bear the same name.
// Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 to 4.5; RFC 1951 by zlib.
// Checked in npz_test.cpp, and by npz_fuzz.cpp.
#include "io/zip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <map>
#include <new>
#include <span>

#include <heed/error.hpp>

#include "io/bytes.hpp"

namespace heed::io {
namespace {

constexpr std::uint64_t kEndSignature = 0x06054b50;
constexpr std::uint64_t kEnd64Signature = 0x06064b50;
constexpr std::uint64_t kLocator64Signature = 0x07064b50;
constexpr std::uint64_t kCentralSignature = 0x02014b50;
constexpr std::uint64_t kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEndSize = 22, kLocator64Size = 20, kCentralSize = 46, kLocalSize = 30;
constexpr std::uint64_t kFull16 = 0xFFFF, kFull32 = 0xFFFF'FFFF;  // "see the Zip64 field"
constexpr std::uint64_t kLargestRatio = 1040, kSmall = 1024;

/// Where the central directory lies.
struct Directory {
  std::uint64_t count;
  std::uint64_t size;
  std::uint64_t begin;
  std::uint64_t end_record;  ///< the directory must end before it
};

/// The end of the archive, in which the records lie that lead to the directory, and where in the archive it begins.
struct Tail {
  std::string bytes;
  std::uint64_t begin;
  [[nodiscard]] std::uint64_t number(std::uint64_t at, int size) const {
    return Window(std::as_bytes(std::span(bytes)), "").number(at - begin, size, "the end record");
  }
};

Tail read_tail(const Source& archive) {
  const std::uint64_t size = std::min(archive.size(), kLocator64Size + kEndSize + kFull16);
  return {archive.text(archive.size() - size, size, "the end"), archive.size() - size};
}

/// The last end record whose comment reaches exactly to the end of the archive.
std::uint64_t find_end_record(const Source& archive, const Tail& tail) {
  const std::uint64_t size = archive.size();
  const std::uint64_t farthest = size > kEndSize + kFull16 ? size - kEndSize - kFull16 : 0;
  for (std::uint64_t at = size < kEndSize ? 0 : size - kEndSize + 1; at-- > farthest;) {
    if (tail.number(at, 4) != kEndSignature) continue;
    if (at + kEndSize + tail.number(at + 20, 2) == size) return at;
  }
  throw Error({"not a zip archive", archive.name(), "an end-of-central-directory record", "none (another format, or truncated)"});
}

Directory read_end64(const Source& archive, std::uint64_t end) {
  const std::uint64_t at = archive.number(end - kLocator64Size + 8, 8, "the Zip64 locator");
  if (archive.number(at, 4, "the Zip64 end record") != kEnd64Signature) {
    throw Error(
        {"the Zip64 end record is not where the locator says", archive.name(), "its signature", "other bytes at " + std::to_string(at)});
  }
  return {archive.number(at + 32, 8, "the Zip64 end record"), archive.number(at + 40, 8, "the Zip64 end record"),
          archive.number(at + 48, 8, "the Zip64 end record"), at};
}

Directory find_directory(const Source& archive) {
  const Tail tail = read_tail(archive);
  const std::uint64_t end = find_end_record(archive, tail);
  if (tail.number(end + 4, 2) % kFull16 != 0 || tail.number(end + 6, 2) % kFull16 != 0) {
    throw Error({"the archive is split over several disks", archive.name(), "a single file", ""});
  }
  Directory directory{tail.number(end + 10, 2), tail.number(end + 12, 4), tail.number(end + 16, 4), end};
  const bool wide = end >= kLocator64Size && tail.number(end - kLocator64Size, 4) == kLocator64Signature;
  if (wide && (directory.count == kFull16 || directory.size == kFull32 || directory.begin == kFull32)) directory = read_end64(archive, end);
  if (directory.begin > directory.end_record || directory.size > directory.end_record - directory.begin) {
    throw Error({"the central directory lies outside the archive", archive.name(),
                 "an end at or before byte " + std::to_string(directory.end_record),
                 std::to_string(directory.size) + " bytes from byte " + std::to_string(directory.begin)});
  }
  return directory;
}

/// Replaces the fields that say "see Zip64", in the fixed order of the extra field.
void apply_zip64(const Window& extra, ZipMember& member) {
  std::uint64_t at = 0;
  while (at + 4 <= extra.size()) {
    const std::uint64_t id = extra.number(at, 2, "an extra field");
    const std::uint64_t size = extra.number(at + 2, 2, "an extra field");
    const Window field(extra.slice(at + 4, size, "an extra field"), extra.name());
    at += 4 + size;
    if (id != 1) continue;
    std::uint64_t place = 0;
    for (std::uint64_t* value : {&member.size, &member.packed_size, &member.header_at}) {
      if (*value != kFull32) continue;
      *value = field.number(place, 8, "the Zip64 field");
      place += 8;
    }
    return;
  }
}

/// The member at `at`, which moves behind it.
ZipMember read_member(const Window& directory, std::uint64_t& at) {
  const auto number = [&](std::uint64_t offset, int bytes) { return directory.number(at + offset, bytes, "the central directory"); };
  if (number(0, 4) != kCentralSignature) {
    throw Error({"the central directory is broken", directory.name(), "an entry's signature", "other bytes"});
  }
  const std::uint64_t name_size = number(28, 2), extra_size = number(30, 2), comment_size = number(32, 2);
  ZipMember member;
  member.name = directory.text(at + kCentralSize, name_size, "a member's name");
  member.flags = number(8, 2);
  member.method = number(10, 2);
  member.crc = number(16, 4);
  member.packed_size = number(20, 4);
  member.size = number(24, 4);
  member.header_at = number(42, 4);
  const std::span<const std::byte> extra = directory.slice(at + kCentralSize + name_size, extra_size, "an extra field");
  apply_zip64(Window(extra, directory.name() + ", member " + member.name), member);
  at += kCentralSize + name_size + extra_size + comment_size;
  return member;
}

std::string where_of(const Source& archive, const ZipMember& member) {
  return archive.name() + ", member " + member.name;
}

/// Where the packed bytes of a member begin, found through its local header.
std::uint64_t packed_begin(const Source& archive, const ZipMember& member) {
  const std::uint64_t at = member.header_at;
  const std::string header = archive.text(at, kLocalSize, "the local header of member " + member.name);
  const Window window(std::as_bytes(std::span(header)), archive.name());
  const std::uint64_t name_size = window.number(26, 2, "a local header"), extra_size = window.number(28, 2, "a local header");
  const bool right = window.number(0, 4, "a local header") == kLocalSignature && name_size == member.name.size() &&
                     archive.text(at + kLocalSize, name_size, "a local header") == member.name;
  if (!right) throw Error({"the local header is not the member's", where_of(archive, member), "its signature and name", "other bytes"});
  const std::uint64_t begin = at + kLocalSize + name_size + extra_size;
  archive.require(begin, member.packed_size, "the data of member " + member.name);
  return begin;
}

void check_disjoint(const Source& archive, const std::vector<ZipMember>& members, std::uint64_t directory_begin) {
  std::map<std::uint64_t, std::uint64_t> end_of;  // by the beginning of the local header
  for (const ZipMember& member : members) {
    const std::uint64_t end = packed_begin(archive, member) + member.packed_size;
    if (!end_of.emplace(member.header_at, end).second) throw Error({"two members share their bytes", where_of(archive, member), "", ""});
  }
  std::uint64_t reached = 0;
  for (const auto& [begin, end] : end_of) {
    if (begin < reached) throw Error({"two members share their bytes", archive.name(), "", "an overlap at byte " + std::to_string(begin)});
    reached = end;
  }
  if (reached > directory_begin) throw Error({"a member reaches into the central directory", archive.name(), "", ""});
}

/// A member as it is stored, and its checksum.
class StoredMember : public RangeStream {
 public:
  StoredMember(const SourcePtr& archive, const ZipMember& member)
      : RangeStream(archive, packed_begin(*archive, member), member.packed_size, "the data of member " + member.name),
        where_(where_of(*archive, member)),
        expected_(member.crc) {}
  void finish() override {
    if (sum_ != expected_) throw Error({"wrong checksum", where_, std::to_string(expected_), std::to_string(sum_)});
  }

 private:
  void fetch(std::span<std::byte> target) override {
    RangeStream::fetch(target);
    sum_ = crc32_z(sum_, reinterpret_cast<const Bytef*>(target.data()), target.size());
  }

  std::string where_;
  uLong expected_, sum_ = crc32(0, nullptr, 0);
};

/// A raw deflate stream that ends itself.
class DeflatedMember : public Stream {
 public:
  DeflatedMember(const SourcePtr& archive, const ZipMember& member)
      : Stream(member.size),
        packed_(archive, packed_begin(*archive, member), member.packed_size, "the data of member " + member.name),
        where_(where_of(*archive, member)),
        expected_(member.crc),
        input_(std::min<std::uint64_t>(member.packed_size, kPiece)) {
    const int status = inflateInit2(&stream_, -MAX_WBITS);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK) throw Error({"zlib cannot start", where_, "", ""});
  }
  ~DeflatedMember() override { inflateEnd(&stream_); }

  void finish() override {
    std::byte beyond{};  // where a byte too many would go
    unpack({&beyond, 1});
    if (status_ != Z_STREAM_END || written_ != size() || packed_.left() + stream_.avail_in != 0) refuse();
    if (sum_ != expected_) throw Error({"wrong checksum", where_, std::to_string(expected_), std::to_string(sum_)});
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{256} << 10;

  [[noreturn]] void refuse() const {
    throw Error({"the deflate stream is broken", where_, std::to_string(size()) + " bytes from " + std::to_string(packed_.size()),
                 std::to_string(written_) + " from " + std::to_string(packed_.position() - stream_.avail_in) +
                     (stream_.msg != nullptr ? std::string(", ") + stream_.msg : "")});
  }

  void fetch(std::span<std::byte> target) override {
    unpack(target);
    if (written_ < position() + target.size()) refuse();
    sum_ = crc32_z(sum_, reinterpret_cast<const Bytef*>(target.data()), target.size());
  }

  /// Fills `target` unless the stream ends or breaks before.
  void unpack(std::span<std::byte> target) {
    while (!target.empty() && status_ == Z_OK) {
      if (stream_.avail_in == 0) {
        const std::span<std::byte> input = std::span(input_).first(std::min<std::uint64_t>(packed_.left(), input_.size()));
        packed_.read(input);
        stream_.next_in = reinterpret_cast<Bytef*>(input.data());
        stream_.avail_in = static_cast<uInt>(input.size());
      }
      const auto room = static_cast<uInt>(std::min<std::size_t>(target.size(), std::numeric_limits<uInt>::max()));
      stream_.next_out = reinterpret_cast<Bytef*>(target.data());
      stream_.avail_out = room;
      status_ = inflate(&stream_, Z_NO_FLUSH);
      if (status_ == Z_MEM_ERROR) throw std::bad_alloc();
      written_ += room - stream_.avail_out;
      target = target.subspan(room - stream_.avail_out);
    }
  }

  RangeStream packed_;
  std::string where_;
  uLong expected_, sum_ = crc32(0, nullptr, 0);
  std::vector<std::byte> input_;
  z_stream stream_{};
  int status_ = Z_OK;
  std::uint64_t written_ = 0;
};

void check_declared(const ZipMember& member, const std::string& where) {
  if ((member.flags & 1U) != 0) throw Error({"the member is encrypted", where, "a plain member", ""});
  if (member.method != 0 && member.method != 8) {
    throw Error({"unknown compression", where, "method 0 (stored) or 8 (deflated)", std::to_string(member.method)});
  }
  const bool plausible = member.method == 0 ? member.size == member.packed_size
                                            : member.size <= kSmall || (member.size - kSmall) / kLargestRatio < member.packed_size;
  if (!plausible) {
    throw Error({"the declared size is impossible", where, member.method == 0 ? "the stored size" : "at most 1040 times the packed size",
                 std::to_string(member.size) + " bytes from " + std::to_string(member.packed_size)});
  }
}

}  // namespace

std::vector<ZipMember> zip_members(const Source& archive) {
  const Directory place = find_directory(archive);
  const std::string bytes = archive.text(place.begin, place.size, "the central directory");
  const Window directory(std::as_bytes(std::span(bytes)), archive.name());
  std::vector<ZipMember> members;
  std::map<std::string, bool> seen;
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < place.count; ++i) {
    members.push_back(read_member(directory, at));
    if (!seen.emplace(members.back().name, true).second)
      throw Error({"two members of one name", where_of(archive, members.back()), "", ""});
  }
  if (at != place.size) {
    throw Error({"the central directory has another length than declared", archive.name(), std::to_string(place.size), std::to_string(at)});
  }
  check_disjoint(archive, members, place.begin);
  return members;
}

std::unique_ptr<Stream> zip_stream(const SourcePtr& archive, const ZipMember& member) {
  check_declared(member, where_of(*archive, member));
  std::unique_ptr<Stream> stream;
  if (member.method == 0) {
    stream = std::make_unique<StoredMember>(archive, member);
  } else {
    stream = std::make_unique<DeflatedMember>(archive, member);
  }
  if (stream->size() == 0) stream->finish();  // nobody reads nothing
  return stream;
}

}  // namespace heed::io
