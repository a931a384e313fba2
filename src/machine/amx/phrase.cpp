// The phrase of the matrix unit: for 32 queries, one step folds three tiles of keys at once, in three stages,
//
//   step n:   S(n) = K Q^T  |  P(n - 1) = exp(S(n - 1) - m)  |  O += V^T P(n - 2)
//
// interleaved: after each TDPBF16PS some vectors of softmax are issued, so that the matrix unit and the vector units work side by side.
// S and P are double buffers, the two halves of rows of 64 lanes, so that they fill L1's sets evenly. K and V stream (tileloaddt1), Q, S, P
// and O stay; an accumulator is stored just before it is needed again, not all four in a bunch.
// The maximum of S(n) is taken while V^T P(n - 2) runs. A row keeps its reference m until a score exceeds it by more than kSlack: then l
// and O are rescaled. That depends on the row's own scores alone, and weights up to exp(kSlack) cost no accuracy in f32 or bf16.
// Altered tiles (formula, mask, statistics) are scaled and altered between the stages; others are scaled inside exp.
// The words are the meaning and the test: laws/matrix_unit_kernel_test.cpp. Source of the arrangement: docs/kernels.md.
#include <algorithm>
#include <bit>
#include <limits>

#include "machine/amx/amx.hpp"
#include "machine/amx/tiles.hpp"
#include "machine/pairs/exp.hpp"
#include "machine/pairs/lanes.hpp"
#include "machine/pairs/pairs.hpp"

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace heed::machine::amx {
namespace {

using pairs::PartPair;

constexpr std::int64_t kLine = kTile * 4;  // bytes of a row of 64 lanes
constexpr float kSlack = 5.5f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool is_power_of_two(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x007F'FFFFU) == 0;
}

/// Softmax of one tile of 64 keys x 16 Across queries, in small pieces that are issued between products.
template <int Parts, int Across>
class Softmax {
 public:
  static constexpr int kMaxima = 16, kExps = 32;
  static constexpr float kUnit = pairs::Weight<Parts>::kUnit;  // m and distances from it are in such units

  Softmax(float* state, int first) : m_place_(state + first), l_place_(state + kTile + first) {
    for (int n = 0; n < Across; ++n) {
      m_[n] = _mm512_mul_ps(_mm512_loadu_ps(m_place_ + 16 * n), _mm512_set1_ps(kUnit));
      l_[n] = _mm512_loadu_ps(l_place_ + 16 * n);
      sum_[n] = _mm512_setzero_ps();
      top_[n] = _mm512_set1_ps(-kInfinity);
    }
  }
  /// A row all of whose scores are -inf in units, though not all of themselves (a formula's may be that far below 0), is no empty row:
  /// m = NaN sends it to the careful words.
  ~Softmax() {
    for (int n = 0; n < Across; ++n) {
      const __mmask16 lost = lost_[n] & _mm512_cmp_ps_mask(m_[n], _mm512_set1_ps(-kInfinity), _CMP_EQ_OQ);
      const __m512 m = _mm512_mask_mov_ps(m_[n], lost, _mm512_set1_ps(std::numeric_limits<float>::quiet_NaN()));
      _mm512_storeu_ps(m_place_ + 16 * n, _mm512_mul_ps(m, _mm512_set1_ps(1 / kUnit)));
      _mm512_storeu_ps(l_place_ + 16 * n, l_[n]);
    }
  }
  Softmax(const Softmax&) = delete;
  Softmax& operator=(const Softmax&) = delete;

  /// The maximum of four keys.
  void maximum(const float* s, int piece) {
#pragma GCC unroll 4
    for (int j = 4 * piece; j < 4 * piece + 4; ++j) {
#pragma GCC unroll 2
      for (int n = 0; n < Across; ++n) top_[n] = _mm512_max_ps(_mm512_loadu_ps(s + j * kTile + 16 * n), top_[n]);
    }
  }
  /// Raw scores in units. With a factor that is no power of two it is rounded twice, as scores are that were scaled before: what a row gets
  /// does not depend on whether its tile was altered.
  static __m512 in_units(__m512 raw, float factor) {
    if (kUnit == 1.0f || is_power_of_two(factor)) return _mm512_mul_ps(raw, _mm512_set1_ps(factor * kUnit));
    return _mm512_mul_ps(_mm512_mul_ps(raw, _mm512_set1_ps(factor)), _mm512_set1_ps(kUnit));
  }
  /// Weights of two keys.
  void exps(const float* s, float factor, std::uint32_t* p, int piece) {
    const float* const at = s + 2 * piece * kTile;
    const auto weight = [&](const float* scores, int n) {
      return pairs::Weight<Parts>::of_units(_mm512_sub_ps(in_units(_mm512_loadu_ps(scores), factor), base_[n]));
    };
#pragma GCC unroll 2
    for (int n = 0; n < Across; ++n) {
      __m512 even = weight(at + 16 * n, n);
      __m512 odd = weight(at + kTile + 16 * n, n);
      sum_[n] = _mm512_add_ps(sum_[n], _mm512_add_ps(even, odd));
#pragma GCC unroll 3
      for (int part = 0; part < Parts; ++part) {
        const __m512i both = pairs::pairs_of(even, odd);
        _mm512_storeu_si512(p + part * pairs::kWeightPart + piece * kTile + 16 * n, both);
        if (part + 1 < Parts) pairs::take_away(both, even, odd);
      }
    }
  }
  /// After the last weight of one tile and the last maximum of the next: its reference. True when O has to be rescaled.
  bool turn(float factor) {
    bool any = false;
    for (int n = 0; n < Across; ++n) {
      const __m512 nothing = _mm512_set1_ps(-kInfinity), top = in_units(top_[n], factor);
      l_[n] = _mm512_add_ps(l_[n], sum_[n]);
      const __mmask16 grows = _mm512_cmp_ps_mask(top, _mm512_add_ps(m_[n], _mm512_set1_ps(kSlack * kUnit)), _CMP_GT_OQ);
      const __mmask16 begun = _mm512_cmp_ps_mask(m_[n], nothing, _CMP_NEQ_OQ);
      const __m512 m = _mm512_mask_mov_ps(m_[n], grows, top);
      rescale_[n] = _mm512_mask_mov_ps(_mm512_set1_ps(1.0f), grows & begun,
                                       pairs::fine_exp(_mm512_mul_ps(_mm512_sub_ps(m_[n], m), _mm512_set1_ps(1 / kUnit))));
      any |= (grows & begun) != 0;
      const __mmask16 lost = _mm512_cmp_ps_mask(top, nothing, _CMP_EQ_OQ) & _mm512_cmp_ps_mask(top_[n], nothing, _CMP_NEQ_OQ);
      lost_[n] = static_cast<__mmask16>(lost_[n] | lost);
      l_[n] = _mm512_mul_ps(l_[n], rescale_[n]);
      m_[n] = m;
      base_[n] = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(m, nothing, _CMP_NEQ_OQ), m);
      sum_[n] = _mm512_setzero_ps();
      top_[n] = nothing;
    }
    return any;
  }
  /// O <- O rescale, rows of 64 lanes.
  void rescale(float* o, int columns, const __m512 (&factor)[Across]) const {
    for (int c = 0; c < columns; ++c) {
      for (int n = 0; n < Across; ++n) {
        float* const at = o + std::int64_t{c} * kTile + 16 * n;
        _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), factor[n]));
      }
    }
  }
  [[nodiscard]] const __m512 (&factors() const)[Across] {
    return rescale_;
  }

 private:
  float *m_place_, *l_place_;
  int first_;
  __m512 m_[Across], l_[Across], sum_[Across], top_[Across], base_[Across], rescale_[Across];
  __mmask16 lost_[Across] = {};
};

