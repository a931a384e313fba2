// The members of a zip archive (APPNOTE.TXT 6.3): stored or deflated, Zip64 included, every offset checked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/source.hpp"

namespace heed::io {

/// A member as the central directory declares it.
struct ZipMember {
  std::string name;
  std::uint64_t flags = 0;
  std::uint64_t method = 0;  ///< 0 stored, 8 deflated
  std::uint64_t crc = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header_at = 0;  ///< of its local header
};

/// The central directory, in its order. Throws Error naming the archive: no end record, truncated, split over several disks, two
/// members of one name, members that overlap.
[[nodiscard]] std::vector<ZipMember> zip_members(const Source& archive);

/// The bytes of a member, unpacked as they are read. Throws Error naming the archive and the member: encrypted,
/// unknown method, a size that no deflate stream of this length can have (1032 to 1 at most); reading and finish() throw for a broken
/// stream and for a wrong checksum.
[[nodiscard]] std::unique_ptr<Stream> zip_stream(const SourcePtr& archive, const ZipMember& member);

}  // namespace heed::io
