#include "walk/fold.hpp"

#include <cmath>
#include <limits>
#include <span>

#include "base/threads.hpp"
#include "problem/outputs.hpp"
#include "state/norm.hpp"
#include "walk/fold_careful.hpp"
#include "walk/fold_keys.hpp"
#include "walk/fold_tile.hpp"
#include "walk/fold_worker.hpp"

namespace heed::walk {
namespace {

/// A block that a band enters, where blocks are shared out.
struct Part {
  std::int64_t band, block;
};

class Fold {
 public:
  Fold(const Job& job, base::Arena& arena)
      : held_(job.in, job.question.layout),
        out_(job.question.layout, job.out),
        progress_(job.progress),
        sharing_(job.question, job.group, job.words),
        view_(job, sharing_),
        workers_(arena.make<FoldWorker>(static_cast<std::size_t>(sharing_.workers()), view_, held_, arena)),
        parts_(arena.make<Part>(static_cast<std::size_t>(sharing_.parts()))),
        states_(arena.make<FoldState>(parts_.size(), job.question, job.words.weighing, view_.output_bytes, arena)) {}

  void run() {
    progress_.expect(sharing_.split() ? sharing_.parts() : sharing_.bands() * sharing_.blocks());
    if (sharing_.split()) return run_split();
    base::parallel(static_cast<int>(workers_.size()), sharing_.bands(), [&](int worker, std::int64_t index) {
      FoldWorker& w = workers_[static_cast<std::size_t>(worker)];
      const Band band = sharing_.band(index);
      for (std::int64_t n = 0; n < band.tiles; ++n) {
        w.scores.load(band.queries(n), n);
        w.states[static_cast<std::size_t>(n)].start(view_.question, band.queries(n));
      }
      std::int64_t done = 0;
      sharing_.each_block(band, [&](std::int64_t block) {
        fold_band(w, band, block);
        progress_.step(block + 1 - done);
        done = block + 1;
      });
      for (std::int64_t n = 0; n < band.tiles; ++n) {
        finish(w.states[static_cast<std::size_t>(n)], band.queries(n));
        fold_in_double(w, w.states[static_cast<std::size_t>(n)], band, n);
      }
      progress_.step(sharing_.blocks() - done);
    });
  }

 private:
  void fold_band(FoldWorker& w, const Band& band, std::int64_t index) const {
    Block block(sharing_, index);
    if (band.tiles > 1) {
      w.scores.bind(band.queries(0), 0);
      pack(view_, w, band, block);
    }
    for (std::int64_t n = 0; n < band.tiles; ++n) {
      if (sharing_.seen(band, n, index).empty()) continue;
      w.scores.bind(band.queries(n), n);
      fold_block(w, w.part, band, n, block);
      merge(w.states[static_cast<std::size_t>(n)], w.part, w.scores.lanes());
    }
  }

  /// Every block that a tile of queries enters by itself, then each tile's parts merged in ascending order: the same bits as one after
  /// the other.
  void run_split() {
    std::size_t count = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index)
      sharing_.each_block(sharing_.band(index), [&](std::int64_t block) { parts_[count++] = {index, block}; });
    base::parallel(static_cast<int>(workers_.size()), sharing_.parts(), [&](int worker, std::int64_t task) {
      FoldWorker& w = workers_[static_cast<std::size_t>(worker)];
      const Part& part = parts_[static_cast<std::size_t>(task)];
      const Band band = sharing_.band(part.band);
      Block block(sharing_, part.block);
      w.scores.load(band.queries(0));
      w.scores.bind(band.queries(0));
      fold_block(w, states_[static_cast<std::size_t>(task)], band, 0, block);
      progress_.step();
    });
    std::size_t next = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index) {
      const FoldState& state = workers_[0].states[0];
      const Band band = sharing_.band(index);
      const QueryTile queries = band.queries(0);
      state.start(view_.question, queries);
      for (; next < parts_.size() && parts_[next].band == index; ++next) merge(state, states_[next], queries.lanes());
      finish(state, queries);
      fold_in_double(workers_[0], state, band, 0);
    }
  }

