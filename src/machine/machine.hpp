// Machine: with what a walk computes. Each is a folder, its tables of words, and a row in table.cpp; it learns of a problem what an Ask
// says and nothing else.
//
// A tile is 64 queries (lanes) by 64 keys. S is f32 [64 keys, 64 lanes] on every machine, so a similarity, a weighing and a mixing may come
// from different hands: a similarity that a machine lacks is the last machine's. What lies behind `void*` is a table's own: queries and
// keys as its scores read them, values and weights P as its mix reads them, and O.
// Numbers that a machine's products do not take (`unusual`: not finite, or outside the range in which its arithmetic is exact enough)
// count as 0 in packed values; rows that see one are folded once more by the careful words (words.hpp) and adopted, so what a row gets
// depends on nothing but the row and the keys it sees. Sums that leave f32 although their numbers are finite: where `unusual` bounds q and
// k, scores cannot; elsewhere a score that is not finite is made again in double. O that is not finite in the end (`overflown`) is folded
// again in double (walk/double_fold.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/borrowed.hpp"
#include "machine/price.hpp"
#include "machine/words.hpp"

namespace heed::machine {

/// 64 keys or values as the products read them: rows in place, or packed. `stride` between rows, in elements.
struct Operand {
  const void* data = nullptr;
  std::int64_t stride = 0;
};

/// Bit j: row j holds a number that the products do not take.
using Unusual = std::uint64_t (*)(const Rows& rows, int count, int columns);

struct Similarity {
  std::string_view name, text;  ///< "dot", "scale q . k"
  /// Bytes of 64 queries, of 64 keys.
  struct Sizes {
    std::size_t queries = 0, keys = 0;
  };
  Sizes (*sizes)(int dim);
  Unusual unusual_queries, unusual_keys;  ///< null: it takes all
  /// Queries, row i at element offset slots[i] (rows.row_stride is 1); lanes beyond `count` are zero.
  void (*load)(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q);
  /// Rows of keys where they lie, or packed into `buffer`.
  Operand (*keys)(const Rows& rows, int count, int dim, void* buffer);
  /// S, scaled. False when a score is not finite: sums of finite numbers may leave f32, and are made again (TileScores::mend). Where q and
  /// k that large are `unusual` it is always true.
  bool (*scores)(const void* q, const Operand& k, const Shape& shape, float* s);
};

struct Mixing {
  /// Bytes of 64 values; of 64 x 64 weights, 0: P is read where S stands; of O of 64 rows.
  struct Sizes {
    std::size_t values = 0, weights = 0, output = 0;
  };
  Sizes (*sizes)(int value_dim);
  Unusual unusual;  ///< null: it takes all
  /// Rows of values where they lie, or packed into `buffer`.
  Operand (*values)(const Rows& rows, int count, int value_dim, void* buffer);
  /// P in f32, [keys, 64], in the form that `mix` reads; null: it reads that.
  void (*put)(const float* p, int keys, int lanes, void* weights) = nullptr;
  /// O <- O rescale + V^T P; shape.dim is Dv.
  void (*mix)(const void* weights, const Operand& v, const Shape& shape, const float* rescale, float* o);
  /// O <- a O + b O'.
  void (*blend)(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes);
  /// Lanes of O <- lanes of `exact`, which is [Dv, 64].
  void (*adopt)(float* o, const float* exact, std::uint64_t lanes, int value_dim);
  /// Bit i: O of lane i is to be folded again by the careful words: it holds NaN, or is so small, though row i has `begun`, that flushed
  /// products could be felt.
  std::uint64_t (*suspects)(const float* o, std::uint64_t begun, int value_dim, int lanes);
  /// Bit i: O of lane i is not finite: its sum left f32, or a number that it sees is not finite. O of no weights at all is.
  std::uint64_t (*overflown)(const float* o, int value_dim, int lanes);
  /// out[i, c] = O[c, first + i] / divisor[first + i], rounded to nearest even, for `lanes` lanes.
  void (*finish)(const float* o, const float* divisor, int value_dim, int first, int lanes, const OutputRows& out);
  /// Values as `values` gives them, copied into `buffer` ([64, Dv] of four bytes) with 0 for every number that is not finite; bit j: row j
  /// held one. A zero weight times NaN is NaN: of a block whose rows come out as suspects, what rows are that see no such number is
  /// told by folding it again so. Null where `values` leaves 0 already, or where the careful words make the bits of the products.
  std::uint64_t (*clean)(const Rows& rows, int count, int value_dim, void* buffer, Operand& clean) = nullptr;
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

/// Scores, weighing and mix of a list of tiles of keys, one tile of queries.
struct FoldTiles {
  const void* q;
  std::span<const KeyTile> tiles;
  int lanes, dim, value_dim;
  float *state, *o;
  const Alter& alter;
  void* scratch;  ///< Phrase::bytes
};

/// What a machine does its own way for one similarity and weighing; the words are its meaning and its test.
struct Phrase {
  std::string_view similarity, weighing;
  /// Weighing::absorb, leaving P in the form that the mixing reads.
  void (*absorb)(float* s, int keys, int lanes, float* state, float* rescale, void* weights);
  /// Weighing::merge; null: that itself.
  void (*merge)(float* state, const float* part, int lanes, float* a, float* b) = nullptr;
  /// Folds a list of tiles at once; null: word by word.
  void (*fold)(const FoldTiles& tiles) = nullptr;
  std::size_t (*bytes)(int dim, int value_dim) = nullptr;
};

/// All that a machine learns of a problem.
struct Ask {
  DType dtype = DType::kF32;
  double scale = 1;
};

struct Machine {
  std::string_view name;
  std::string_view what;                             ///< its way, for people: part of a sentence
  int most_queries = 0;                              ///< for each head; 0: any number
  int most_lanes = kTile;                            ///< of a tile of queries
  int query_tiles = 1;                               ///< how many tiles of queries share one block of keys, where it is made
  bool (*in_place)(DType dtype);                     ///< whether keys and values are read where they lie: none are made
  std::string (*missing)() = nullptr;                ///< what this processor lacks; null or empty: nothing
  std::string (*decline)(const Ask& ask) = nullptr;  ///< why it does not take a problem; null or empty: it does
  Price price;
  std::span<const Similarity> (*similarities)(DType dtype);
  const Mixing& (*mixing)(DType dtype);
  std::span<const Phrase> (*phrases)(DType dtype);
};

/// From the one that is made for the least to the one that takes everything, which is the last.
[[nodiscard]] std::span<const Machine> machines();

/// A state and the row statistics that go with it.
struct TalliedState {
  int lanes;
  float* state;
  const state::TallyRows& tally;
};

/// What a walk speaks: put together once per run.
struct Words {
  const Similarity& similarity;
  const state::Weighing& weighing;
  const Mixing& mixing;
  const Phrase* phrase;  ///< null: word by word
  int most_lanes;        ///< of a tile of queries
  int query_tiles;       ///< that share a block of keys

