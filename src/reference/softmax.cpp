#include "reference/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/arena.hpp"
#include "base/rows.hpp"
#include "base/threads.hpp"
#include "memory/memory.hpp"
#include "state/softmax.hpp"

namespace heed::reference {
namespace {

using base::kTile;

void put(const problem::Layout& layout, const TensorSpan& span, std::int64_t b, std::int64_t h, std::int64_t i, double value) {
  if (!span.given()) return;
  const std::int64_t at = problem::Places(span, layout, problem::Side::kQueries).at(b, h, i);
  if (span.dtype == DType::kI64)
    static_cast<std::int64_t*>(span.data)[at] = static_cast<std::int64_t>(value);
  else
    store_real(span, at, value);
}

/// A place of a matrix [B, Hq, Tq, Tk].
struct Spot {
  std::int64_t b, h, i, j;
};
void put(const TensorSpan& span, const Spot& at, double value) {
  store_real(span, base::offset_of(span.strides, at.b, at.h, at.i, at.j), value);
}

/// x as the type that holds scores has it: infinite from the middle between its largest number and the next power of two on.
double held(double x, DType dtype) {
  constexpr double kBeyondF32 = 0x1.ffffffp127;
  return dtype != DType::kF64 && std::fabs(x) >= kBeyondF32 ? std::copysign(HUGE_VAL, x) : x;
}

/// The scaled similarity; NaN where it is beyond that type though q and k are finite.
double similarity(const problem::Question& question, const memory::Held& in, const formula::Place& place, std::int64_t i, std::int64_t j) {
  double sum = 0;
  bool finite = true;
  for (std::int64_t c = 0; c < question.problem.dim; ++c) {
    const double q = in.q.real(place.b, place.h, i, c), k = in.k.real(place.b, place.g, j, c);
    finite = finite && std::isfinite(q) && std::isfinite(k);
    sum += q * k;
  }
  const double s = sum * question.scale;
  return finite && std::isinf(held(s, question.problem.dtype)) ? std::nan("") : s;
}

/// The score formulas' value; NaN where they have none.
double altered(const problem::Question& question, const formula::Place& place, std::span<formula::Value> values) {
  const formula::Value score = question.formulas.score.at(place, values);
  return score.broken < 0 ? held(score.real, question.problem.dtype) : std::nan("");
}

/// The final score of one place; -inf where it is hidden.
double score_at(const problem::Question& question, const memory::Held& in, formula::Place place, std::int64_t i, std::int64_t j,
                std::span<formula::Value> values) {
  if (!question.formulas.mask.at(place, values).integer) return state::kNothing;
  place.s = similarity(question, in, place, i, j);
  return altered(question, place, values);
}

/// Of one place what Outputs::scores holds; `masked`: its final score.
double wanted_score(const problem::Question& question, const memory::Held& in, const Spot& at, double masked,
                    std::span<formula::Value> values) {
  const Scores wanted = question.problem.wanted_scores;
  if (wanted == Scores::kMasked) return masked;
  formula::Place place = question.layout.place(at.b, at.h, at.i, at.j);
  place.s = similarity(question, in, place, at.i, at.j);
  return wanted == Scores::kScaled ? place.s : altered(question, place, values);
}

struct Row {
  std::int64_t b, h, i;
};

/// What one thread needs: a row of output, a row of scores, the values of the formulas' steps.
struct Worker {
  std::span<double> o, s;
  std::span<formula::Value> values;
  Worker(const problem::Question& question, base::Arena& arena)
      : o(arena.make<double>(static_cast<std::size_t>(question.problem.value_dim))),
        s(arena.make<double>(static_cast<std::size_t>(question.layout.keys))),
        values(arena.make<formula::Value>(std::max(question.formulas.mask.steps().size(), question.formulas.score.steps().size()))) {}
};

void attend_row(const problem::Question& question, const memory::Held& in, const Outputs& out, const Row& row, const Worker& worker) {
  const auto [o, s, values] = worker;
  const std::int64_t g = question.layout.kv_head(row.h), keys = question.layout.keys_of(row.b);
  std::fill(o.begin(), o.end(), 0.0);
  state::SoftmaxState state{.o = o};
  if (question.has_sink()) state.start_with_sink(question.sink(row.h));
  state::SoftmaxState alone{.o = {}};  // the keys without the sink: what statistics speak of
  std::int64_t count = 0;
  for (std::int64_t j = 0; j < keys; ++j) {
    const double score = score_at(question, in, question.layout.place(row.b, row.h, row.i, j), row.i, j, values);
    s[static_cast<std::size_t>(j)] = score;
    state.absorb(score, [&](std::size_t c) { return in.v.real(row.b, g, j, static_cast<std::int64_t>(c)); });
    alone.absorb(score, [](std::size_t) { return 0.0; });
    count += score != state::kNothing;
  }
  if (out.o.given()) {
    const problem::Places places(out.o, question.layout, problem::Side::kQueries);
    for (std::size_t c = 0; c < o.size(); ++c)
      store_real(out.o, places.at(row.b, row.h, row.i, static_cast<std::int64_t>(c)), state.output(c));
  }
  put(question.layout, out.lse, row.b, row.h, row.i, state.lse());
  double entropy = 0, squares = 0;
  for (std::int64_t j = 0; j < keys; ++j) {
    const double score = s[static_cast<std::size_t>(j)];
    const double log_p = score - alone.lse(), p = score == state::kNothing ? 0.0 : std::exp(log_p);
    if (p != 0) entropy -= p * log_p;
    squares += p * p;
    const Spot spot{row.b, row.h, row.i, j};
    if (out.weights.given()) put(out.weights, spot, score == state::kNothing ? 0.0 : std::exp(score - state.lse()));
    if (out.scores.given()) put(out.scores, spot, wanted_score(question, in, spot, score, values));
  }
  put(question.layout, out.maximum, row.b, row.h, row.i, alone.m);
  put(question.layout, out.entropy, row.b, row.h, row.i, entropy);
  put(question.layout, out.effective, row.b, row.h, row.i, squares == 0 ? 0.0 : 1.0 / squares);
  put(question.layout, out.visible, row.b, row.h, row.i, static_cast<double>(count));
  if (!out.norms.given()) return;
  const problem::Places norms(out.norms, question.layout, problem::Side::kQueries);
  for (std::int64_t c = 0; c < 2; ++c) store_real(out.norms, norms.at(row.b, row.h, row.i, c), 0);  // state::Norm::unknown: other scores
}

}  // namespace

void run(const problem::Question& question, const problem::Group& group, const Inputs& in, const Outputs& out, const Means& means) {
  const std::span<Worker> workers = means.arena.make<Worker>(static_cast<std::size_t>(question.threads), question, means.arena);
  if (means.arena.is_dry()) return;
  const memory::Held held(in, question.layout);
  const std::int64_t heads = question.layout.heads, tasks = group.tiles() * kTile * heads;
  means.progress.expect(tasks);
  // A task is a row of a tile of queries: all of a group by head.
  base::parallel(question.threads, tasks, [&](int index, std::int64_t task) {
    const problem::Group::Row tile = group.row(task / (kTile * heads));
    const std::int64_t h = task / kTile % heads, i = tile.tile * kTile + task % kTile;
    if (i < question.layout.queries_of(tile.b)) attend_row(question, held, out, {tile.b, h, i}, workers[static_cast<std::size_t>(index)]);
    means.progress.step();
  });
}

void run(const problem::Question& question, const Inputs& in, const Outputs& out) {
  const problem::Group group(question, problem::every_sequence(question.layout));
  const Watch nobody;
  base::Progress progress(nobody);
  const auto run_in = [&](base::Arena& arena) { run(question, group, in, out, {.arena = arena, .progress = progress}); };
  const base::Scratch scratch(base::bytes_taken(run_in));
  base::Arena arena(scratch.memory());
  run_in(arena);
}

}  // namespace heed::reference
