// Group: the sequences that one kernel computes. Dense problems have one group of all batch entries; packed sequences may fall into those
// with few queries and those with many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "problem/question.hpp"

namespace heed::problem {

/// All batch entries or sequences.
[[nodiscard]] inline std::vector<std::int64_t> every_sequence(const Layout& layout) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(layout.batch));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

struct Group {
  std::vector<std::int64_t> sequences;    ///< batch entries, ascending
  std::vector<std::int64_t> query_tiles;  ///< [sequences + 1]: of those before
  std::int64_t queries = 0, keys = 0;     ///< the most that one of them has
  std::int64_t all_queries = 0, all_keys = 0;
  Visited visited;  ///< over all heads

  Group(const Question& question, std::vector<std::int64_t> of) : sequences(std::move(of)), query_tiles{0} {
    for (const std::int64_t b : sequences) {
      query_tiles.push_back(query_tiles.back() + question.layout.query_tiles_of(b));
      queries = std::max(queries, question.layout.queries_of(b));
      keys = std::max(keys, question.layout.keys_of(b));
      all_queries += question.layout.queries_of(b);
      all_keys += question.layout.keys_of(b);
      visited.add(question.tiles.visited(b));
    }
  }
  [[nodiscard]] std::int64_t key_tiles() const { return (keys + kTile - 1) / kTile; }
  /// Tiles of queries of one head, of all sequences.
  [[nodiscard]] std::int64_t tiles() const { return query_tiles.back(); }
  /// The n-th tile of queries of one head: whose it is, and which.
  struct Row {
    std::int64_t b, tile;
  };
  [[nodiscard]] Row row(std::int64_t n) const {
    const auto after = std::upper_bound(query_tiles.begin(), query_tiles.end(), n);
    const auto s = static_cast<std::size_t>(after - query_tiles.begin()) - 1;
    return {sequences[s], n - query_tiles[s]};
  }
};

}  // namespace heed::problem
