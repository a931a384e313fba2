#include "walk/classic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/arena.hpp"
#include "base/threads.hpp"
#include "problem/outputs.hpp"
#include "walk/double_fold.hpp"
#include "walk/tile_scores.hpp"

namespace heed::walk {
namespace {

constexpr int kMostLines = 2;  // of a state

/// Row r of the S x S matrix is the panel [Tk, 64] of one tile of queries of one head.
class Classic {
 public:
  Classic(const Job& job, base::Arena& arena)
      : question_(job.question),
        words_(job.words),
        progress_(job.progress),
        held_(job.in, question_.layout),
        out_(job.out),
        writer_(question_.layout, job.out),
        square_(arena.take<float>(panel() * static_cast<std::size_t>(rows()))),
        divisors_(arena.take<float>(static_cast<std::size_t>(rows()) * kTile)),
        workers_(arena.make<Worker>(static_cast<std::size_t>(question_.threads), question_, words_, held_, arena)) {}

  void run() {
    progress_.expect(3 * rows());
    each_row([this](Worker& w, std::int64_t row) { first_product(w, row); });
    each_row([this](Worker& w, std::int64_t row) { softmax(w, row); });
    each_row([this](Worker& w, std::int64_t row) { second_product(w, row); });
  }

 private:
  struct Worker {
    TileScores scores;
    DoubleFold in_double;
    float *o, *rescale, *v, *s;
    std::uint8_t* seen;

    Worker(const problem::Question& question, const machine::Words& words, const memory::Held& held, base::Arena& arena)
        : scores(question, words, held, arena),
          in_double(question, arena),
          o(arena.take<float>(static_cast<std::size_t>(kTile * question.problem.value_dim))),
          rescale(arena.take<float>(kTile)),
          v(arena.take<float>(static_cast<std::size_t>(kTile * question.problem.value_dim))),
          s(arena.take<float>(kTile * kTile)),
          seen(arena.take<std::uint8_t>(kTile * kTile)) {}
  };
  struct Place {
    std::int64_t b, h, tile;
    [[nodiscard]] QueryTile queries(std::int64_t of_head) const {
      return {.b = b, .h = h, .slot = tile * kTile, .slots = std::min<std::int64_t>(kTile, of_head - tile * kTile)};
    }
  };

  [[nodiscard]] std::int64_t rows() const { return question_.layout.batch * question_.layout.heads * question_.layout.query_tiles(); }
  [[nodiscard]] std::size_t panel() const { return static_cast<std::size_t>(question_.layout.keys) * kTile; }
  [[nodiscard]] float* scores_of(std::int64_t row) const { return square_ + static_cast<std::size_t>(row) * panel(); }

  template <class Function>
  void each_row(const Function& function) {
    base::parallel(question_.threads, rows(), [&](int worker, std::int64_t row) {
      function(workers_[static_cast<std::size_t>(worker)], row);
      progress_.step();
    });
  }

  Place bind(Worker& w, std::int64_t row) const {
    const std::int64_t tiles = question_.layout.query_tiles(), head = row / tiles;
    const Place place{head / question_.layout.heads, head % question_.layout.heads, row % tiles};
    const QueryTile queries = place.queries(question_.layout.queries);
    w.scores.load(queries);
    w.scores.bind(queries);
    return place;
  }

  [[nodiscard]] Verdict verdict() const { return question_.formulas.mask.empty() ? Verdict::kFull : Verdict::kPartial; }

  /// S = Q K^T, formulas, mask.
  void first_product(Worker& w, std::int64_t row) {
    const Place place = bind(w, row);
    for (std::int64_t tile = 0; tile < question_.layout.key_tiles(); ++tile) {
      float* const s = scores_of(row) + tile * kTile * kTile;
      w.scores.make_scaled(tile, s);
      if (!out_.scores.given())
        w.scores.alter(tile, verdict(), s);
      else
        alter_and_write(w, place, tile, s);
    }
  }

  /// The same alter, its steps one by one, and between them the scores that are wanted on their way out.
  void alter_and_write(Worker& w, const Place& place, std::int64_t tile, float* s) const {
    const Scores wanted = question_.problem.wanted_scores;
    const int keys = w.scores.keys(tile), lanes = w.scores.lanes();
    const auto write_if = [&](Scores stage) {
      if (wanted == stage) write_square(out_.scores, place, lanes, {tile * kTile, keys}, s);
    };
    write_if(Scores::kScaled);
    if (wanted == Scores::kAltered) std::copy_n(s, keys * kTile, w.s);
    w.scores.alter(tile, Verdict::kFull, s);
    if (wanted == Scores::kAltered) w.scores.spoil_broken(tile, w.s, s);  // places that are hidden next, or NaN already
    write_if(Scores::kAltered);
    if (verdict() == Verdict::kPartial) w.scores.hide(tile, s);
    write_if(Scores::kMasked);
  }