/// Pieces of work spread evenly over a number of slots.
class Spread {
 public:
  Spread(int pieces, int slots) : pieces_(pieces), slots_(slots) {}
  template <class Work>
  void slot(const Work& work) {
    for (credit_ += pieces_; credit_ >= slots_ && next_ < pieces_; credit_ -= slots_) work(next_++);
  }
  template <class Work>
  void rest(const Work& work) {
    while (next_ < pieces_) work(next_++);
  }

 private:
  int pieces_, slots_, next_ = 0, credit_ = 0;
};

template <int Parts, int Across>
class Pipeline {
 public:
  static constexpr auto kScores = pairs::score_products<Parts>();
  static constexpr auto kMix = pairs::mix_products<Parts>();
  /// Products of one part rounded to f32 need no better sum than one chain over a block; those of more parts start from 0 each tile.
  static constexpr bool kAddsToO = Parts == 1;

  Pipeline(const FoldTiles& tiles, int first)
      : tiles_(tiles),
        first_(first),
        lanes_(std::min(16 * Across, tiles.lanes - first)),
        queries_(pairs::queries_of(tiles.q, tiles.dim)),
        depth_(pairs::padded_dim(tiles.dim) / 32),
        columns_(pairs::padded_value_dim(tiles.value_dim)),
        softmax_(tiles.state, first),
        s_(static_cast<float*>(tiles.scratch)),
        p_(reinterpret_cast<std::uint32_t*>(s_ + kTile * kTile)),
        sum_(reinterpret_cast<float*>(p_ + Parts * pairs::kWeightPart)),
        o_(tiles.o + first) {}

