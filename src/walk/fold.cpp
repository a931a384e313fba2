#include "walk/fold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/arena.hpp"
#include "base/threads.hpp"
#include "state/tally.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {
namespace {

using kernel::SoftmaxRows;
using kernel::TallyRows;
using kernel::Words;
using plan::Body;
using plan::Run;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kBlockTiles = kBlock / kTile;

/// The state of 64 rows, with their statistics where these are wanted.
struct RowState {
  SoftmaxRows softmax{};
  TallyRows tally{};

  static std::size_t bytes(const Body& body) {
    const std::size_t line = base::rounded(kTile * sizeof(float));
    return 2 * line + base::rounded(static_cast<std::size_t>(kTile * body.problem.value_dim) * sizeof(float)) +
           (body.problem.statistics ? 4 * line + base::rounded(kTile * sizeof(std::int64_t)) : 0);
  }
  RowState(const Body& body, base::Arena& arena) {
    softmax = {arena.take<float>(kTile), arena.take<float>(kTile),
               arena.take<float>(static_cast<std::size_t>(kTile * body.problem.value_dim))};
    if (!body.problem.statistics) return;
    tally = {arena.take<float>(kTile), arena.take<float>(kTile), arena.take<float>(kTile), arena.take<float>(kTile),
             arena.take<std::int64_t>(kTile)};
  }
  void clear(std::int64_t value_dim) const {
    std::fill_n(softmax.m, kTile, kMinusInfinity);
    std::fill_n(softmax.l, kTile, 0.0f);
    std::fill_n(softmax.o, kTile * value_dim, 0.0f);
    if (tally.m == nullptr) return;
    std::fill_n(tally.m, kTile, kMinusInfinity);
    for (float* line : {tally.l, tally.e, tally.l2}) std::fill_n(line, kTile, 0.0f);
    std::fill_n(tally.n, kTile, 0);
  }
  [[nodiscard]] state::Tally tally_of(int i) const { return {tally.m[i], tally.l[i], tally.e[i], tally.l2[i], tally.n[i]}; }
  void set_tally(int i, const state::Tally& t) const {
    tally.m[i] = t.m;
    tally.l[i] = t.l;
    tally.e[i] = t.e;
    tally.l2[i] = t.l2;
    tally.n[i] = t.n;
  }
};

/// What one thread needs to fold.
struct Worker {
  TileScores scores;
  float* s;
  float* rescale;
  float* v_buffer;
  std::uint8_t* seen;
  RowState state, part;

  static std::size_t bytes(const Body& body, bool k_in_place, bool v_in_place) {
    return TileScores::bytes(body, k_in_place) + base::rounded(kTile * kTile * sizeof(float)) + base::rounded(kTile * sizeof(float)) +
           (v_in_place ? 0 : base::rounded(static_cast<std::size_t>(kTile * body.problem.value_dim) * sizeof(float))) +
           base::rounded(kTile * kTile) + 2 * RowState::bytes(body);
  }
  Worker(const Body& body, const Words& words, bool k_in_place, bool v_in_place, base::Arena& arena)
      : scores(body, words, k_in_place, arena),
        s(arena.take<float>(kTile * kTile)),
        rescale(arena.take<float>(kTile)),
        v_buffer(v_in_place ? nullptr : arena.take<float>(static_cast<std::size_t>(kTile * body.problem.value_dim))),
        seen(arena.take<std::uint8_t>(kTile * kTile)),
        state(body, arena),
        part(body, arena) {}
};

/// How the rows are shared out: tiles of queries, or (few rows, many keys) their blocks of keys.
struct Sharing {
  std::int64_t rows, blocks;
  bool split;

  explicit Sharing(const Body& body)
      : rows(body.layout.batch * body.layout.heads * body.layout.query_tiles()),
        blocks((body.layout.keys + kBlock - 1) / kBlock),
        split(body.threads > 1 && rows < 2 * body.threads && blocks > 1) {}
  [[nodiscard]] std::int64_t tasks() const { return split ? rows * blocks : rows; }
  [[nodiscard]] int workers(const Body& body) const {
    return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(body.threads, tasks())));
  }
};

