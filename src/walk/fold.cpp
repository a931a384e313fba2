#include "walk/fold.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "base/arena.hpp"
#include "base/threads.hpp"
#include "problem/outputs.hpp"
#include "state/norm.hpp"
#include "walk/double_fold.hpp"
#include "walk/row_state.hpp"
#include "walk/sharing.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {
namespace {

using machine::KeyTile;
using machine::Words;
using problem::Question;
using problem::Run;
using state::TallyRows;
using State = RowState<float>;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kMostTiles = kMostBlock / kTile;

/// Bytes of operands and states.
struct Sizes {
  std::size_t keys, values, weights, output, phrase;
};
Sizes sizes_of(const Question& question, const Words& words) {
  const auto dim = static_cast<int>(question.problem.dim), value_dim = static_cast<int>(question.problem.value_dim);
  const auto mixing = words.mixing.sizes(value_dim);
  return {.keys = words.similarity.sizes(dim).keys,
          .values = mixing.values,
          .weights = mixing.weights,
          .output = mixing.output,
          .phrase = words.folds_lists() ? words.phrase->bytes(dim, value_dim) : 0};
}
std::size_t bytes_of(std::int64_t floats) {
  return base::rounded(static_cast<std::size_t>(floats) * sizeof(float));
}

/// What one thread needs to fold.
struct Worker {
  TileScores scores;
  float *s, *rescale, *careful_v;
  void* weights;
  void* phrase;
  std::byte *k_buffer, *v_buffer;
  std::uint8_t* seen;
  std::span<State> states;  // of the tiles of a band
  State part, careful;
  DoubleFold in_double;

  static std::size_t bytes(const Question& question, const Words& words, const Sharing& sharing) {
    const Sizes sizes = sizes_of(question, words);
    const auto packed = static_cast<std::size_t>(sharing.packed_tiles()), states = static_cast<std::size_t>(sharing.tiles_per_band());
    return TileScores::bytes(question, words, sharing.tiles_per_band()) + bytes_of(kTile * kTile) + bytes_of(kTile) +
           bytes_of(kTile * question.problem.value_dim) + base::rounded(sizes.weights) + base::rounded(sizes.phrase) +
           base::rounded(packed * sizes.keys) + base::rounded(packed * sizes.values) + base::rounded(kTile * kTile) +
           base::rounded(states * sizeof(State)) + (states + 1) * State::bytes(question, words.weighing, sizes.output) +
           State::bytes(question, words.weighing, bytes_of(kTile * question.problem.value_dim)) + DoubleFold::bytes(question);
  }
  Worker(const Question& question, const Words& words, const Sharing& sharing, base::Arena& arena)
      : scores(question, words, arena, sharing.tiles_per_band()),
        s(arena.take<float>(kTile * kTile)),
        rescale(arena.take<float>(kTile)),
        careful_v(arena.take<float>(static_cast<std::size_t>(kTile * question.problem.value_dim))),
        weights(arena.take<std::byte>(sizes_of(question, words).weights)),
        phrase(arena.take<std::byte>(sizes_of(question, words).phrase)),
        k_buffer(arena.take<std::byte>(static_cast<std::size_t>(sharing.packed_tiles()) * sizes_of(question, words).keys)),
        v_buffer(arena.take<std::byte>(static_cast<std::size_t>(sharing.packed_tiles()) * sizes_of(question, words).values)),
        seen(arena.take<std::uint8_t>(kTile * kTile)),
        states(arena.make<State>(static_cast<std::size_t>(sharing.tiles_per_band()), question, words.weighing,
                                 sizes_of(question, words).output, arena)),
        part(question, words.weighing, sizes_of(question, words).output, arena),
        careful(question, words.weighing, bytes_of(kTile * question.problem.value_dim), arena),
        in_double(question, arena) {
    if (sizes_of(question, words).weights == 0) weights = s;
  }
};

/// The keys of a block as they are folded: operands per tile, and which keys the products do not take.
struct Block {
  std::int64_t index = 0, first = 0, last = 0;  // [first, last): tiles
  std::array<machine::Operand, kMostTiles> k{}, v{};
  std::array<std::uint64_t, kMostTiles> unusual{};
  std::array<Verdict, kMostTiles> verdicts{};  // of the tile of queries that is folded
  bool any_unusual = false;
};

/// A block that a band enters, where blocks are shared out.
struct Part {
  std::int64_t band, block;
};

std::size_t scratch_of(const Question& question, const Words& words, const Sharing& sharing) {
  const auto workers = static_cast<std::size_t>(sharing.workers()), parts = static_cast<std::size_t>(sharing.parts());
  const std::size_t states =
      parts * State::bytes(question, words.weighing, sizes_of(question, words).output) + base::rounded(parts * sizeof(State));
  return workers * Worker::bytes(question, words, sharing) + base::rounded(workers * sizeof(Worker)) + states +
         base::rounded(parts * sizeof(Part));
}

class Fold {
 public:
  explicit Fold(const Job& job)
      : question_(job.question),
        words_(job.words),
        sizes_(sizes_of(question_, words_)),
        in_(job.in),
        k_(job.in.k, question_.layout, problem::Side::kKeys),
        v_(job.in.v, question_.layout, problem::Side::kKeys),
        out_(question_.layout, job.out),
        sharing_(question_, job.group, words_),
        tallied_apart_(question_.problem.statistics && !words_.tallies()),
        dim_(static_cast<int>(question_.problem.dim)),
        value_dim_(static_cast<int>(question_.problem.value_dim)),
        arena_(scratch_of(question_, words_, sharing_)),
        workers_(arena_.make<Worker>(static_cast<std::size_t>(sharing_.workers()), question_, words_, sharing_, arena_)) {}