  /// P = exp(S - m) / l over whole rows; the sink takes part in m and l.
  void softmax(Worker& w, std::int64_t row) {
    const Place place = bind(w, row);
    const int lanes = w.scores.lanes();
    float sinks[kTile], rescale[kTile], lse[kTile], state[kMostLines * kTile];
    if (question_.has_sink()) std::fill_n(sinks, kTile, static_cast<float>(question_.sink(place.h)));
    words_.weighing.start(state, question_.has_sink() ? sinks : nullptr);
    float *const p = scores_of(row), *const divisor = divisors_ + row * kTile;
    words_.weighing.absorb(p, static_cast<int>(question_.layout.keys), lanes, state, rescale);
    words_.weighing.finish(state, lanes, divisor, lse);
    for (std::int64_t j = 0; j < question_.layout.keys; ++j) {
      for (int i = 0; i < lanes; ++i) p[j * kTile + i] /= divisor[i];
    }
    write_rows(place, lanes, lse, p);
  }

  void write_rows(const Place& place, int lanes, const float* lse, const float* p) const {
    for (int i = 0; i < lanes; ++i) writer_.lse(place.queries(question_.layout.queries), i, lse[i]);
    if (out_.weights.given()) write_square(out_.weights, place, lanes, {0, question_.layout.keys}, p);
  }

  struct Keys {
    std::int64_t first, count;
  };
  /// Some columns [keys, 64] of a panel, as the rows of a matrix [B, Hq, Tq, Tk].
  static void write_square(const TensorSpan& to, const Place& place, int lanes, Keys keys, const float* from) {
    const Dims& strides = to.strides;
    for (int i = 0; i < lanes; ++i) {
      float* const row = static_cast<float*>(to.data) + base::offset_of(strides, place.b, place.h, place.tile * kTile + i, keys.first);
      for (std::int64_t j = 0; j < keys.count; ++j) row[j * strides[3]] = from[j * kTile + i];
    }
  }

  /// O = P V; a row that comes out NaN again with V read only where it is seen, one whose sum left f32 in double.
  void second_product(Worker& w, std::int64_t row) {
    if (!out_.o.given()) return;
    const Place place = bind(w, row);
    const int value_dim = static_cast<int>(question_.problem.value_dim), lanes = w.scores.lanes();
    std::fill_n(w.rescale, kTile, 1.0f);
    for (const bool careful : {false, true}) {
      std::fill_n(w.o, kTile * value_dim, 0.0f);
      for (std::int64_t tile = 0; tile < question_.layout.key_tiles(); ++tile) mix_tile(w, row, tile, careful);
      if (std::none_of(w.o, w.o + kTile * value_dim, [](float value) { return std::isnan(value); })) break;
    }
    const QueryTile queries = place.queries(question_.layout.queries);
    machine::finish(w.o, w.rescale, value_dim, 0, lanes, writer_.o(queries, place.h));  // P is divided already
    std::uint64_t rows = words_.mixing.overflown(w.o, value_dim, lanes);
    for (int i = 0; i < lanes; ++i) rows &= ~(static_cast<std::uint64_t>(std::isnan(divisors_[row * kTile + i])) << i);
    if (rows != 0) w.in_double.fold(w.scores, queries, place.tile, rows, {w.s, w.v, w.seen}, writer_);
  }

  void mix_tile(Worker& w, std::int64_t row, std::int64_t tile, bool careful) {
    const machine::Shape shape{static_cast<int>(question_.problem.value_dim), w.scores.keys(tile), w.scores.lanes()};
    const base::Rows rows = w.scores.held().values(tile);
    const machine::Operand v = words_.mixing.values(rows, shape.keys, shape.dim, w.v);
    const machine::Lines<float> values{static_cast<const float*>(v.data), v.stride};
    const float* const p = scores_of(row) + tile * kTile * kTile;
    if (!careful) return machine::mix(p, values, shape, w.rescale, w.o);
    w.scores.make(tile, verdict(), w.s);
    seen_from_scores(w.s, shape.keys, w.seen);
    machine::mix_careful(p, w.seen, values, shape, w.rescale, w.o);
  }

  const problem::Question& question_;
  const machine::Words& words_;
  base::Progress& progress_;
  memory::Held held_;
  const Outputs& out_;
  problem::RowWriter writer_;
  float* square_;
  float* divisors_;
  std::span<Worker> workers_;
};

}  // namespace

std::string classic_declines(const problem::Question& question) {
  if (question.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (question.problem.statistics) return "keeps no row statistics";
  if (question.layout.ragged()) return "has one S x S matrix for all; packed sequences have as many shapes";
  return {};
}

void classic(const Job& job, base::Arena& arena) {
  const problem::Layout& layout = job.question.layout;
  if (layout.batch == 0 || layout.heads == 0 || layout.queries == 0) return;
  Classic classic(job, arena);
  if (!arena.is_dry()) classic.run();
}

}  // namespace heed::walk