  void run() {
    const int count = static_cast<int>(tiles_.tiles.size());
    for (int n = 0; n < count + 2; ++n) step(n, count);
    flush();
  }

 private:
  static constexpr int kPerBlock = 2 * Across;  // products of a block per 32 of depth

  [[nodiscard]] float* scores_of(int n) const { return s_ + (n & 1) * kHalf; }
  [[nodiscard]] std::uint32_t* weights_of(int n) const { return p_ + (n & 1) * kHalf; }
  [[nodiscard]] const KeyTile& tile(int n) const { return tiles_.tiles[static_cast<std::size_t>(n)]; }
  /// Raw scores of these tiles are scaled inside exp; the others, and all under a scale that turns their order, before.
  [[nodiscard]] bool scaled_late(const KeyTile& key_tile) const { return !key_tile.altered && queries_.scale > 0; }
  [[nodiscard]] float factor_of(const KeyTile& key_tile) const { return scaled_late(key_tile) ? queries_.scale : 1.0f; }

  void step(int n, int count) {
    const bool scores = n < count, soft = n >= 1 && n - 1 < count, mix = n >= 2;
    const int score_slots = scores ? 2 * depth_ * static_cast<int>(kScores.size()) * kPerBlock : 0;
    const int mix_slots = mix ? (columns_ + 31) / 32 * 2 * static_cast<int>(kMix.size()) * kPerBlock : 0;
    Spread exps(soft ? Softmax<Parts, Across>::kExps : 0, score_slots + mix_slots);
    const float factor = soft ? factor_of(tile(n - 1)) : 1.0f;
    const auto weigh = [&](int piece) { softmax_.exps(scores_of(n - 1), factor, weights_of(n - 1), piece); };
    if (scores) {
      for (int row = 0; row < kTile; row += 32) score_block(tile(n), row, scores_of(n), [&] { exps.slot(weigh); });
      if (!scaled_late(tile(n)) || tile(n).keys < kTile) {
        flush();
        settle(tile(n), scores_of(n));
      }
    }
    Spread maxima(scores ? Softmax<Parts, Across>::kMaxima : 0, std::max(1, mix_slots - kPerBlock));
    const auto top = [&](int piece) { softmax_.maximum(scores_of(n), piece); };
    if (mix) {
      // Every accumulator begins anew in a first block of 32 columns; in a narrower one the scores would wait.
      if (!kAddsToO || rescales_[n & 1] || columns_ < 32) flush();
      if (kAddsToO && rescales_[n & 1]) softmax_.rescale(o_, columns_, pending_[n & 1]);
      int slot = 0;
      for (int column = 0; column < columns_; column += 32) {
        mix_block(tile(n - 2), column, weights_of(n - 2), pending_[n & 1], [&] {
          exps.slot(weigh);
          // The last scores are stored during the first products.
          if (++slot > kPerBlock) maxima.slot(top);
        });
      }
    }
    exps.rest(weigh);
    if (scores && !mix) flush();
    maxima.rest(top);
    if (scores || soft) {
      rescales_[n & 1] = softmax_.turn(scores ? factor_of(tile(n)) : 1.0f);
      for (int across = 0; across < Across; ++across) pending_[n & 1][across] = softmax_.factors()[across];
    }
  }

  /// Scale, hide keys that are not there, alter.
  void settle(const KeyTile& key_tile, float* s) const {
    if (!scaled_late(key_tile)) {
      const __m512 scale = _mm512_set1_ps(queries_.scale);
      for (int j = 0; j < key_tile.keys; ++j) {
        for (int n = 0; n < Across; ++n)
          _mm512_storeu_ps(s + j * kTile + 16 * n, _mm512_mul_ps(_mm512_loadu_ps(s + j * kTile + 16 * n), scale));
      }
    }
    for (int j = key_tile.keys; j < kTile; ++j) {
      for (int n = 0; n < Across; ++n) _mm512_storeu_ps(s + j * kTile + 16 * n, _mm512_set1_ps(-kInfinity));
    }
    if (key_tile.altered) tiles_.alter(key_tile, s, first_, lanes_);
  }

  // ---- the accumulators: tiles 0 to 3 are [rows 0-15, 16-31] x [lanes 0-15, 16-31]; where each was to be stored ----

