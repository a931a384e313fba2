// Received: what keys receive, how many queries see them, and pooled maps: keys outside, the rows of tiles that see them inside.
//
// A task is a group of sixteen tiles of keys of one head, loaded and packed once, and looks only at the rows that see one of them
// (TileMap::columns). It owns its keys, so sums need no locks and have one order: queries ascending. So it owns the columns of the map
// whose keys are all its own, and writes their means; sums of columns that it shares with its neighbours are added in order of keys. Sums
// over 16 keys, and over the queries of 8 tiles in sixteen parts, run in f32, all others in double. Memory: per thread the sums of the
// columns that a group touches; per task two of them. Checked: census_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "problem/columns.hpp"
#include "walk/norms.hpp"

namespace heed::walk {

inline constexpr std::int64_t kKeyGroup = 16;  ///< tiles of keys per task

/// What one group of keys adds to columns of the map that hold keys of other groups too: its first, its last; R sums each.
struct MapShare {
  struct Column {
    std::int64_t column = -1;  // none
    std::vector<double> sums{};
  };
  Column first, last;
};

class Received {
 public:
  Received(const CensusJob& job, base::Arena& arena);

  /// One group of keys against all the rows that see it. `norms` of all rows of this head; none where only seen_by is wanted.
  [[nodiscard]] MapShare reduce(CensusRows& rows, const CensusHead& of, const problem::Columns& columns, std::span<const state::Norm> norms,
                                std::int64_t group);
  /// The shares of all groups of a head become the columns that no group owns.
  static void write_shared(const CensusJob& job, const CensusHead& of, std::span<const MapShare> shares);

 private:
  static constexpr int kFewKeys = 16, kFewRows = 8;  // whose weights are summed in f32
  struct Strip {
    std::int64_t cell;
    int first, last;  // lanes
  };
  struct Piece {
    std::int64_t column;  // of those that the group touches
    int first, last;      // keys of a tile, at most kFewKeys
  };

  void load_keys(CensusRows& rows, const CensusHead& of, std::int64_t group);
  void bind(CensusRows& rows, const CensusHead& of, std::span<const state::Norm> norms, std::int64_t row);
  void cut(std::int64_t tiles);
  void add_tile(CensusRows& rows, std::int64_t tile);
  void add_mapped(const CensusRows& rows, std::int64_t tile);
  void add_up();
  void write_keys(const CensusHead& of, std::int64_t group) const;
  [[nodiscard]] MapShare write_columns(const CensusHead& of, std::int64_t group) const;
  [[nodiscard]] bool mapped() const;
  [[nodiscard]] std::int64_t column_of(std::int64_t key) const;

  const CensusJob& job_;
  std::byte* buffer_;  // a group of keys, packed
  std::size_t key_bytes_;
  std::array<TileScores::LoadedKeys, kKeyGroup> keys_{};
  std::int64_t first_tile_ = 0;
  bool weighed_ = false;                                                                       // not only counted
  alignas(base::kAlignment) std::array<float, kKeyGroup * kTile * state::kReceived> parts_{};  // of few rows of tiles
  std::array<double, kKeyGroup * kTile> received_{};
  std::array<std::int64_t, kKeyGroup * kTile> seen_by_{};
  std::array<Strip, kTile> strips_{};  // the rows of the map that the bound queries fall into
  std::size_t strip_count_ = 0;
  std::int64_t first_column_ = 0, columns_ = 0;  // that the group touches
  std::vector<double> sums_;                     // [columns_, R]
  std::vector<Piece> pieces_;                    // of the group's keys, one column each
  std::array<std::size_t, kKeyGroup + 1> pieces_of_{};
};

}  // namespace heed::walk
