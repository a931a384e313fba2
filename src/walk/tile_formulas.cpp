#include "walk/tile_formulas.hpp"

#include <algorithm>
#include <limits>

#include "formula/modify.hpp"

namespace heed::walk {
namespace {

/// How many heads of a tile the score formula tells apart.
std::size_t score_frames(const problem::Question& question, int most_lanes) {
  if (!(question.formulas.score.depends() & formula::kOnHead)) return 1;
  const std::int64_t fewest_queries = question.layout.ragged() ? 1 : question.layout.queries;
  return static_cast<std::size_t>(problem::heads_that_share(question.layout, fewest_queries, question.tiles.by_head(), most_lanes));
}

std::size_t spare_bytes(const problem::Question& question) {
  const std::size_t score = question.problem.dtype == DType::kF64 ? sizeof(double) : sizeof(float);
  return std::size_t{kTile} * kTile * score;
}

template <class F>
void seen_of(const F* s, int keys, std::uint8_t* seen) {
  for (int at = 0; at < keys * kTile; ++at) seen[at] = s[at] != -std::numeric_limits<F>::infinity();
}

}  // namespace

TileFormulas::TileFormulas(const problem::Question& question, int most_lanes, base::Arena& arena)
    : question_(question),
      spare_(arena.take<std::byte>(spare_bytes(question))),
      seen_(arena.take<std::uint8_t>(kTile * kTile)),
      mask_(question.formulas.mask_program, arena),
      scores_(arena.make<formula::TileFrame>(score_frames(question, most_lanes), question.formulas.score_program, arena)) {}

void TileFormulas::bind(const QueryTile& queries) {
  tile_ = queries;
  bound_first_ = -1;
  for (int lane = 0; lane < queries.lanes(); ++lane) {
    const std::int64_t query = queries.query(lane);
    positions_[static_cast<std::size_t>(lane)] = question_.layout.query_position(queries.b, query);
    rows_[static_cast<std::size_t>(lane)] = query;
  }
}

void TileFormulas::bind(std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots) {
  tile_ = {.b = b, .h = h, .heads = 1, .slot = 0, .slots = static_cast<std::int64_t>(slots.size())};
  bound_first_ = -1;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    positions_[i] = question_.layout.query_position(b, slots[i]);
    rows_[i] = slots[i];
  }
}

void TileFormulas::bind_programs(int first, int lanes) {
  if (first == bound_first_ && lanes == bound_lanes_) return;
  bound_first_ = first;
  bound_lanes_ = lanes;
  const std::int64_t g = question_.layout.kv_head(tile_.h);
  const auto part = [](const std::array<std::int64_t, kTile>& of, int begin, std::int64_t count) {
    return std::span<const std::int64_t>(of).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  };
  mask_.bind_head(tile_.b, tile_.h, g);
  mask_.bind_queries(part(positions_, first, lanes), part(rows_, first, lanes));
  const std::int64_t heads = scores_.size() == 1 ? 1 : tile_.heads;
  for (std::int64_t n = 0; n < heads; ++n) {
    formula::TileFrame& frame = scores_[static_cast<std::size_t>(n)];
    frame.bind_head(tile_.b, tile_.h + n, g);
    const int begin = heads == 1 ? first : 0;
    const std::int64_t count = heads == 1 ? lanes : tile_.slots;
    frame.bind_queries(part(positions_, begin, count), part(rows_, begin, count));
  }
}

int TileFormulas::keys(std::int64_t tile) const {
  return question_.layout.keys_in(tile_.b, tile);
}

template <class F>
void TileFormulas::alter(std::int64_t tile, Verdict verdict, F* s, int first, int lanes) {
  if (!alters(verdict)) return;
  if (!question_.formulas.score_program.empty()) {
    bind_programs(first, lanes);
    const Positions positions = key_positions(tile);
    for (formula::TileFrame& frame : scores_.first(scores_.size() == 1 ? 1 : static_cast<std::size_t>(tile_.heads)))
      frame.bind_keys(positions.line());
    modify(s, positions.count, first, lanes);
  }
  if (verdict == Verdict::kPartial) hide(tile, s, first, lanes);
}

template <class F>
void TileFormulas::hide(std::int64_t tile, F* s, int first, int lanes) {
  bind_programs(first, lanes);
  const Positions positions = key_positions(tile);
  mask_.bind_keys(positions.line());
  formula::see(mask_, positions.count, lanes, seen_);
  formula::hide(seen_, positions.count, lanes, s);
}

void TileFormulas::spoil_broken(std::int64_t tile, const float* scaled, float* s) const {
  const int count = keys(tile);
  const formula::Box box =
      question_.layout.box(tile_.b, tile_.h, {tile_.slot, tile_.slot + tile_.slots - 1}, {tile * kTile, tile * kTile + count - 1});
  if (!question_.formulas.score_over().broken_for_some_score(box)) return;
  const formula::TileFrame& frame = scores_[0];
  for (int j = 0; j < count; ++j) {
    for (int i = 0; i < lanes(); ++i) {
      const formula::Place place = frame.place(i, j, static_cast<double>(scaled[j * kTile + i]));
      if (question_.formulas.score.at(place, frame.values()).broken >= 0) s[j * kTile + i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

TileFormulas::Positions TileFormulas::key_positions(std::int64_t tile) const {
  Positions positions{.count = keys(tile)};
  for (int j = 0; j < positions.count; ++j) positions.of[static_cast<std::size_t>(j)] = question_.layout.first_key + tile * kTile + j;
  return positions;
}

template <class F>
void TileFormulas::modify(F* s, int keys, int first, int lanes) {
  if (scores_.size() == 1 || tile_.heads == 1) return formula::modify(scores_[0], keys, lanes, s);
  const int slots = static_cast<int>(tile_.slots);
  F* const own = spare<F>();
  for (int lane = first; lane < first + lanes;) {
    const int head = lane / slots, begin = lane % slots, end = std::min(slots, begin + first + lanes - lane);
    for (int j = 0; j < keys; ++j) std::copy_n(s + j * kTile + lane - first, end - begin, own + j * kTile + begin);
    formula::modify(scores_[static_cast<std::size_t>(head)], keys, end, own);
    for (int j = 0; j < keys; ++j) std::copy_n(own + j * kTile + begin, end - begin, s + j * kTile + lane - first);
    lane += end - begin;
  }
}

template void TileFormulas::alter(std::int64_t tile, Verdict verdict, float* s, int first, int lanes);
template void TileFormulas::alter(std::int64_t tile, Verdict verdict, double* s, int first, int lanes);
template void TileFormulas::hide(std::int64_t tile, float* s, int first, int lanes);

void seen_from_scores(const float* s, int keys, std::uint8_t* seen) {
  seen_of(s, keys, seen);
}
void seen_from_scores(const double* s, int keys, std::uint8_t* seen) {
  seen_of(s, keys, seen);
}

}  // namespace heed::walk