  template <int Tile>
  void store_pending() {
    if (stores_[Tile] == nullptr) return;
    store<Tile>(stores_[Tile], kLine);
    stores_[Tile] = nullptr;
  }
  void flush() {
    store_pending<0>();
    store_pending<1>();
    store_pending<2>();
    store_pending<3>();
  }
  template <int Tile>
  void begin(bool from_zero, float* c) {
    store_pending<Tile>();
    if (from_zero)
      zero<Tile>();
    else
      load<Tile>(c, kLine);
    stores_[Tile] = c;
  }

  /// C [32 rows, 16 Across lanes] += products of rows of A (streamed) and pairs of B. `two`: rows 16 to 31 exist.
  template <std::size_t Count, std::array<PartPair, Count> PartsOf, class Fill>
  void block(const Matrices& m, bool two, bool from_zero, const Fill& fill) {
    float *const c = m.c, *const below = c + 16 * kTile;
    bool fresh = true;
    for (const PartPair part : PartsOf) {
      const std::uint16_t* at = m.a + part.a * m.a_part;
      const std::uint32_t* bt = m.b + part.b * m.b_part;
      for (int k = 0; k < m.depth; ++k, at += 32, bt += 16 * kTile) {
        load_stream<4>(at, m.a_row * 2);
        load<6>(bt, kLine);
        if (fresh) begin<0>(from_zero, c);
        multiply<0, 4, 6>();
        fill();
        if constexpr (Across == 2) {
          load<7>(bt + 16, kLine);
          if (fresh) begin<1>(from_zero, c + 16);
          multiply<1, 4, 7>();
          fill();
        }
        if (two) {
          load_stream<5>(at + 16 * m.a_row, m.a_row * 2);
          if (fresh) begin<2>(from_zero, below);
          multiply<2, 5, 6>();
          fill();
          if constexpr (Across == 2) {
            if (fresh) begin<3>(from_zero, below + 16);
            multiply<3, 5, 7>();
            fill();
          }
        }
        fresh = false;
      }
    }
  }

  template <class Fill>
  void score_block(const KeyTile& key_tile, int row, float* s, const Fill& fill) {
    const auto* const keys = static_cast<const std::uint16_t*>(key_tile.k.data);
    block<kScores.size(), kScores>({.a = keys + row * key_tile.k.stride,
                                    .a_row = key_tile.k.stride,
                                    .a_part = pairs::key_part(tiles_.dim),
                                    .b = queries_.pairs + first_,
                                    .b_part = queries_.part,
                                    .depth = depth_,
                                    .c = s + row * kTile},
                                   true, true, fill);
  }

  template <class Fill>
  void mix_block(const KeyTile& key_tile, int column, const std::uint32_t* p, const __m512 (&rescale)[Across], const Fill& fill) {
    const auto* const values = static_cast<const std::uint16_t*>(key_tile.v.data);
    const bool two = column + 16 < columns_;
    float* const o = o_ + std::int64_t{column} * kTile;
    block<kMix.size(), kMix>({.a = values + std::int64_t{column} * key_tile.v.stride,
                              .a_row = key_tile.v.stride,
                              .a_part = pairs::value_part(tiles_.value_dim),
                              .b = p,
                              .b_part = pairs::kWeightPart,
                              .depth = 2,
                              .c = kAddsToO ? o : sum_},
                             two, !kAddsToO, fill);
    if (kAddsToO) return;
    flush();
    for (int c = 0; c < (two ? 32 : 16); ++c) {
      for (int n = 0; n < Across; ++n) {
        float* const at = o + c * kTile + 16 * n;
        _mm512_storeu_ps(at, _mm512_fmadd_ps(_mm512_loadu_ps(at), rescale[n], _mm512_loadu_ps(sum_ + c * kTile + 16 * n)));
      }
    }
  }

  const FoldTiles& tiles_;
  int first_, lanes_;
  pairs::Queries queries_;
  int depth_, columns_;
  Softmax<Parts, Across> softmax_;
  float* s_;
  std::uint32_t* p_;
  float* sum_;  // [32, 64] of a mix that starts from 0
  float* o_;
  float* stores_[4] = {};
  bool rescales_[2] = {};
  __m512 pending_[2][Across] = {};
};

}  // namespace

template <int Parts>
void fold(const FoldTiles& tiles) {
  configure();
  for (int first = 0; first < tiles.lanes; first += kHalf) {
    if (tiles.lanes - first > 16)
      Pipeline<Parts, 2>(tiles, first).run();
    else
      Pipeline<Parts, 1>(tiles, first).run();
  }
  release();
}

template void fold<1>(const FoldTiles&);
template void fold<2>(const FoldTiles&);
template void fold<3>(const FoldTiles&);

}  // namespace heed::machine::amx
HEED_PAIRS_END
#endif