  void run() {
    if (sharing_.split()) return run_split();
    base::parallel(static_cast<int>(workers_.size()), sharing_.bands(), [&](int worker, std::int64_t index) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Band band = sharing_.band(index);
      for (std::int64_t n = 0; n < band.tiles; ++n) {
        w.scores.load(in_.q, band.queries(n), n);
        w.states[static_cast<std::size_t>(n)].start(question_, band.queries(n));
      }
      sharing_.each_block(band, [&](std::int64_t block) { fold_band(w, band, block); });
      for (std::int64_t n = 0; n < band.tiles; ++n) {
        finish(w.states[static_cast<std::size_t>(n)], band.queries(n));
        fold_in_double(w, w.states[static_cast<std::size_t>(n)], band, n);
      }
    });
  }

 private:
  void fold_band(Worker& w, const Band& band, std::int64_t index) const {
    Block block = bounds(index);
    if (band.tiles > 1) pack(w, band, block);
    for (std::int64_t n = 0; n < band.tiles; ++n) {
      if (sharing_.seen(band, n, index).empty()) continue;
      w.scores.bind(in_.q, in_.k, band.queries(n), n);
      fold_block(w, w.part, band, n, block);
      merge(w.states[static_cast<std::size_t>(n)], w.part, w.scores.lanes());
    }
  }

