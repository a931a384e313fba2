#include "walk/double_fold.hpp"

#include <algorithm>
#include <bit>

#include "state/softmax.hpp"

namespace heed::walk {

std::size_t DoubleFold::bytes(const problem::Question& question) {
  const std::size_t line = base::rounded(kTile * sizeof(double));
  return 3 * line + base::rounded(kTile * kTile * sizeof(double)) +
         base::rounded(static_cast<std::size_t>(kTile * question.problem.value_dim) * sizeof(double));
}

DoubleFold::DoubleFold(const problem::Question& question, base::Arena& arena)
    : question_(question),
      state_{arena.take<double>(kTile), arena.take<double>(kTile),
             arena.take<double>(static_cast<std::size_t>(kTile * question.problem.value_dim))},
      p_(arena.take<double>(kTile * kTile)),
      rescale_(arena.take<double>(kTile)) {}

void DoubleFold::start(const QueryTile& queries) {
  std::fill_n(state_.m, kTile, state::kNothing);
  std::fill_n(state_.l, kTile, 0.0);
  std::fill_n(state_.o, kTile * question_.problem.value_dim, 0.0);
  if (!question_.has_sink()) return;
  for (int i = 0; i < queries.lanes(); ++i) {
    state_.m[i] = question_.sink(queries.head(i));
    state_.l[i] = state_.m[i] == state::kNothing ? 0 : 1;
  }
}

void DoubleFold::fold(TileScores& scores, const problem::Placed& v, const QueryTile& queries, std::int64_t row, std::uint64_t rows,
                      const Buffers& buffers, const problem::RowWriter& out) {
  const machine::Rows values = v.rows(queries.b, question_.layout.kv_head(queries.h));
  const int value_dim = static_cast<int>(question_.problem.value_dim), lanes = scores.lanes();
  start(queries);
  for (const problem::Run& run : question_.tiles.runs(queries.b, queries.h, row)) {
    for (std::int64_t tile = run.first; tile < run.last; ++tile) {
      const int keys = scores.keys(tile);
      scores.make_carefully(tile, run.verdict, buffers.s);
      machine::absorb_double(buffers.s, keys, lanes, state_, rescale_, p_);
      machine::widen(values.from(tile * kTile), keys, value_dim, buffers.v);
      machine::mix_double(p_, buffers.s, buffers.v, value_dim, value_dim, keys, lanes, rescale_, state_.o);
    }
  }
  write(queries, rows, out);
}

void DoubleFold::write(const QueryTile& queries, std::uint64_t rows, const problem::RowWriter& out) const {
  for (std::uint64_t left = rows; left != 0; left &= left - 1) {
    const int i = std::countr_zero(left);
    const double l = state_.l[i] == 0 ? 1 : state_.l[i];
    for (std::int64_t c = 0; c < question_.problem.value_dim; ++c) out.o(queries, i, c, state_.o[c * kTile + i] / l);
  }
}

}  // namespace heed::walk
