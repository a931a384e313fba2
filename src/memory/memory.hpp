// Memory: where keys and values lie. Each way of lying is a row of the table; whoever needs keys or values reads them here, tile by tile,
// in place or made in a tile of scratch. It packs nothing: packing for a machine is the walk's, once per block and band.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <heed/inputs.hpp>

#include "base/arena.hpp"
#include "base/rows.hpp"
#include "problem/places.hpp"
#include "problem/question.hpp"

namespace heed::memory {

using base::kTile;

/// Queries, keys and values as the caller has them.
struct Held {
  problem::Placed q, k, v;
  Held(const Inputs& in, const problem::Layout& layout)
      : q(in.q, layout, problem::Side::kQueries), k(in.k, layout, problem::Side::kKeys), v(in.v, layout, problem::Side::kKeys) {}
};

struct TileOf {
  std::int64_t b, g, tile;
  int keys;  ///< how many the tile has: a row behind the last may be nobody's
};

struct Memory {
  std::string_view name;
  /// Bytes of a tile that is gathered or converted; 0: all lies in place, the rows of a head one behind the other.
  std::size_t (*tile_bytes)(const problem::Question& question);
  /// The rows of a tile, in place or made in `buffer`; of `side`, q apart.
  base::Rows (*rows)(const problem::Placed& side, const TileOf& tile, void* buffer);
};

[[nodiscard]] std::span<const Memory> memories();
/// That of a problem.
[[nodiscard]] const Memory& memory_of(const problem::Question& question);

/// One thread's reader of keys and values. Where all lies in place a tile costs a multiplication, no call.
class KeyTiles {
 public:
  /// `places`: how many tiles stay valid at a time, where they are made.
  KeyTiles(const problem::Question& question, const Held& held, base::Arena& arena, std::int64_t places = 1);
  /// The keys and values of one key head.
  void bind(std::int64_t b, std::int64_t g);
  /// How many keys a tile has.
  [[nodiscard]] int count(std::int64_t tile) const { return question_.layout.keys_in(b_, tile); }
  /// Valid until the tile `places` further on of the same side.
  [[nodiscard]] base::Rows keys(std::int64_t tile) const { return rows(held_.k, keys_, tile, key_buffer_); }
  [[nodiscard]] base::Rows values(std::int64_t tile) const { return rows(held_.v, values_, tile, value_buffer_); }

 private:
  [[nodiscard]] base::Rows rows(const problem::Placed& side, const base::Rows& first, std::int64_t tile, std::byte* buffer) const {
    if (key_buffer_ == nullptr) return first.from(tile * kTile);
    return memory_.rows(side, {b_, g_, tile, count(tile)}, buffer + static_cast<std::size_t>(tile % places_) * bytes_);
  }
  const problem::Question& question_;
  const Held& held_;
  const Memory& memory_;
  std::byte *key_buffer_ = nullptr, *value_buffer_ = nullptr;  // null: all lies in place
  base::Rows keys_, values_;                                   // of tile 0, where all lies in place
  std::int64_t b_ = 0, g_ = 0, places_;
  std::size_t bytes_;
};

}  // namespace heed::memory
