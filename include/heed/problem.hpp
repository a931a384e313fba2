// Problem: what is to be computed, as plain data. A plan is made from it; tensors come later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <heed/expression.hpp>
#include <heed/tensor.hpp>

namespace heed {

/// Where queries stand among the keys: position of query i = i + offset. Formulas see positions.
struct Align {
  enum class Kind : std::uint8_t {
    kNone,    ///< not said; an error where Tq != Tk and a formula mentions q
    kStart,   ///< offset 0
    kEnd,     ///< offset Tk - Tq: the last query stands at the last key
    kOffsets  ///< one offset per batch entry (one for all when there is a single value)
  };
  Kind kind = Kind::kNone;
  std::vector<std::int64_t> offsets{};

  static Align start() { return {Kind::kStart, {}}; }
  static Align end() { return {Kind::kEnd, {}}; }
  static Align at(std::vector<std::int64_t> offsets) { return {Kind::kOffsets, std::move(offsets)}; }
};

/// The scores themselves as a matrix, Outputs::scores: as they are after which step. A sink enters none of them. At a hidden place a
/// formula may have no value (a lookup out of range, say), and K may hold anything.
enum class Scores : std::uint8_t {
  kNone,     ///< not wanted
  kScaled,   ///< scale * (q . k), hidden places too; NaN where that is beyond f32 though q and k are finite
  kAltered,  ///< after the score formulas, hidden places too; NaN where a formula has no value
  kMasked    ///< after the mask too, what the softmax takes: -inf where hidden
};

struct Problem {
  std::int64_t batch = 1;      ///< B
  std::int64_t heads = 1;      ///< Hq
  std::int64_t kv_heads = 1;   ///< Hkv; query head h reads kv head h / (Hq / Hkv)
  std::int64_t queries = 0;    ///< Tq
  std::int64_t keys = 0;       ///< Tk
  std::int64_t dim = 0;        ///< D of Q and K
  std::int64_t value_dim = 0;  ///< Dv of V and O
  DType dtype = DType::kF32;   ///< of Q, K, V: f32, bf16, f16; f64, computed in double

  std::optional<double> scale{};  ///< first s = scale * (q . k); default 1/sqrt(D)
  Expr mask{};                    ///< boolean; empty means full
  std::vector<Expr> scores{};     ///< applied in order, each sees the previous result as s
  Tables tables{};                ///< what the formulas look up
  TensorView
      sink{};  ///< optional logit per query head [Hq], finite or -inf: a start state of the softmax; read by run(), so it must live as long
  Align align{};
  /// Packed sequences of any lengths (ragged): tensors are [T_total, H, D] and lines [T_total, Hq]; sequence b has the queries
  /// [query_offsets[b], query_offsets[b + 1]) and the keys [key_offsets[b], key_offsets[b + 1]). Both or neither (dense). Then `batch` is
  /// the number of sequences, `queries` and `keys` are the longest; positions, q, k and i count from 0 within a sequence, `align` end
  /// stands at the end of each.
  std::vector<std::int64_t> query_offsets{}, key_offsets{};
  std::int64_t first_key = 0;  ///< position of key 0: for a part of a longer sequence of keys

  bool statistics = false;               ///< Outputs::maximum, entropy, effective, visible are wanted
  bool weights = false;                  ///< Outputs::weights (Tq x Tk per head) is wanted: the classic operator's answer
  Scores wanted_scores = Scores::kNone;  ///< which Outputs::scores (Tq x Tk per head) are wanted
  bool partial = false;  ///< the result is a part to be merged: the sink is left out, O and L must be f32 (f64 for f64 inputs)

  std::string kernel{};  ///< run this kernel or refuse; empty: the best that accepts
  bool strict = false;   ///< anything but a fused kernel is an error
  int threads = 0;       ///< 0: all cores of this process

  /// One line: shapes, dtype, mask, scores.
  [[nodiscard]] std::string text() const;
};

/// How the Tq x Tk rectangle of every (batch, head) falls into tiles. Empty tiles are never visited.
struct TileCounts {
  std::int64_t empty = 0;
  std::int64_t partial = 0;
  std::int64_t full = 0;
  [[nodiscard]] std::int64_t total() const { return empty + partial + full; }
};

/// The Problem of three tensors q [B, Hq, Tq, D], k [B, Hkv, Tk, D], v [B, Hkv, Tk, Dv]; nothing else is set.
/// Throws Error where they disagree.
[[nodiscard]] Problem problem_of(const TensorView& q, const TensorView& k, const TensorView& v);
/// The Problem of packed sequences: q [T_total, Hq, D], k [Tk_total, Hkv, D], v [Tk_total, Hkv, Dv], and where each begins and the last
/// ends. Throws Error where they disagree.
[[nodiscard]] Problem problem_of(const TensorView& q, const TensorView& k, const TensorView& v, std::vector<std::int64_t> query_offsets,
                                 std::vector<std::int64_t> key_offsets);

}  // namespace heed