  /// Every block that a tile of queries enters by itself, then each tile's parts merged in ascending order: the same bits as one after
  /// the other.
  void run_split() {
    const std::span<Part> parts(arena_.take<Part>(static_cast<std::size_t>(sharing_.parts())), static_cast<std::size_t>(sharing_.parts()));
    const std::span<State> states = arena_.make<State>(parts.size(), question_, words_.weighing, sizes_.output, arena_);
    std::size_t count = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index)
      sharing_.each_block(sharing_.band(index), [&](std::int64_t block) { parts[count++] = {index, block}; });
    base::parallel(static_cast<int>(workers_.size()), sharing_.parts(), [&](int worker, std::int64_t task) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Part& part = parts[static_cast<std::size_t>(task)];
      const Band band = sharing_.band(part.band);
      Block block = bounds(part.block);
      w.scores.load(in_.q, band.queries(0));
      w.scores.bind(in_.q, in_.k, band.queries(0));
      fold_block(w, states[static_cast<std::size_t>(task)], band, 0, block);
    });
    std::size_t next = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index) {
      const State& state = workers_[0].states[0];
      const Band band = sharing_.band(index);
      const QueryTile queries = band.queries(0);
      state.start(question_, queries);
      for (; next < parts.size() && parts[next].band == index; ++next) merge(state, states[next], queries.lanes());
      finish(state, queries);
      fold_in_double(workers_[0], state, band, 0);
    }
  }

  [[nodiscard]] Block bounds(std::int64_t index) const {
    Block block;
    block.index = index;
    block.first = sharing_.first_tile(index);
    block.last = sharing_.last_tile(index);
    return block;
  }

  /// visit(tile, verdict) for the visible tiles of a block.
  template <class Visit>
  void each_tile(const Band& band, std::int64_t n, const Block& block, const Visit& visit) const {
    for (const Run& run : sharing_.seen(band, n, block.index)) {
      for (std::int64_t tile = std::max(run.first, block.first); tile < std::min(run.last, block.last); ++tile) visit(tile, run.verdict);
    }
  }

  /// Operands of one tile of keys, packed into place `place` of the buffers where the products do not read them where they lie.
  void pack_tile(Worker& w, const Band& band, Block& block, std::int64_t tile, std::int64_t place) const {
    const auto at = static_cast<std::size_t>(tile - block.first), to = static_cast<std::size_t>(place);
    const std::int64_t g = question_.layout.kv_head(band.h);
    const machine::Rows k = k_.rows(band.b, g).from(tile * kTile), v = v_.rows(band.b, g).from(tile * kTile);
    const int count = w.scores.keys(tile);
    block.k[at] = words_.similarity.keys(k, count, dim_, w.k_buffer + to * sizes_.keys);
    block.v[at] = words_.mixing.values(v, count, value_dim_, w.v_buffer + to * sizes_.values);
    if (words_.similarity.unusual_keys == nullptr) return;
    block.unusual[at] = words_.similarity.unusual_keys(k, count, dim_) | words_.mixing.unusual(v, count, value_dim_);
    block.any_unusual |= block.unusual[at] != 0;
  }

  /// All tiles of a block that any tile of the band sees.
  void pack(Worker& w, const Band& band, Block& block) const {
    std::array<bool, kMostTiles> wanted{};
    for (std::int64_t n = 0; n < band.tiles; ++n) {
      each_tile(band, n, block, [&](std::int64_t tile, Verdict) { wanted[static_cast<std::size_t>(tile - block.first)] = true; });
    }
    for (std::int64_t tile = block.first; tile < block.last; ++tile) {
      if (wanted[static_cast<std::size_t>(tile - block.first)]) pack_tile(w, band, block, tile, tile - block.first);
    }
  }

  /// Formulas, mask and statistics on the scores of a tile.
  [[nodiscard]] auto alteration(Worker& w, const State& part, const Block& block) const {
    return [this, &w, &part, &block](const KeyTile& tile, float* s, int first, int lanes) {
      w.scores.alter(tile.tile, block.verdicts[static_cast<std::size_t>(tile.tile - block.first)], s, first, lanes);
      if (tallied_apart_) state::tally(s, tile.keys, lanes, from_lane(part.tally, first));
    };
  }

  [[nodiscard]] KeyTile key_tile(const Worker& w, const machine::Operand& k, const machine::Operand& v, std::int64_t tile,
                                 Verdict verdict) const {
    return {.k = k, .v = v, .keys = w.scores.keys(tile), .altered = tallied_apart_ || w.scores.alters(verdict), .tile = tile};
  }

  /// Folds the visible tiles of a block into `part`.
  void fold_block(Worker& w, const State& part, const Band& band, std::int64_t n, Block& block) const {
    part.start();
    std::array<KeyTile, kMostTiles> tiles{};
    std::size_t count = 0;
    const auto alter = alteration(w, part, block);
    const machine::Alter altering(alter);
    each_tile(band, n, block, [&](std::int64_t tile, Verdict verdict) {
      if (band.tiles == 1) pack_tile(w, band, block, tile, sharing_.packed_tiles() == 1 ? 0 : tile - block.first);
      const auto at = static_cast<std::size_t>(tile - block.first);
      block.verdicts[at] = verdict;
      const KeyTile next = key_tile(w, block.k[at], block.v[at], tile, verdict);
      if (!words_.folds_lists()) fold_tile(w, part, next, altering);
      tiles[count++] = next;
    });
    if (words_.folds_lists())
      words_.phrase->fold({.q = w.scores.queries(),
                           .tiles = std::span(tiles).first(count),
                           .lanes = w.scores.lanes(),
                           .dim = dim_,
                           .value_dim = value_dim_,
                           .state = part.state,
                           .o = part.o,
                           .alter = altering,
                           .scratch = w.phrase});
    mend(w, part, band, n, block);
  }

  static TallyRows from_lane(const TallyRows& tally, int first) {
    return {tally.m + first, tally.l + first, tally.e + first, tally.l2 + first, tally.n + first};
  }

  /// Word by word: scores, what alters them, softmax, mix.
  void fold_tile(Worker& w, const State& part, const KeyTile& tile, const machine::Alter& alter) const {
    score_tile(w, tile, alter);
    mix_tile(w, part, tile);
  }
  void score_tile(Worker& w, const KeyTile& tile, const machine::Alter& alter) const {
    const int lanes = w.scores.lanes();
    if (!words_.similarity.scores(w.scores.queries(), tile.k, {dim_, tile.keys, lanes}, w.s)) w.scores.mend(tile.tile, w.s);
    if (tile.altered) alter(tile, w.s, 0, lanes);
  }
  void mix_tile(Worker& w, const State& part, const KeyTile& tile) const {
    const int lanes = w.scores.lanes();
    if (question_.problem.statistics && !tallied_apart_)
      words_.absorb_and_tally(w.s, tile.keys, {lanes, part.state, part.tally}, w.rescale, w.weights);
    else
      words_.absorb(w.s, tile.keys, lanes, part.state, w.rescale, w.weights);
    words_.mixing.mix(w.weights, tile.v, {value_dim_, tile.keys, lanes}, w.rescale, part.o);
  }

  /// The visible tiles of a block once more where V holds NaN or infinities, with 0 in their place: the rows that do not see them get the
  /// bits that they get where V is finite. Returns the rows that see one.
  std::uint64_t fold_cleaned(Worker& w, const State& part, const Band& band, std::int64_t n, const Block& block) const {
    const std::int64_t g = question_.layout.kv_head(band.h);
    const auto clean = [&](std::int64_t tile, machine::Operand& v) {
      return words_.mixing.clean(v_.rows(band.b, g).from(tile * kTile), w.scores.keys(tile), value_dim_, w.careful_v, v);
    };
    std::uint64_t found = 0, rows = 0;
    machine::Operand v;
    each_tile(band, n, block, [&](std::int64_t tile, Verdict) { found |= clean(tile, v); });
    if (found == 0) return 0;
    part.start();
    const int lanes = w.scores.lanes();
    const auto alter = alteration(w, part, block);
    const machine::Alter altering(alter);
    each_tile(band, n, block, [&](std::int64_t tile, Verdict verdict) {
      const machine::Rows k = k_.rows(band.b, g).from(tile * kTile);
      const machine::Operand keys = words_.similarity.keys(k, w.scores.keys(tile), dim_, w.k_buffer);
      std::uint64_t left = clean(tile, v);
      const KeyTile next = key_tile(w, keys, v, tile, verdict);
      score_tile(w, next, altering);
      for (; left != 0; left &= left - 1) {
        const float* const s = w.s + std::countr_zero(left) * kTile;
        for (int i = 0; i < lanes; ++i) rows |= static_cast<std::uint64_t>(s[i] != kMinusInfinity) << i;
      }
      mix_tile(w, part, next);
    });
    return rows;
  }

  /// The rows whose scores in w.s show one of these keys; w.seen <- what the scores show.
  static std::uint64_t rows_that_see(const Worker& w, int keys, std::uint64_t which, int lanes) {
    std::uint64_t rows = 0;
    seen_from_scores(w.s, keys, w.seen);
    for (; which != 0; which &= which - 1) {
      const std::uint8_t* const seen = w.seen + std::countr_zero(which) * kTile;
      for (int i = 0; i < lanes; ++i) rows |= static_cast<std::uint64_t>(seen[i]) << i;
    }
    return rows;
  }

  [[nodiscard]] std::uint64_t suspects(const State& part, int lanes) const {
    return words_.mixing.suspects(part.o, words_.weighing.begun(part.state, lanes), value_dim_, lanes);
  }
  void adopt(const State& part, const State& exact, std::uint64_t rows) const {
    for (int line = 0; line < words_.weighing.lines; ++line) {
      for (int i = 0; i < kTile; ++i) {
        if (rows >> i & 1) part.state[line * kTile + i] = exact.state[line * kTile + i];
      }
    }
    words_.mixing.adopt(part.o, exact.o, rows, value_dim_);
  }

  /// Rows that met numbers which the products do not take are folded again by the careful words.
  void mend(Worker& w, const State& part, const Band& band, std::int64_t n, const Block& block) const {
    const int lanes = w.scores.lanes();
    std::uint64_t rows = suspects(part, lanes);
    if (rows != 0 && words_.mixing.clean != nullptr) {
      rows = fold_cleaned(w, part, band, n, block);
      rows |= suspects(part, lanes);
    }
    rows |= w.scores.unusual_queries();
    if (rows == 0 && !block.any_unusual) return;
    w.careful.start();
    each_tile(band, n, block, [&](std::int64_t tile, Verdict verdict) {
      const int keys = w.scores.keys(tile);
      const std::uint64_t unusual = block.unusual[static_cast<std::size_t>(tile - block.first)];
      // A formula may hide the key at its own score and have shown it at the one that the products made, or the other way round.
      if (unusual != 0 && !question_.formulas.score_program.empty()) {
        w.scores.make_by_products(tile, verdict, w.s);
        rows |= rows_that_see(w, keys, unusual, lanes);
      }
      w.scores.make_carefully(tile, verdict, w.s);
      if (question_.problem.statistics) state::tally(w.s, keys, lanes, w.careful.tally);
      rows |= rows_that_see(w, keys, unusual, lanes);
      words_.weighing.absorb(w.s, keys, lanes, w.careful.state, w.rescale);
      const machine::Rows v = v_.rows(band.b, question_.layout.kv_head(band.h)).from(tile * kTile);
      machine::widen(v, keys, value_dim_, w.careful_v);
      machine::mix_careful(w.s, w.seen, w.careful_v, value_dim_, value_dim_, keys, lanes, w.rescale, w.careful.o);
    });
    adopt(part, w.careful, rows);
    if (!question_.problem.statistics) return;
    *part.mended = rows;
    for (int i = 0; i < lanes; ++i) {
      if (rows >> i & 1) part.set_tally(i, w.careful.tally_of(i));
    }
  }

  /// O of rows whose sums left f32, once more. A sum of weights that is NaN says that the row is.
  void fold_in_double(Worker& w, const State& state, const Band& band, std::int64_t n) const {
    if (!out_.wants_o()) return;
    const QueryTile queries = band.queries(n);
    std::uint64_t rows = words_.mixing.overflown(state.o, value_dim_, queries.lanes());
    float divisor[kTile];
    words_.weighing.finish(state.state, queries.lanes(), divisor, nullptr);
    for (int i = 0; i < queries.lanes(); ++i) rows &= ~(static_cast<std::uint64_t>(std::isnan(divisor[i])) << i);
    if (rows == 0) return;
    if (sharing_.split()) w.scores.load(in_.q, queries);
    w.scores.bind(in_.q, in_.k, queries, n);
    w.in_double.fold(w.scores, v_, queries, band.tile(n), rows, {w.s, w.careful_v, w.seen}, out_);
  }

  void merge(const State& state, const State& part, int lanes) const {
    float a[kTile], b[kTile];
    words_.merge(state.state, part.state, lanes, a, b);
    words_.mixing.blend(state.o, a, part.o, b, value_dim_, lanes);
    state.merge_tally(part, lanes);
  }

  void finish(const State& state, const QueryTile& queries) const {
    float divisor[kTile], lse[kTile];
    words_.weighing.finish(state.state, queries.lanes(), divisor, lse);
    for (std::int64_t n = 0; n < queries.heads && out_.wants_o(); ++n) {
      words_.mixing.finish(state.o, divisor, value_dim_, static_cast<int>(n * queries.slots), static_cast<int>(queries.slots),
                           out_.o(queries, queries.h + n));
    }
    state.write_lines(lse, queries, out_);
    for (int i = 0; out_.wants_norms() && i < queries.lanes(); ++i) {
      const float sink = question_.has_sink() ? static_cast<float>(question_.sink(queries.head(i))) : kMinusInfinity;
      const state::Norm norm = *state.mended >> i & 1 ? state::Norm::unknown() : state::Norm::of(state.tally_of(i), sink);
      out_.norm(queries, i, norm.base, norm.share);
    }
  }

  const Question& question_;
  const Words& words_;
  Sizes sizes_;
  const Inputs& in_;
  problem::Placed k_, v_;
  problem::RowWriter out_;
  Sharing sharing_;
  bool tallied_apart_;  // statistics are taken before absorb, not with it
  int dim_, value_dim_;
  base::Arena arena_;
  std::span<Worker> workers_;
};

}  // namespace

std::string fold_declines(const Question& question) {
  if (question.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (question.problem.weights) return "never makes the S x S weights that are wanted; census gives chosen rows of them";
  return {};
}

std::int64_t fold_scratch(const Job& job) {
  return static_cast<std::int64_t>(scratch_of(job.question, job.words, Sharing(job.question, job.group, job.words)));
}

void fold(const Job& job) {
  if (job.question.layout.heads == 0 || job.group.queries == 0) return;
  Fold(job).run();
}

}  // namespace heed::walk