  /// Whether a phrase folds a list of tiles at once.
  [[nodiscard]] bool folds_lists() const { return phrase != nullptr && phrase->fold != nullptr; }

  /// P of the scores S, which are used up, in the form that the mixing reads: where S stands, or in `weights`.
  void absorb(float* s, int keys, int lanes, float* state, float* rescale, void* weights) const {
    if (phrase != nullptr) return phrase->absorb(s, keys, lanes, state, rescale, weights);
    weighing.absorb(s, keys, lanes, state, rescale);
    if (mixing.put != nullptr) mixing.put(s, keys, lanes, weights);
  }
  /// Whether row statistics can be taken with it.
  [[nodiscard]] bool tallies() const { return phrase == nullptr && weighing.absorb_and_tally != nullptr; }
  void absorb_and_tally(float* s, int keys, const TalliedState& rows, float* rescale, void* weights) const {
    weighing.absorb_and_tally(s, keys, rows.lanes, rows.state, rows.tally, rescale);
    if (mixing.put != nullptr) mixing.put(s, keys, rows.lanes, weights);
  }
  void merge(float* state, const float* part, int lanes, float* a, float* b) const {
    (phrase != nullptr && phrase->merge != nullptr ? phrase->merge : weighing.merge)(state, part, lanes, a, b);
  }
};
/// The words of a machine for a similarity and a weighing by name; what it lacks is the last machine's.
[[nodiscard]] Words words_of(const Machine& machine, DType dtype, std::string_view similarity = "dot",
                             std::string_view weighing = "softmax");

}  // namespace heed::machine
