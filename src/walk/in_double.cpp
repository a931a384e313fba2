#include "walk/in_double.hpp"

#include <array>
#include <span>

#include "base/arena.hpp"
#include "base/threads.hpp"
#include "machine/double.hpp"
#include "memory/memory.hpp"
#include "walk/row_state.hpp"
#include "walk/sharing.hpp"
#include "walk/tile_formulas.hpp"

namespace heed::walk {
namespace {

using problem::Question;
using State = RowState<double>;

std::size_t doubles(std::int64_t count) {
  return base::rounded(static_cast<std::size_t>(count) * sizeof(double));
}
std::size_t output_bytes(const Question& question) {
  return doubles(kTile * question.problem.value_dim);
}

const state::DoubleWeighing& weighing_of(const machine::Words& words) {
  return state::in_double(words.weighing);
}

/// What one thread needs to fold.
struct Worker {
  memory::KeyTiles tiles;
  TileFormulas formulas;
  double *qt, *s, *rescale, *k_buffer, *v_buffer;
  std::uint8_t* seen;
  State state, part;

  Worker(const Question& question, const machine::Words& words, const memory::Held& held, base::Arena& arena)
      : tiles(question, held, arena),
        formulas(question, words.most_lanes, arena),
        qt(arena.take<double>(static_cast<std::size_t>(kTile * question.problem.dim))),
        s(arena.take<double>(kTile * kTile)),
        rescale(arena.take<double>(kTile)),
        k_buffer(arena.take<double>(static_cast<std::size_t>(kTile * question.problem.dim))),
        v_buffer(arena.take<double>(static_cast<std::size_t>(kTile * question.problem.value_dim))),
        seen(arena.take<std::uint8_t>(kTile * kTile)),
        state(question, weighing_of(words), output_bytes(question), arena),
        part(question, weighing_of(words), output_bytes(question), arena) {}
};

/// A block that a tile of queries enters, where blocks are shared out.
struct Part {
  std::int64_t band, block;
};

class InDouble {
 public:
  InDouble(const Job& job, base::Arena& arena)
      : question_(job.question),
        weighing_(weighing_of(job.words)),
        held_(job.in, job.question.layout),
        progress_(job.progress),
        out_(job.question.layout, job.out),
        sharing_(job.question, job.group, job.words),
        dim_(static_cast<int>(job.question.problem.dim)),
        value_dim_(static_cast<int>(job.question.problem.value_dim)),
        workers_(arena.make<Worker>(static_cast<std::size_t>(sharing_.workers()), job.question, job.words, held_, arena)),
        parts_(arena.make<Part>(static_cast<std::size_t>(sharing_.parts()))),
        states_(arena.make<State>(parts_.size(), question_, weighing_, output_bytes(question_), arena)) {}

  void run() {
    progress_.expect(sharing_.split() ? sharing_.parts() : sharing_.bands());
    if (sharing_.split()) return run_split();
    base::parallel(static_cast<int>(workers_.size()), sharing_.bands(), [&](int worker, std::int64_t index) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Band band = sharing_.band(index);
      if (band.tiles == 0) return;
      const QueryTile queries = band.queries(0);
      bind(w, queries);
      w.state.start(question_, queries);
      sharing_.each_block(band, [&](std::int64_t block) {
        fold_block(w, w.part, band, block);
        merge(w.state, w.part, queries.lanes());
        progress_.step(0);
      });
      finish(w.state, queries);
      progress_.step();
    });
  }

