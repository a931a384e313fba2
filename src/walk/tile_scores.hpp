// TileScores: one thread's means to make tiles of final scores: similarity, score formulas, mask. Shared by every walk.
//
// bind a tile of queries, then ask for tiles of keys: S [keys, 64], keys down, queries across; hidden places are -inf.
// The memory is some tiles of queries and two of keys (the machine's and f32), the frames of the two formulas, 64 x 64 floats and bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "formula/tile.hpp"
#include "machine/machine.hpp"
#include "machine/words.hpp"
#include "problem/places.hpp"
#include "problem/question.hpp"

namespace heed::walk {

using base::kTile;
using formula::Verdict;
using problem::QueryTile;

class TileScores {
 public:
  /// `places`: how many tiles of queries stay loaded at a time.
  [[nodiscard]] static std::size_t bytes(const problem::Question& question, const machine::Words& words, std::int64_t places = 1);
  TileScores(const problem::Question& question, const machine::Words& words, base::Arena& arena, std::int64_t places = 1);

  /// Loads a tile of queries into a place and binds it.
  void load(const TensorView& q, const QueryTile& queries, std::int64_t place = 0);
  /// Binds the tile that was loaded there, and the keys of its head.
  void bind(const TensorView& q, const TensorView& k, const QueryTile& queries, std::int64_t place = 0);
  /// Any query slots of one head, at most 64.
  void bind(const TensorView& q, const TensorView& k, std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots);
  [[nodiscard]] int lanes() const { return lanes_; }
  [[nodiscard]] const void* queries() const { return queries_; }  ///< of the tile that is bound
  /// How many keys tile `tile` has.
  [[nodiscard]] int keys(std::int64_t tile) const;
  /// s <- final scores of keys [64 tile, …), exact enough for any finite numbers: of queries and keys that hold a number which the
  /// products do not take, by the careful words; each score depends on its query and key alone. A Full tile pays nothing for the mask, an
  /// empty formula nothing for modifying.
  void make(std::int64_t tile, Verdict verdict, float* s);
  /// The same by the products alone: numbers that they do not take count as they do there.
  void make_by_products(std::int64_t tile, Verdict verdict, float* s);
  /// The same by the careful words.
  void make_carefully(std::int64_t tile, Verdict verdict, float* s);
  /// Scaled scores that the products just made, before alter(): those that are not finite once more in double, each by itself. NaN where
  /// the similarity of finite numbers is beyond f32.
  void mend(std::int64_t tile, float* s);
  /// s <- formulas and mask on scaled scores of all lanes, or of lanes [first, first + lanes) where s points at the first.
  void alter(std::int64_t tile, Verdict verdict, float* s);
  void alter(std::int64_t tile, Verdict verdict, float* s, int first, int lanes);
  /// Whether alter() does anything to such a tile.
  [[nodiscard]] bool alters(Verdict verdict) const { return verdict == Verdict::kPartial || !question_.formulas.score_program.empty(); }
  /// Bit i: the products do not take query i.
  [[nodiscard]] std::uint64_t unusual_queries() const { return unusual_; }

 private:
  void locate(const TensorView& q, const QueryTile& queries);
  void load_bound(std::int64_t place);
  void bind_place(const TensorView& k, std::int64_t place);
  void bind_formulas(int first, int lanes);
  void modify(float* s, int keys, int first, int lanes);
  void widen_operands(std::int64_t tile);
  void mend_widened(std::int64_t tile, float* s);
  /// Scaled scores by the products, by the careful words, before alter().
  void score_by_products(std::int64_t tile, float* s);
  void score_carefully(std::int64_t tile, float* s);

  const problem::Question& question_;
  const machine::Words& words_;
  std::size_t query_bytes_;
  std::byte* loaded_;              // [places] tiles of queries as the products read them
  std::uint64_t* loaded_unusual_;  // [places]
  const void* queries_ = nullptr;
  void* key_buffer_;  // one tile of keys, packed
  float* qt_;         // [D, 64], for the careful words, scaled by split_.of_query
  float* widened_;    // [64, D]
  float* one_head_;   // [64, 64] scores of one head of several, or of some places made carefully
  std::uint8_t* seen_;
  formula::TileFrame mask_;
  std::span<formula::TileFrame> scores_;  // one for each head whose scores the formula tells apart
  machine::Rows q_, k_;
  QueryTile tile_;
  machine::ScaleSplit split_;
  std::array<std::int64_t, kTile> offsets_{};  // of the queries in q, in elements
  std::array<std::int64_t, kTile> positions_{}, rows_{};
  std::uint64_t unusual_ = 0;
  std::int64_t b_ = 0, q_step_ = 0, q_head_ = 0;
  int lanes_ = 0, bound_first_ = -1, bound_lanes_ = 0;
  bool qt_loaded_ = false;
};

/// seen[j, i] = 1 where the final score is not -inf.
void seen_from_scores(const float* s, int keys, std::uint8_t* seen);

}  // namespace heed::walk
