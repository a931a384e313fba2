// The members of a zip archive in memory (APPNOTE.TXT 6.3): stored or deflated, Zip64 included, every offset checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/bytes.hpp"

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
[[nodiscard]] std::vector<ZipMember> zip_members(const Window& archive);

/// The bytes of a member. Throws Error naming the archive and the member: encrypted, unknown method, a size that no deflate stream of
/// this length can have (1032 to 1 at most), a broken stream, a wrong checksum.
[[nodiscard]] std::vector<std::byte> zip_extract(const Window& archive, const ZipMember& member);

}  // namespace heed::io
