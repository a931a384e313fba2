// Products: the words that differ between machines, because they know how a machine wants its operands: the two products, the softmax
// between them, and what packs, joins and empties a tile of output. The other words (words.hpp) work on f32 tiles and serve all machines.
//
// A tile is 64 queries (lanes) by 64 keys. What lies behind `void*` is a machine's own: queries, keys and values as its products read
// them, weights P as its mix reads them, and O. S is f32 [64 keys, 64 lanes] on every machine. Sizes depend on the dimensions alone.
// Numbers that a machine's products do not take (`unusual`: not finite, or outside the range in which its arithmetic is exact enough)
// count as 0 in packed values; rows that see one are folded once more by the careful words and adopted, so what a row gets depends on
// nothing but the row and the keys it sees. Sums that leave f32 although their numbers are finite: where `unusual` bounds q and k, scores
// cannot; elsewhere a score that is not finite is made again in double. O that is not finite in the end (`overflown`)
// is folded again in double (walk/double_fold.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/borrowed.hpp"
#include "machine/words.hpp"

namespace heed::machine {

/// 64 keys or values as the products read them: rows in place, or packed. `stride` between rows, in elements.
struct Operand {
  const void* data = nullptr;
  std::int64_t stride = 0;
};

/// Bytes of one tile of 64; `weights` 0: P takes the place of S. `output` is O of a SoftmaxRows.
struct Sizes {
  std::size_t queries = 0, keys = 0, values = 0, weights = 0, output = 0;
};

/// A visible tile of keys, ready to be folded.
struct KeyTile {
  Operand k, v;
  int keys = 0;
  bool altered = false;   ///< a formula, a mask or statistics look at its scores
  std::int64_t tile = 0;  ///< its number
};

/// Must not use the products itself: a phrase may hold the machine's registers. Called with the final-scaled scores of lanes [first, first
/// + lanes) of an altered tile: s points at lane `first` of key 0.
using Alter = base::Borrowed<void(const KeyTile& tile, float* s, int first, int lanes)>;

/// A phrase: scores, softmax and mix of a list of tiles of keys, one tile of queries, folded into `part`.
struct Phrase {
  const void* q;
  std::span<const KeyTile> tiles;
  int lanes, dim, value_dim;
  SoftmaxRows part;
  const Alter& alter;
  void* scratch;  ///< phrase_bytes
};

struct Products {
  std::string_view name;
  int most_lanes;   ///< of a tile of queries: 64, or fewer for those made for few
  int query_tiles;  ///< how many tiles of queries share one packed block of keys
  Sizes (*sizes)(int dim, int value_dim);
  /// Bit j: row j of queries, of keys or values, holds a number that the products do not take. Null: they take all.
  std::uint64_t (*unusual_queries)(const Rows& rows, int count, int columns);
  std::uint64_t (*unusual_keys)(const Rows& rows, int count, int columns);
  std::uint64_t (*unusual_values)(const Rows& rows, int count, int columns);
  /// Queries, row i at element offset slots[i] (rows.row_stride is 1); lanes beyond `count` are zero.
  void (*load_queries)(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q);
  /// Rows of keys or values where they lie, or packed into `buffer`.
  Operand (*keys)(const Rows& rows, int count, int dim, void* buffer);
  Operand (*values)(const Rows& rows, int count, int value_dim, void* buffer);
  /// S = scale Q K^T. False when a score is not finite: sums of finite numbers may leave f32, and are made again (TileScores::mend).
  /// Products to which q and k that large are `unusual` say true.
  bool (*scores)(const void* q, const Operand& k, int dim, int keys, int lanes, float* s);
  /// Words::absorb; P goes to `p` in the machine's form.
  void (*absorb)(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale, void* p);
  /// O <- O rescale + V^T P.
  void (*mix)(const void* p, const Operand& v, int value_dim, int keys, int lanes, const float* rescale, float* o);
  /// state <- state merged with part; Words::merge.
  void (*merge)(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes);
  /// Lanes of `state` <- lanes of `exact`, whose O is [Dv, 64].
  void (*adopt)(const SoftmaxRows& state, const SoftmaxRows& exact, std::uint64_t lanes, int value_dim);
  /// Bit i: O of lane i is to be folded again by the careful words: it holds NaN, or is so small that flushed
  /// products could be felt.
  std::uint64_t (*suspects)(const SoftmaxRows& part, int value_dim, int lanes);
  /// Bit i: O of lane i is not finite: its sum left f32, or a number that it sees is not finite. O of no weights at all is.
  std::uint64_t (*overflown)(const SoftmaxRows& state, int value_dim, int lanes);
  /// Words::finish for lanes [first, first + lanes).
  void (*finish)(const SoftmaxRows& state, int value_dim, int first, int lanes, const OutputRows& out);
  /// Folds a list of tiles at once; null: word by word.
  void (*phrase)(const Phrase& phrase) = nullptr;
  std::size_t (*phrase_bytes)(int dim, int value_dim) = nullptr;
  /// Values as `values` gives them, copied into `buffer` ([64, Dv] of four bytes) with 0 for every number that is not finite; bit j: row j
  /// held one. A zero weight times NaN is NaN: of a block whose rows come out as suspects, what rows are that see no such number is
  /// told by folding it again so. Null where `values` leaves 0 already, or where the careful words make the bits of the products.
  std::uint64_t (*clean_values)(const Rows& rows, int count, int value_dim, void* buffer, Operand& clean) = nullptr;
};

}  // namespace heed::machine
