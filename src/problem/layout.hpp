// Layout: where slots lie among positions, and which rows of attention share a tile of queries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <heed/problem.hpp>

#include "base/tile.hpp"
#include "formula/formula.hpp"
#include "formula/over.hpp"
#include "problem/formulas.hpp"

namespace heed::problem {

using base::kTile;

/// Whose rows: of queries, O and lines, or of K and V.
enum class Side : std::uint8_t { kQueries, kKeys };

/// Where slots lie among positions: queries of batch entry (or packed sequence) b start at offsets[b], keys at first_key. Where sequences
/// are packed each has its own number of queries and keys; `queries` and `keys` are the most that one has.
struct Layout {
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 0, keys = 0;
  std::vector<std::int64_t> offsets;  ///< [batch]
  std::int64_t first_key = 0;
  std::vector<std::int64_t> query_begin{}, key_begin{};  ///< [batch + 1] rows of packed tensors; empty: dense

  [[nodiscard]] bool ragged() const { return !query_begin.empty(); }
  [[nodiscard]] std::int64_t queries_of(std::int64_t b) const { return ragged() ? length(query_begin, b) : queries; }
  [[nodiscard]] std::int64_t keys_of(std::int64_t b) const { return ragged() ? length(key_begin, b) : keys; }
  [[nodiscard]] std::int64_t query_tiles_of(std::int64_t b) const { return (queries_of(b) + kTile - 1) / kTile; }
  [[nodiscard]] std::int64_t key_tiles_of(std::int64_t b) const { return (keys_of(b) + kTile - 1) / kTile; }
  /// How many keys tile `tile` of b has.
  [[nodiscard]] int keys_in(std::int64_t b, std::int64_t tile) const {
    return static_cast<int>(std::min<std::int64_t>(kTile, keys_of(b) - tile * kTile));
  }
  [[nodiscard]] std::int64_t kv_head(std::int64_t h) const { return h / (heads / kv_heads); }
  [[nodiscard]] std::int64_t query_position(std::int64_t b, std::int64_t slot) const { return offsets[static_cast<std::size_t>(b)] + slot; }
  /// The place of a query slot and a key slot of head h; s is for the caller to fill in.
  [[nodiscard]] formula::Place place(std::int64_t b, std::int64_t h, std::int64_t query, std::int64_t key) const {
    return {.q = query_position(b, query), .k = first_key + key, .b = b, .h = h, .g = kv_head(h), .i = query};
  }
  [[nodiscard]] std::int64_t query_tiles() const { return (queries + base::kTile - 1) / base::kTile; }
  [[nodiscard]] std::int64_t key_tiles() const { return (keys + base::kTile - 1) / base::kTile; }
  /// The positions of slots [q0, q1) x [k0, k1) of one head.
  [[nodiscard]] formula::Box box(std::int64_t b, std::int64_t h, formula::Range q, formula::Range k) const;
  /// All places of the problem; only for a problem with at least one.
  [[nodiscard]] formula::Box everything() const;
  /// All places of one batch entry or sequence that has any.
  [[nodiscard]] formula::Box everything(std::int64_t b) const;
  [[nodiscard]] bool hollow() const { return batch == 0 || heads == 0 || queries == 0 || keys == 0; }

 private:
  static std::int64_t length(const std::vector<std::int64_t>& begin, std::int64_t b) {
    return begin[static_cast<std::size_t>(b) + 1] - begin[static_cast<std::size_t>(b)];
  }
};

/// The layout of a problem of known sizes. Throws Error where alignment is not said though a formula asks for it, or positions are too far.
[[nodiscard]] Layout layout_of(const Problem& problem, const Formulas& formulas);

/// Query heads of one key head whose `queries` (the most of any batch entry) share one tile of at most `most_lanes`: as many as fill it,
/// where one head would leave most of it empty. One tile then reads K and V once for all of them.
[[nodiscard]] std::int64_t heads_that_share(const Layout& layout, std::int64_t queries, bool mask_by_head, std::int64_t most_lanes);

/// The rows of attention that share one tile: `slots` queries from `slot` on of `heads` query heads of one key head. Lane i is query
/// slot + i % slots of head h + i / slots. More than one head only where queries are few and the mask is the same for all heads.
struct QueryTile {
  std::int64_t b = 0, h = 0, heads = 1, slot = 0, slots = 0;
  [[nodiscard]] int lanes() const { return static_cast<int>(heads * slots); }
  [[nodiscard]] std::int64_t head(int lane) const { return h + lane / slots; }
  [[nodiscard]] std::int64_t query(int lane) const { return slot + lane % slots; }
};

}  // namespace heed::problem
