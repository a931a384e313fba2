// RowState: what is kept of the 64 rows of a tile of queries: the weighing's state, O, and their statistics where these are wanted; its
// memory, its start, its end. F: float, or double of f64 tensors. O is the mixing's own where F is float; [Dv, 64] where it is double.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/arena.hpp"
#include "base/tile.hpp"
#include "problem/outputs.hpp"
#include "problem/question.hpp"
#include "state/tally.hpp"
#include "state/weighing.hpp"

namespace heed::walk {

using base::kTile;
using problem::QueryTile;

template <class F>
struct RowState {
  const state::WeighingOf<F>& weighing;
  F *state, *o;
  state::TallyRowsOf<F> tally{};
  std::uint64_t* mended = nullptr;  // with statistics: bit i, scores of row i are not as TileScores::make has them
  std::size_t output;               // bytes

  RowState(const problem::Question& question, const state::WeighingOf<F>& by, std::size_t output_bytes, base::Arena& arena)
      : weighing(by),
        state(arena.take<F>(static_cast<std::size_t>(by.lines * kTile))),
        o(arena.take<F>(output_bytes / sizeof(F))),
        output(output_bytes) {
    if (!question.problem.statistics) return;
    tally = {arena.take<F>(kTile), arena.take<double>(kTile), arena.take<F>(kTile), arena.take<F>(kTile), arena.take<std::int64_t>(kTile)};
    mended = arena.take<std::uint64_t>(1);
  }

  /// The identity, or the states that have absorbed `sinks`.
  void start(const F* sinks = nullptr) const {
    weighing.start(state, sinks);
    std::fill_n(o, output / sizeof(F), F{0});
    if (tally.m == nullptr) return;
    std::fill_n(tally.m, kTile, -std::numeric_limits<F>::infinity());
    std::fill_n(tally.l, kTile, 0.0);
    for (F* line : {tally.e, tally.l2}) std::fill_n(line, kTile, F{0});
    std::fill_n(tally.n, kTile, 0);
    *mended = 0;
  }
  /// The identity, or the sinks of these rows.
  void start(const problem::Question& question, const QueryTile& queries) const {
    if (!question.has_sink()) return start();
    F sinks[kTile];
    std::fill_n(sinks, kTile, -std::numeric_limits<F>::infinity());
    for (int i = 0; i < queries.lanes(); ++i) sinks[i] = static_cast<F>(question.sink(queries.head(i)));
    start(sinks);
  }

  [[nodiscard]] state::TallyOf<F> tally_of(int i) const { return {tally.m[i], tally.l[i], tally.e[i], tally.l2[i], tally.n[i]}; }
  void set_tally(int i, const state::TallyOf<F>& t) const {
    tally.m[i] = t.m;
    tally.l[i] = t.l;
    tally.e[i] = t.e;
    tally.l2[i] = t.l2;
    tally.n[i] = t.n;
  }
  void merge_tally(const RowState& part, int lanes) const {
    if (tally.m == nullptr) return;
    *mended |= *part.mended;
    for (int i = 0; i < lanes; ++i) set_tally(i, state::TallyOf<F>::merged(tally_of(i), part.tally_of(i)));
  }

  /// L and the statistics of the rows.
  void write_lines(const F* lse, const QueryTile& queries, const problem::RowWriter& out) const {
    for (int i = 0; i < queries.lanes(); ++i) {
      out.lse(queries, i, lse[i]);
      if (tally.m != nullptr) out.statistics(queries, i, tally_of(i));
    }
  }
};

/// The tallies of rows from `first` on.
template <class F>
[[nodiscard]] state::TallyRowsOf<F> from_lane(const state::TallyRowsOf<F>& tally, int first) {
  return {tally.m + first, tally.l + first, tally.e + first, tally.l2 + first, tally.n + first};
}

}  // namespace heed::walk
