#include "walk/fold_careful.hpp"

#include <bit>
#include <limits>

#include "walk/fold_tile.hpp"

namespace heed::walk {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The visible tiles of a block once more where V holds NaN or infinities, with 0 in their place: the rows that do not see them get the
/// bits that they get where V is finite. Returns the rows that see one.
std::uint64_t fold_cleaned(const FoldView& view, FoldWorker& w, const FoldState& part, const Band& band, std::int64_t n, Block& block) {
  const auto clean = [&](std::int64_t tile, machine::Operand& v) {
    return view.words.mixing.clean(w.scores.held().values(tile), w.scores.keys(tile), view.value_dim, w.careful_v, v);
  };
  std::uint64_t found = 0, rows = 0;
  machine::Operand v;
  each_tile(view, band, n, block, [&](std::int64_t tile, Verdict) { found |= clean(tile, v); });
  if (found == 0) return 0;
  part.start();
  const int lanes = w.scores.lanes();
  const auto alter = alteration(view, w, part, block);
  const machine::Alter altering(alter);
  each_tile(view, band, n, block, [&](std::int64_t tile, Verdict) {
    const std::size_t at = block.at(tile);
    block.k[at] = view.words.similarity.keys(w.scores.held().keys(tile), w.scores.keys(tile), view.dim, w.k_buffer);
    std::uint64_t left = clean(tile, block.v[at]);
    const machine::KeyTile next = key_tile(view, w, block, tile);
    score_tile(view, w, next, altering);
    for (; left != 0; left &= left - 1) {
      const float* const s = w.s + std::countr_zero(left) * kTile;
      for (int i = 0; i < lanes; ++i) rows |= static_cast<std::uint64_t>(s[i] != kMinusInfinity) << i;
    }
    mix_tile(view, w, part, next);
  });
  return rows;
}

/// The rows whose scores in w.s show one of these keys; w.seen <- what the scores show.
std::uint64_t rows_that_see(const FoldWorker& w, int keys, std::uint64_t which) {
  std::uint64_t rows = 0;
  seen_from_scores(w.s, keys, w.seen);
  for (; which != 0; which &= which - 1) {
    const std::uint8_t* const seen = w.seen + std::countr_zero(which) * kTile;
    for (int i = 0; i < w.scores.lanes(); ++i) rows |= static_cast<std::uint64_t>(seen[i]) << i;
  }
  return rows;
}

std::uint64_t suspects(const FoldView& view, const FoldState& part, int lanes) {
  return view.words.mixing.suspects(part.o, view.words.weighing.begun(part.state, lanes), view.value_dim, lanes);
}

void adopt(const FoldView& view, const FoldState& part, const FoldState& exact, std::uint64_t rows) {
  for (int line = 0; line < view.words.weighing.lines; ++line) {
    for (int i = 0; i < kTile; ++i) {
      if (rows >> i & 1) part.state[line * kTile + i] = exact.state[line * kTile + i];
    }
  }
  view.words.mixing.adopt(part.o, exact.o, rows, view.value_dim);
  if (!view.question.problem.statistics) return;
  *part.mended = rows;
  for (int i = 0; i < kTile; ++i) {
    if (rows >> i & 1) part.set_tally(i, exact.tally_of(i));
  }
}

/// All of the block into w.careful; what it finds of rows that see unusual keys is added to `rows`.
void fold_carefully(const FoldView& view, FoldWorker& w, const Band& band, std::int64_t n, const Block& block, std::uint64_t& rows) {
  const int lanes = w.scores.lanes();
  w.careful.start();
  each_tile(view, band, n, block, [&](std::int64_t tile, Verdict verdict) {
    const int keys = w.scores.keys(tile);
    const std::uint64_t unusual = block.unusual[block.at(tile)];
    // A formula may hide the key at its own score and have shown it at the one that the products made, or the other way round.
    if (unusual != 0 && !view.question.formulas.score_program.empty()) {
      w.scores.make_by_products(tile, verdict, w.s);
      rows |= rows_that_see(w, keys, unusual);
    }
    w.scores.make_carefully(tile, verdict, w.s);
    if (view.question.problem.statistics) state::tally(w.s, keys, lanes, w.careful.tally);
    rows |= rows_that_see(w, keys, unusual);
    view.words.weighing.absorb(w.s, keys, lanes, w.careful.state, w.rescale);
    machine::widen(w.scores.held().values(tile), keys, view.value_dim, w.careful_v);
    machine::mix_careful(w.s, w.seen, {w.careful_v, view.value_dim}, {view.value_dim, keys, lanes}, w.rescale, w.careful.o);
  });
}

}  // namespace

void mend(const FoldView& view, FoldWorker& w, const FoldState& part, const Band& band, std::int64_t n, Block& block) {
  const int lanes = w.scores.lanes();
  std::uint64_t rows = suspects(view, part, lanes);
  if (rows != 0 && view.words.mixing.clean != nullptr) {
    rows = fold_cleaned(view, w, part, band, n, block);
    rows |= suspects(view, part, lanes);
  }
  rows |= w.scores.unusual_queries();
  if (rows == 0 && !block.any_unusual) return;
  fold_carefully(view, w, band, n, block, rows);
  adopt(view, part, w.careful, rows);
}

}  // namespace heed::walk