  /// Folds the visible tiles of a block into `part`.
  void fold_block(FoldWorker& w, const FoldState& part, const Band& band, std::int64_t n, Block& block) const {
    part.start();
    std::array<machine::KeyTile, kMostTiles> tiles{};
    std::size_t count = 0;
    const auto alter = alteration(view_, w, part, block);
    const machine::Alter altering(alter);
    each_tile(view_, band, n, block, [&](std::int64_t tile, Verdict verdict) {
      if (band.tiles == 1) pack_tile(view_, w, block, tile, sharing_.packed_tiles() == 1 ? 0 : tile - block.first);
      block.verdicts[block.at(tile)] = verdict;
      const machine::KeyTile next = key_tile(view_, w, block, tile);
      tiles[count++] = next;
      if (view_.words.folds_lists()) return;
      score_tile(view_, w, next, altering);
      mix_tile(view_, w, part, next);
    });
    if (view_.words.folds_lists()) {
      view_.words.phrase->fold({.q = w.scores.queries(),
                                .tiles = std::span(tiles).first(count),
                                .lanes = w.scores.lanes(),
                                .dim = view_.dim,
                                .value_dim = view_.value_dim,
                                .state = part.state,
                                .o = part.o,
                                .alter = altering,
                                .scratch = w.phrase});
    }
    mend(view_, w, part, band, n, block);
  }

  /// O of rows whose sums left f32, once more. A sum of weights that is NaN says that the row is.
  void fold_in_double(FoldWorker& w, const FoldState& state, const Band& band, std::int64_t n) const {
    if (!out_.wants_o()) return;
    const QueryTile queries = band.queries(n);
    std::uint64_t rows = view_.words.mixing.overflown(state.o, view_.value_dim, queries.lanes());
    float divisor[kTile];
    view_.words.weighing.finish(state.state, queries.lanes(), divisor, nullptr);
    for (int i = 0; i < queries.lanes(); ++i) rows &= ~(static_cast<std::uint64_t>(std::isnan(divisor[i])) << i);
    if (rows == 0) return;
    if (sharing_.split()) w.scores.load(queries);
    w.scores.bind(queries, n);
    w.in_double.fold(w.scores, queries, band.tile(n), rows, {w.s, w.careful_v, w.seen}, out_);
  }

  void merge(const FoldState& state, const FoldState& part, int lanes) const {
    float a[kTile], b[kTile];
    view_.words.merge(state.state, part.state, lanes, a, b);
    view_.words.mixing.blend(state.o, a, part.o, b, view_.value_dim, lanes);
    state.merge_tally(part, lanes);
  }

  void finish(const FoldState& state, const QueryTile& queries) const {
    float divisor[kTile], lse[kTile];
    view_.words.weighing.finish(state.state, queries.lanes(), divisor, lse);
    for (std::int64_t n = 0; n < queries.heads && out_.wants_o(); ++n) {
      view_.words.mixing.finish(state.o, divisor, view_.value_dim, static_cast<int>(n * queries.slots), static_cast<int>(queries.slots),
                                out_.o(queries, queries.h + n));
    }
    state.write_lines(lse, queries, out_);
    for (int i = 0; out_.wants_norms() && i < queries.lanes(); ++i) {
      const problem::Question& question = view_.question;
      const float sink = question.has_sink() ? static_cast<float>(question.sink(queries.head(i))) : -std::numeric_limits<float>::infinity();
      const state::Norm norm = *state.mended >> i & 1 ? state::Norm::unknown() : state::Norm::of(state.tally_of(i), sink);
      out_.norm(queries, i, norm.base, norm.share);
    }
  }

  memory::Held held_;
  problem::RowWriter out_;
  base::Progress& progress_;
  Sharing sharing_;
  FoldView view_;
  std::span<FoldWorker> workers_;
  std::span<Part> parts_;        // where blocks are shared out
  std::span<FoldState> states_;  // of the parts
};

}  // namespace

std::string fold_declines(const problem::Question& question) {
  if (question.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (question.problem.weights) return "never makes the S x S weights that are wanted; census gives chosen rows of them";
  if (question.problem.wanted_scores != Scores::kNone) return "never holds the S x S scores that are wanted";
  return {};
}

void fold(const Job& job, base::Arena& arena) {
  if (job.question.layout.heads == 0 || job.group.queries == 0) return;
  Fold fold(job, arena);
  if (!arena.is_dry()) fold.run();
}

}  // namespace heed::walk
