// A small zip reader: end record -> central directory -> local headers -> data.
//
// Memory is bounded by the archive: members may not overlap, and none may declare more than 1040 times its packed bytes (deflate
// reaches 1032), so all members together unpack to at most 1040 times the archive plus 1 KiB each.
// Sizes come from the central directory; the local header serves to find the data and must bear the same name.
// Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 to 4.5; RFC 1951 by zlib.
// Checked in npz_test.cpp, and by npz_fuzz.cpp.
#include "io/zip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <map>

#include <heed/error.hpp>

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

/// The last end record whose comment reaches exactly to the end of the archive.
std::uint64_t find_end_record(const Window& archive) {
  const std::uint64_t size = archive.size();
  const std::uint64_t farthest = size > kEndSize + kFull16 ? size - kEndSize - kFull16 : 0;
  for (std::uint64_t at = size < kEndSize ? 0 : size - kEndSize + 1; at-- > farthest;) {
    if (archive.number(at, 4, "the end record") != kEndSignature) continue;
    if (at + kEndSize + archive.number(at + 20, 2, "the end record") == size) return at;
  }
  throw Error({"not a zip archive", archive.name(), "an end-of-central-directory record", "none (another format, or truncated)"});
}

Directory read_end64(const Window& archive, std::uint64_t end) {
  const std::uint64_t at = archive.number(end - kLocator64Size + 8, 8, "the Zip64 locator");
  if (archive.number(at, 4, "the Zip64 end record") != kEnd64Signature) {
    throw Error(
        {"the Zip64 end record is not where the locator says", archive.name(), "its signature", "other bytes at " + std::to_string(at)});
  }
  return {archive.number(at + 32, 8, "the Zip64 end record"), archive.number(at + 40, 8, "the Zip64 end record"),
          archive.number(at + 48, 8, "the Zip64 end record"), at};
}

Directory find_directory(const Window& archive) {
  const std::uint64_t end = find_end_record(archive);
  if (archive.number(end + 4, 2, "the end record") % kFull16 != 0 || archive.number(end + 6, 2, "the end record") % kFull16 != 0) {
    throw Error({"the archive is split over several disks", archive.name(), "a single file", ""});
  }
  Directory directory{archive.number(end + 10, 2, "the end record"), archive.number(end + 12, 4, "the end record"),
                      archive.number(end + 16, 4, "the end record"), end};
  const bool wide = end >= kLocator64Size && archive.number(end - kLocator64Size, 4, "the Zip64 locator") == kLocator64Signature;
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

std::string where_of(const Window& archive, const ZipMember& member) {
  return archive.name() + ", member " + member.name;
}

/// The packed bytes of a member, found through its local header.
std::span<const std::byte> packed_bytes(const Window& archive, const ZipMember& member) {
  const std::uint64_t at = member.header_at;
  (void)archive.slice(at, kLocalSize, "the local header of member " + member.name);
  const std::uint64_t name_size = archive.number(at + 26, 2, "a local header");
  const std::uint64_t extra_size = archive.number(at + 28, 2, "a local header");
  const bool right = archive.number(at, 4, "a local header") == kLocalSignature &&
                     archive.text(at + kLocalSize, name_size, "a local header") == member.name;
  if (!right) throw Error({"the local header is not the member's", where_of(archive, member), "its signature and name", "other bytes"});
  return archive.slice(at + kLocalSize + name_size + extra_size, member.packed_size, "the data of member " + member.name);
}

void check_disjoint(const Window& archive, const std::vector<ZipMember>& members, std::uint64_t directory_begin) {
  std::map<std::uint64_t, std::uint64_t> end_of;  // by the beginning of the local header
  for (const ZipMember& member : members) {
    const std::span<const std::byte> packed = packed_bytes(archive, member);
    const auto end = static_cast<std::uint64_t>(packed.data() - archive.slice(0, 0, "").data()) + packed.size();
    if (!end_of.emplace(member.header_at, end).second) throw Error({"two members share their bytes", where_of(archive, member), "", ""});
  }
  std::uint64_t reached = 0;
  for (const auto& [begin, end] : end_of) {
    if (begin < reached) throw Error({"two members share their bytes", archive.name(), "", "an overlap at byte " + std::to_string(begin)});
    reached = end;
  }
  if (reached > directory_begin) throw Error({"a member reaches into the central directory", archive.name(), "", ""});
}

/// A raw deflate stream that ends itself.
class Inflater {
 public:
  explicit Inflater(const std::string& where) : where_(where) {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw Error({"zlib cannot start", where_, "", ""});
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Throws Error unless the stream is sound and exactly `target.size()` long.
  void run(std::span<const std::byte> packed, std::span<std::byte> target) {
    std::byte beyond{};  // somewhere to point for an empty target
    std::size_t read = 0, written = 0;
    int status = Z_OK;
    while (status == Z_OK) {
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data() + read));
      stream_.next_out = reinterpret_cast<Bytef*>(target.empty() ? &beyond : target.data() + written);
      const uInt input = piece(packed.size() - read), room = piece(target.size() - written);
      stream_.avail_in = input;
      stream_.avail_out = room;
      status = inflate(&stream_, Z_NO_FLUSH);
      read += input - stream_.avail_in;
      written += room - stream_.avail_out;
    }
    if (status == Z_STREAM_END && read == packed.size() && written == target.size()) return;
    throw Error(
        {"the deflate stream is broken", where_, std::to_string(target.size()) + " bytes from " + std::to_string(packed.size()),
         std::to_string(written) + " from " + std::to_string(read) + (stream_.msg != nullptr ? std::string(", ") + stream_.msg : "")});
  }

 private:
  static uInt piece(std::size_t size) { return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max())); }

  z_stream stream_{};
  const std::string& where_;
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

std::vector<ZipMember> zip_members(const Window& archive) {
  const Directory place = find_directory(archive);
  const Window directory(archive.slice(place.begin, place.size, "the central directory"), archive.name());
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

std::vector<std::byte> zip_extract(const Window& archive, const ZipMember& member) {
  const std::string where = where_of(archive, member);
  check_declared(member, where);
  const std::span<const std::byte> packed = packed_bytes(archive, member);
  std::vector<std::byte> bytes;
  if (member.method == 0) {
    bytes.assign(packed.begin(), packed.end());
  } else {
    bytes.resize(member.size);
    Inflater(where).run(packed, bytes);
  }
  const uLong crc = crc32_z(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (crc != member.crc) throw Error({"wrong checksum", where, std::to_string(member.crc), std::to_string(crc)});
  return bytes;
}

}  // namespace heed::io
