// The tile instructions, each saying what memory it touches: GCC 12's own intrinsics leave that out (loads) or clobber all (stores).
// All eight tiles are 16 rows of 64 bytes. Only between HEED_PAIRS_BEGIN and HEED_PAIRS_END.
#pragma once

#include <cstdint>

#include "machine/pairs/target.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::amx {

/// 16 rows, `stride` bytes apart, are at most this far from the first to the end: the rows of every tile here lie in such a piece, but
/// for rows of K, which nothing writes while they are read.
struct Piece {
  char bytes[16 * 256];
};

/// Zeroes the tiles and makes them usable; `release` ends it. Per thread.
inline void configure() {
  struct alignas(64) Config {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t column_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static_assert(sizeof(Config) == 64);
  const Config config;
  asm volatile("ldtilecfg %0" ::"m"(config));
}
inline void release() {
  asm volatile("tilerelease" ::: "memory");
}

template <int Tile>
inline void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
}
template <int Tile>
inline void load(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(from), "r"(stride), "m"(*static_cast<const Piece*>(from)));
}
/// For operands that stream by: they do not push the others out of L1.
template <int Tile>
inline void load_stream(const void* from, std::int64_t stride) {
  asm volatile("tileloaddt1 (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(from), "r"(stride));
}
template <int Tile>
inline void store(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c1, (%2,%3,1)" : "+m"(*static_cast<Piece*>(to)) : "i"(Tile), "r"(to), "r"(stride));
}
/// C += A B, pairs of bf16 in f32.
template <int C, int A, int B>
inline void multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

}  // namespace heed::machine::amx
HEED_PAIRS_END
#endif
