// TileScores: one thread's means to make tiles of final scores: similarity, score formulas, mask. Shared by every walk in f32.
//
// bind a tile of queries, then ask for tiles of keys: S [keys, 64], keys down, queries across; hidden places are -inf.
// The memory is some tiles of queries and two of keys (the machine's and f32), and what formulas take (tile_formulas.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "machine/machine.hpp"
#include "machine/words.hpp"
#include "memory/memory.hpp"
#include "problem/question.hpp"
#include "walk/tile_formulas.hpp"

namespace heed::walk {

class TileScores {
 public:
  /// `places`: how many tiles of queries stay loaded at a time; `key_places`: how many of keys stay valid.
  TileScores(const problem::Question& question, const machine::Words& words, const memory::Held& held, base::Arena& arena,
             std::int64_t places = 1, std::int64_t key_places = 1);

  /// Loads a tile of queries into a place and binds it.
  void load(const QueryTile& queries, std::int64_t place = 0);
  /// Binds the tile that was loaded there, and the keys of its head.
  void bind(const QueryTile& queries, std::int64_t place = 0);
  /// Any query slots of one head, at most 64.
  void bind(std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots);
  /// The keys and values of the head that is bound.
  [[nodiscard]] memory::KeyTiles& held() { return held_; }
  [[nodiscard]] int lanes() const { return lanes_; }
  [[nodiscard]] const void* queries() const { return queries_; }  ///< of the tile that is bound
  /// How many keys tile `tile` has.
  [[nodiscard]] int keys(std::int64_t tile) const { return formulas_.keys(tile); }
  /// A tile of keys of a head as make() takes it: packed into `buffer` where the products do not read it where it lies.
  struct LoadedKeys {
    machine::Operand operand;
    std::uint64_t unusual = 0;  // bit j: the products do not take key j
  };
  [[nodiscard]] LoadedKeys load_keys(const machine::Rows& rows, int count, void* buffer) const;
  /// s <- final scores of keys [64 tile, …), exact enough for any finite numbers: of queries and keys that hold a number which the
  /// products do not take, by the careful words; each score depends on its query and key alone. A Full tile pays nothing for the mask, an
  /// empty formula nothing for modifying.
  void make(std::int64_t tile, Verdict verdict, float* s);
  void make(std::int64_t tile, Verdict verdict, const LoadedKeys& loaded, float* s);
  /// The first half of make(): scaled scores, before alter().
  void make_scaled(std::int64_t tile, float* s);
  /// The same by the products alone: numbers that they do not take count as they do there.
  void make_by_products(std::int64_t tile, Verdict verdict, float* s);
  /// The same by the careful words.
  void make_carefully(std::int64_t tile, Verdict verdict, float* s);
  /// Scaled scores that the products just made, before alter(): those that are not finite once more in double, each by itself. NaN where
  /// the similarity of finite numbers is beyond f32.
  void mend(std::int64_t tile, float* s);
  /// s <- formulas and mask on scaled scores of all lanes, or of lanes [first, first + lanes) where s points at the first.
  void alter(std::int64_t tile, Verdict verdict, float* s) { alter(tile, verdict, s, 0, lanes_); }
  void alter(std::int64_t tile, Verdict verdict, float* s, int first, int lanes) { formulas_.alter(tile, verdict, s, first, lanes); }
  /// The mask's part of alter(): s <- -inf where hidden.
  void hide(std::int64_t tile, float* s) { formulas_.hide(tile, s, 0, lanes_); }
  /// See TileFormulas.
  void spoil_broken(std::int64_t tile, const float* scaled, float* s) const { formulas_.spoil_broken(tile, scaled, s); }
  /// Whether alter() does anything to such a tile.
  [[nodiscard]] bool alters(Verdict verdict) const { return formulas_.alters(verdict); }
  /// Bit i: the products do not take query i.
  [[nodiscard]] std::uint64_t unusual_queries() const { return unusual_; }

 private:
  void locate(const QueryTile& queries);
  void load_bound(std::int64_t place, int slots);  // so many rows of a head at a time
  void bind_place(std::int64_t place);
  void make_scaled(std::int64_t tile, const LoadedKeys& loaded, float* s);
  void widen_operands(std::int64_t tile);
  void mend_widened(std::int64_t tile, float* s);
  /// Scaled scores by the products, by the careful words, before alter().
  void score_by_products(std::int64_t tile, const machine::Operand& k, float* s);
  void score_carefully(std::int64_t tile, float* s);

  const problem::Question& question_;
  const machine::Words& words_;
  const problem::Placed& queries_held_;
  memory::KeyTiles held_;
  TileFormulas formulas_;
  std::size_t query_bytes_;
  std::byte* loaded_;              // [places] tiles of queries as the products read them
  std::uint64_t* loaded_unusual_;  // [places]
  const void* queries_ = nullptr;
  void* key_buffer_;  // one tile of keys, packed
  float* qt_;         // [D, 64], for the careful words, scaled by split_.of_query
  float* widened_;    // [64, D]
  machine::Rows q_;
  machine::ScaleSplit split_;
  std::array<std::int64_t, kTile> offsets_{};  // of the queries in q, in elements
  std::uint64_t unusual_ = 0;
  std::int64_t q_step_ = 0, q_head_ = 0;
  int lanes_ = 0;
  bool qt_loaded_ = false;
};

}  // namespace heed::walk
