#include "walk/double_fold.hpp"

#include <algorithm>
#include <bit>

#include "machine/double.hpp"
#include "state/softmax.hpp"

namespace heed::walk {

DoubleFold::DoubleFold(const problem::Question& question, base::Arena& arena)
    : question_(question),
      weighing_(state::in_double(state::softmax())),
      state_(arena.take<double>(static_cast<std::size_t>(weighing_.lines * kTile))),
      o_(arena.take<double>(static_cast<std::size_t>(kTile * question.problem.value_dim))),
      p_(arena.take<double>(kTile * kTile)),
      rescale_(arena.take<double>(kTile)) {}

void DoubleFold::start(const QueryTile& queries) {
  std::fill_n(o_, kTile * question_.problem.value_dim, 0.0);
  if (!question_.has_sink()) return weighing_.start(state_, nullptr);
  double sinks[kTile];
  std::fill_n(sinks, kTile, state::kNothing);
  for (int i = 0; i < queries.lanes(); ++i) sinks[i] = question_.sink(queries.head(i));
  weighing_.start(state_, sinks);
}

void DoubleFold::fold(TileScores& scores, const QueryTile& queries, std::int64_t row, std::uint64_t rows, const Buffers& buffers,
                      const problem::RowWriter& out) {
  const int value_dim = static_cast<int>(question_.problem.value_dim), lanes = scores.lanes();
  start(queries);
  for (const problem::Run& run : question_.tiles.runs(queries.b, queries.h, row)) {
    for (std::int64_t tile = run.first; tile < run.last; ++tile) {
      const int keys = scores.keys(tile);
      scores.make_carefully(tile, run.verdict, buffers.s);
      seen_from_scores(buffers.s, keys, buffers.seen);
      std::copy_n(buffers.s, keys * kTile, p_);
      weighing_.absorb(p_, keys, lanes, state_, rescale_);
      machine::widen(scores.held().values(tile), keys, value_dim, buffers.v);
      machine::mix_seen(p_, buffers.seen, machine::Lines<float>{buffers.v, value_dim}, {value_dim, keys, lanes}, rescale_, o_);
    }
  }
  write(queries, rows, out);
}

void DoubleFold::write(const QueryTile& queries, std::uint64_t rows, const problem::RowWriter& out) const {
  double divisor[kTile];
  weighing_.finish(state_, queries.lanes(), divisor, nullptr);
  for (std::uint64_t left = rows; left != 0; left &= left - 1) {
    const int i = std::countr_zero(left);
    for (std::int64_t c = 0; c < question_.problem.value_dim; ++c) out.o(queries, i, c, o_[c * kTile + i] / divisor[i]);
  }
}

}  // namespace heed::walk