 private:
  /// Every block that a tile of queries enters by itself, then each tile's parts merged in ascending order: the same bits as one after
  /// the other.
  void run_split() {
    std::size_t count = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index)
      sharing_.each_block(sharing_.band(index), [&](std::int64_t block) { parts_[count++] = {index, block}; });
    base::parallel(static_cast<int>(workers_.size()), sharing_.parts(), [&](int worker, std::int64_t task) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Part& part = parts_[static_cast<std::size_t>(task)];
      const Band band = sharing_.band(part.band);
      bind(w, band.queries(0));
      fold_block(w, states_[static_cast<std::size_t>(task)], band, part.block);
      progress_.step();
    });
    std::size_t next = 0;
    for (std::int64_t index = 0; index < sharing_.bands(); ++index) {
      const State& state = workers_[0].state;
      const QueryTile queries = sharing_.band(index).queries(0);
      state.start(question_, queries);
      for (; next < parts_.size() && parts_[next].band == index; ++next) merge(state, states_[next], queries.lanes());
      finish(state, queries);
    }
  }

  void bind(Worker& w, const QueryTile& queries) const {
    const std::int64_t g = question_.layout.kv_head(queries.h);
    std::array<std::int64_t, kTile> offsets{};
    for (int lane = 0; lane < queries.lanes(); ++lane)
      offsets[static_cast<std::size_t>(lane)] =
          queries.head(lane) * held_.q.places.head_stride() + queries.query(lane) * held_.q.places.row_stride();
    base::Rows q = held_.q.rows(queries.b, 0);
    q.row_stride = 1;  // offsets are in elements
    machine::load_queries(q, offsets.data(), queries.lanes(), dim_, w.qt);
    w.tiles.bind(queries.b, g);
    w.formulas.bind(queries);
  }

  /// Folds the visible tiles of a block into `part`.
  void fold_block(Worker& w, const State& part, const Band& band, std::int64_t block) const {
    fold_tiles(w, part, band, block, false);
    if (!machine::finite(part.o, value_dim_, w.formulas.lanes())) fold_tiles(w, part, band, block, true);
  }

  void fold_tiles(Worker& w, const State& part, const Band& band, std::int64_t block, bool carefully) const {
    part.start();
    const std::int64_t first = sharing_.first_tile(block), last = sharing_.last_tile(block);
    for (const problem::Run& run : sharing_.seen(band, 0, block)) {
      for (std::int64_t tile = std::max(run.first, first); tile < std::min(run.last, last); ++tile) {
        score_tile(w, part, tile, run.verdict);
        mix_tile(w, part, tile, carefully);
      }
    }
  }

  /// w.s <- final scores.
  void score_tile(Worker& w, const State& part, std::int64_t tile, Verdict verdict) const {
    const machine::Shape shape{.dim = dim_, .keys = w.formulas.keys(tile), .lanes = w.formulas.lanes()};
    const machine::Lines<double> k = machine::in_double(w.tiles.keys(tile), shape.keys, dim_, w.k_buffer);
    if (!machine::scores(w.qt, k, shape, question_.scale, w.s)) machine::refuse_infinite(w.qt, k, shape, w.s);
    w.formulas.alter(tile, verdict, w.s, 0, shape.lanes);
    if (question_.problem.statistics) state::tally(w.s, shape.keys, shape.lanes, part.tally);
  }

  void mix_tile(Worker& w, const State& part, std::int64_t tile, bool carefully) const {
    const machine::Shape shape{.dim = value_dim_, .keys = w.formulas.keys(tile), .lanes = w.formulas.lanes()};
    if (carefully) seen_from_scores(w.s, shape.keys, w.seen);
    weighing_.absorb(w.s, shape.keys, shape.lanes, part.state, w.rescale);
    const machine::Lines<double> v = machine::in_double(w.tiles.values(tile), shape.keys, value_dim_, w.v_buffer);
    if (carefully)
      machine::mix_seen(w.s, w.seen, v, shape, w.rescale, part.o);
    else
      machine::mix(w.s, v, shape, w.rescale, part.o);
  }

  void merge(const State& state, const State& part, int lanes) const {
    double a[kTile], b[kTile];
    weighing_.merge(state.state, part.state, lanes, a, b);
    machine::blend(state.o, a, part.o, b, value_dim_, lanes);
    state.merge_tally(part, lanes);
  }

  void finish(const State& state, const QueryTile& queries) const {
    double divisor[kTile], lse[kTile];
    weighing_.finish(state.state, queries.lanes(), divisor, lse);
    for (std::int64_t n = 0; n < queries.heads && out_.wants_o(); ++n) {
      machine::finish(state.o, divisor, value_dim_, static_cast<int>(n * queries.slots), static_cast<int>(queries.slots),
                      out_.o(queries, queries.h + n));
    }
    state.write_lines(lse, queries, out_);
  }

  const Question& question_;
  const state::DoubleWeighing& weighing_;
  memory::Held held_;
  base::Progress& progress_;
  problem::RowWriter out_;
  Sharing sharing_;
  int dim_, value_dim_;
  std::span<Worker> workers_;
  std::span<Part> parts_;    // where blocks are shared out
  std::span<State> states_;  // of the parts
};

}  // namespace

std::string in_double_declines(const Question& question) {
  if (question.problem.dtype != DType::kF64) return "is for f64 tensors; others accumulate in float32";
  if (question.problem.weights) return "never makes the S x S weights that are wanted";
  if (question.problem.wanted_scores != Scores::kNone) return "never holds the S x S scores that are wanted";
  return {};
}

void in_double(const Job& job, base::Arena& arena) {
  if (job.question.layout.heads == 0 || job.group.queries == 0) return;
  InDouble fold(job, arena);
  if (!arena.is_dry()) fold.run();
}

}  // namespace heed::walk