class Fold {
 public:
  Fold(const Body& body, const Words& words, const Inputs& inputs, const Outputs& outputs)
      : body_(body),
        words_(words),
        in_(inputs),
        out_(outputs),
        sharing_(body),
        arena_(static_cast<std::size_t>(fold_scratch(body))),
        k_in_place_(in_place(inputs.k)),
        v_in_place_(in_place(inputs.v)),
        workers_(arena_.make<Worker>(static_cast<std::size_t>(sharing_.workers(body)), body, words, k_in_place_, v_in_place_, arena_)) {}

  void run() {
    if (sharing_.split) return run_split();
    base::parallel(static_cast<int>(workers_.size()), sharing_.rows, [&](int worker, std::int64_t index) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Row row = bind(w, index);
      start(w.state, row.h);
      for (std::int64_t block = 0; block < sharing_.blocks; ++block) {
        if (fold_block(w, w.part, row, block)) merge(w.state, w.part, w.scores.lanes());
      }
      finish(w.state, row, w.scores.lanes());
    });
  }

 private:
  struct Row {
    std::int64_t b, h, tile;
  };

  /// Rows in order of heads; within a head the last tile first: under causal masks the longest.
  [[nodiscard]] Row row_of(std::int64_t index) const {
    const std::int64_t tiles = body_.layout.query_tiles(), head = index / tiles;
    return {head / body_.layout.heads, head % body_.layout.heads, tiles - 1 - index % tiles};
  }

  Row bind(Worker& w, std::int64_t index) const {
    const Row row = row_of(index);
    w.scores.bind_head(in_.q, in_.k, row.b, row.h);
    w.scores.bind_query_tile(row.tile);
    return row;
  }

  /// Every block of every row by itself, then each row's parts merged in ascending order: the same bits as one after the other.
  void run_split() {
    const auto tasks = static_cast<std::size_t>(sharing_.tasks());
    const std::span<RowState> parts = arena_.make<RowState>(tasks, body_, arena_);
    std::uint8_t* const seen = arena_.take<std::uint8_t>(tasks);
    base::parallel(static_cast<int>(workers_.size()), sharing_.tasks(), [&](int worker, std::int64_t task) {
      Worker& w = workers_[static_cast<std::size_t>(worker)];
      const Row row = bind(w, task / sharing_.blocks);
      seen[task] = fold_block(w, parts[static_cast<std::size_t>(task)], row, task % sharing_.blocks);
    });
    for (std::int64_t index = 0; index < sharing_.rows; ++index) {
      Worker& w = workers_[0];
      const Row row = bind(w, index);
      start(w.state, row.h);
      for (std::int64_t block = 0; block < sharing_.blocks; ++block) {
        const auto task = static_cast<std::size_t>(index * sharing_.blocks + block);
        if (seen[task]) merge(w.state, parts[task], w.scores.lanes());
      }
      finish(w.state, row, w.scores.lanes());
    }
  }

  void start(const RowState& state, std::int64_t h) const {
    state.clear(body_.problem.value_dim);
    if (!body_.has_sink()) return;
    const auto sink = static_cast<float>(body_.sink(h));
    std::fill_n(state.softmax.m, kTile, sink);
    std::fill_n(state.softmax.l, kTile, sink == kMinusInfinity ? 0.0f : 1.0f);
  }

  /// Folds the visible tiles of a block into `part`; false when there are none.
  bool fold_block(Worker& w, const RowState& part, const Row& row, std::int64_t block) {
    const std::int64_t first = block * kBlockTiles, last = first + kBlockTiles;
    const auto each_tile = [&](auto&& visit) {
      for (const Run& run : body_.tiles.runs(row.b, row.h, row.tile)) {
        for (std::int64_t tile = std::max(run.first, first); tile < std::min(run.last, last); ++tile) visit(tile, run.verdict);
      }
    };
    bool any = false;
    each_tile([&](std::int64_t, Verdict) { any = true; });
    if (!any) return false;
    for (const bool careful : {false, true}) {
      part.clear(body_.problem.value_dim);
      each_tile([&](std::int64_t tile, Verdict verdict) { visit(w, part, row, tile, verdict, careful); });
      if (!has_nan(part, w.scores.lanes())) break;
    }
    return true;
  }

  void visit(Worker& w, const RowState& part, const Row& row, std::int64_t tile, Verdict verdict, bool careful) {
    const int keys = w.scores.keys(tile), lanes = w.scores.lanes(), value_dim = static_cast<int>(body_.problem.value_dim);
    w.scores.make(tile, verdict, w.s);  // [keys, 64]
    if (body_.problem.statistics) words_.tally(w.s, keys, lanes, part.tally);
    if (careful) seen_from_scores(w.s, keys, w.seen);
    words_.absorb(w.s, keys, lanes, part.softmax, w.rescale);
    const kernel::Rows rows = rows_of(in_.v, row.b, body_.layout.kv_head(row.h)).from(tile * kTile);
    const FloatRows v = float_rows(words_, rows, v_in_place_, keys, value_dim, w.v_buffer);
    if (careful)
      words_.mix_careful(w.s, w.seen, v.data, v.stride, value_dim, keys, lanes, w.rescale, part.softmax.o);
    else
      words_.mix(w.s, v.data, v.stride, value_dim, keys, lanes, w.rescale, part.softmax.o);
  }

  [[nodiscard]] bool has_nan(const RowState& part, int lanes) const {
    for (std::int64_t c = 0; c < body_.problem.value_dim; ++c) {
      for (int i = 0; i < lanes; ++i) {
        if (std::isnan(part.softmax.o[c * kTile + i])) return true;
      }
    }
    return false;
  }

  void merge(const RowState& state, const RowState& part, int lanes) const {
    words_.merge(state.softmax, part.softmax, static_cast<int>(body_.problem.value_dim), lanes);
    if (!body_.problem.statistics) return;
    for (int i = 0; i < lanes; ++i) state.set_tally(i, state::Tally::merged(state.tally_of(i), part.tally_of(i)));
  }

  void finish(const RowState& state, const Row& row, int lanes) const {
    if (out_.o.given()) {
      const std::int64_t at = row.b * out_.o.strides[0] + row.h * out_.o.strides[1] + row.tile * kTile * out_.o.strides[2];
      words_.finish(
          state.softmax, static_cast<int>(body_.problem.value_dim), lanes,
          {static_cast<std::byte*>(out_.o.data) + at * size_of(out_.o.dtype), out_.o.dtype, out_.o.strides[2], out_.o.strides[3]});
    }
    for (int i = 0; i < lanes; ++i) {
      const auto put = [&](const TensorSpan& span, auto value) {
        if (!span.given()) return;
        const std::int64_t at = row.b * span.strides[0] + row.h * span.strides[1] + (row.tile * kTile + i) * span.strides[2];
        static_cast<decltype(value)*>(span.data)[at] = value;
      };
      put(out_.lse, state.softmax.l[i] == 0.0f ? kMinusInfinity : state.softmax.m[i] + std::log(state.softmax.l[i]));
      if (!body_.problem.statistics) continue;
      const state::Tally tally = state.tally_of(i);
      put(out_.maximum, tally.maximum());
      put(out_.entropy, tally.entropy());
      put(out_.effective, tally.effective());
      put(out_.visible, tally.n);
    }
  }

  const Body& body_;
  const Words& words_;
  const Inputs& in_;
  const Outputs& out_;
  Sharing sharing_;
  base::Arena arena_;
  bool k_in_place_, v_in_place_;
  std::span<Worker> workers_;
};

}  // namespace

std::int64_t fold_scratch(const Body& body) {
  // Strides are known only at run time: the statement covers rows that must be widened.
  const Sharing sharing(body);
  const auto workers = static_cast<std::size_t>(sharing.workers(body)), tasks = static_cast<std::size_t>(sharing.tasks());
  std::size_t bytes = workers * Worker::bytes(body, false, false) + base::rounded(workers * sizeof(Worker));
  if (sharing.split) bytes += tasks * RowState::bytes(body) + base::rounded(tasks * sizeof(RowState)) + base::rounded(tasks);
  return static_cast<std::int64_t>(bytes);
}

void fold(const Body& body, const Words& words, const Inputs& inputs, const Outputs& outputs) {
  if (body.layout.batch == 0 || body.layout.heads == 0 || body.layout.queries == 0) return;
  Fold(body, words, inputs, outputs).run();
}

}  // namespace heed::walk
