#include "walk/tile_scores.hpp"

#include <algorithm>
#include <limits>

#include "formula/modify.hpp"

namespace heed::walk {
namespace {

std::size_t float_tile(std::int64_t columns) {
  return base::rounded(static_cast<std::size_t>(kTile * columns) * sizeof(float));
}

/// How many heads of a tile the score formula tells apart.
std::size_t score_frames(const problem::Question& question, const machine::Words& words) {
  const std::int64_t most_queries = question.layout.ragged() ? 1 : question.layout.queries;
  if (!(question.formulas.score.depends() & formula::kOnHead)) return 1;
  return static_cast<std::size_t>(problem::heads_that_share(question.layout, most_queries, question.tiles.by_head(), words.most_lanes));
}

}  // namespace

std::size_t TileScores::bytes(const problem::Question& question, const machine::Words& words, std::int64_t places) {
  const auto sizes = words.similarity.sizes(static_cast<int>(question.problem.dim));
  const std::size_t frame = base::rounded(formula::TileFrame::bytes(question.formulas.score_program)),
                    frames = score_frames(question, words);
  const auto count = static_cast<std::size_t>(places);
  return count * base::rounded(sizes.queries) + base::rounded(count * sizeof(std::uint64_t)) + base::rounded(sizes.keys) +
         2 * float_tile(question.problem.dim) + float_tile(kTile) + base::rounded(kTile * kTile) +
         base::rounded(formula::TileFrame::bytes(question.formulas.mask_program)) + frames * frame +
         base::rounded(frames * sizeof(formula::TileFrame));
}

TileScores::TileScores(const problem::Question& question, const machine::Words& words, base::Arena& arena, std::int64_t places)
    : question_(question), words_(words), split_(static_cast<float>(question.scale)) {
  const auto sizes = words.similarity.sizes(static_cast<int>(question.problem.dim));
  const auto tile = static_cast<std::size_t>(kTile * question.problem.dim);
  query_bytes_ = base::rounded(sizes.queries);
  loaded_ = arena.take<std::byte>(static_cast<std::size_t>(places) * query_bytes_);
  loaded_unusual_ = arena.take<std::uint64_t>(static_cast<std::size_t>(places));
  key_buffer_ = arena.take<std::byte>(sizes.keys);
  qt_ = arena.take<float>(tile);
  widened_ = arena.take<float>(tile);
  one_head_ = arena.take<float>(kTile * kTile);
  seen_ = arena.take<std::uint8_t>(kTile * kTile);
  mask_ = {question.formulas.mask_program, arena.take<std::byte>(formula::TileFrame::bytes(question.formulas.mask_program))};
  scores_ = arena.make<formula::TileFrame>(score_frames(question, words));
  for (formula::TileFrame& frame : scores_)
    frame = {question.formulas.score_program, arena.take<std::byte>(formula::TileFrame::bytes(question.formulas.score_program))};
}

void TileScores::locate(const TensorView& q, const QueryTile& queries) {
  tile_ = queries;
  lanes_ = queries.lanes();
  b_ = queries.b;
  const problem::Places places(q, question_.layout, problem::Side::kQueries);
  q_ = places.rows(q.data, b_, 0);
  q_.row_stride = 1;  // offsets are in elements
  q_step_ = places.row_stride();
  q_head_ = places.head_stride();
  std::size_t lane = 0;
  for (std::int64_t h = queries.h; h < queries.h + queries.heads; ++h) {
    for (std::int64_t query = queries.slot; query < queries.slot + queries.slots; ++query, ++lane) {
      offsets_[lane] = h * q_head_ + query * q_step_;
      positions_[lane] = question_.layout.query_position(b_, query);
      rows_[lane] = query;
    }
  }
}

void TileScores::load_bound(std::int64_t place) {
  const int dim = static_cast<int>(question_.problem.dim);
  words_.similarity.load(q_, offsets_.data(), lanes_, dim, static_cast<float>(question_.scale),
                         loaded_ + static_cast<std::size_t>(place) * query_bytes_);
  std::uint64_t& unusual = loaded_unusual_[place];
  unusual = 0;
  if (words_.similarity.unusual_queries == nullptr) return;
  const auto slots = static_cast<int>(tile_.slots);
  for (int lane = 0; lane < lanes_; lane += slots) {
    machine::Rows rows = q_.from(offsets_[static_cast<std::size_t>(lane)]);
    rows.row_stride = q_step_;
    unusual |= words_.similarity.unusual_queries(rows, slots, dim) << lane;
  }
}

void TileScores::bind_place(const TensorView& k, std::int64_t place) {
  k_ = problem::Places(k, question_.layout, problem::Side::kKeys).rows(k.data, b_, question_.layout.kv_head(tile_.h));
  queries_ = loaded_ + static_cast<std::size_t>(place) * query_bytes_;
  unusual_ = loaded_unusual_[place];
  qt_loaded_ = false;
  bound_first_ = -1;
}

void TileScores::load(const TensorView& q, const QueryTile& queries, std::int64_t place) {
  locate(q, queries);
  load_bound(place);
}

void TileScores::bind(const TensorView& q, const TensorView& k, const QueryTile& queries, std::int64_t place) {
  locate(q, queries);
  bind_place(k, place);
}

void TileScores::bind(const TensorView& q, const TensorView& k, std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots) {
  locate(q, {.b = b, .h = h, .heads = 1, .slot = 0, .slots = static_cast<std::int64_t>(slots.size())});
  tile_.slots = 1;  // any slots: each by itself
  for (std::size_t i = 0; i < slots.size(); ++i) {
    offsets_[i] = h * q_head_ + slots[i] * q_step_;
    positions_[i] = question_.layout.query_position(b, slots[i]);
    rows_[i] = slots[i];
  }
  load_bound(0);
  bind_place(k, 0);
}

void TileScores::bind_formulas(int first, int lanes) {
  if (first == bound_first_ && lanes == bound_lanes_) return;
  bound_first_ = first;
  bound_lanes_ = lanes;
  const std::int64_t g = question_.layout.kv_head(tile_.h);
  const auto part = [](const std::array<std::int64_t, kTile>& of, int begin, std::int64_t count) {
    return std::span<const std::int64_t>(of).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  };
  mask_.bind_head(b_, tile_.h, g);
  mask_.bind_queries(part(positions_, first, lanes), part(rows_, first, lanes));
  const std::int64_t heads = scores_.size() == 1 ? 1 : tile_.heads;
  for (std::int64_t n = 0; n < heads; ++n) {
    formula::TileFrame& frame = scores_[static_cast<std::size_t>(n)];
    frame.bind_head(b_, tile_.h + n, g);
    const int begin = heads == 1 ? first : 0;
    const std::int64_t count = heads == 1 ? lanes : tile_.slots;
    frame.bind_queries(part(positions_, begin, count), part(rows_, begin, count));
  }
}

int TileScores::keys(std::int64_t tile) const {
  return question_.layout.keys_in(b_, tile);
}

void TileScores::make(std::int64_t tile, Verdict verdict, float* s) {
  const int count = keys(tile), dim = static_cast<int>(question_.problem.dim);
  const machine::Rows rows = k_.from(tile * kTile);
  const std::uint64_t unusual_keys = words_.similarity.unusual_keys == nullptr ? 0 : words_.similarity.unusual_keys(rows, count, dim);
  score_by_products(tile, s);
  if (unusual_ != 0 || unusual_keys != 0) {
    score_carefully(tile, one_head_);
    for (int j = 0; j < count; ++j) {
      const std::uint64_t lanes = unusual_keys >> j & 1 ? ~std::uint64_t{0} : unusual_;
      for (int i = 0; i < lanes_; ++i) {
        if (lanes >> i & 1) s[j * kTile + i] = one_head_[j * kTile + i];
      }
    }
  }
  alter(tile, verdict, s);
}

void TileScores::make_by_products(std::int64_t tile, Verdict verdict, float* s) {
  score_by_products(tile, s);
  alter(tile, verdict, s);
}

void TileScores::score_by_products(std::int64_t tile, float* s) {
  const int count = keys(tile), dim = static_cast<int>(question_.problem.dim);
  const machine::Operand k = words_.similarity.keys(k_.from(tile * kTile), count, dim, key_buffer_);
  if (!words_.similarity.scores(queries_, k, {dim, count, lanes_}, s)) mend(tile, s);
}

void TileScores::make_carefully(std::int64_t tile, Verdict verdict, float* s) {
  score_carefully(tile, s);
  alter(tile, verdict, s);
}

void TileScores::score_carefully(std::int64_t tile, float* s) {
  const int dim = static_cast<int>(question_.problem.dim);
  widen_operands(tile);
  const bool all = machine::scores(qt_, widened_, dim, dim, keys(tile), lanes_, s);
  if (!machine::scale(split_.of_score, all, keys(tile), lanes_, s)) mend_widened(tile, s);
}

void TileScores::widen_operands(std::int64_t tile) {
  const int dim = static_cast<int>(question_.problem.dim);
  if (!qt_loaded_) machine::load_queries(q_, offsets_.data(), lanes_, dim, split_.of_query, qt_);
  qt_loaded_ = true;
  machine::widen(k_.from(tile * kTile), keys(tile), dim, widened_);
}

void TileScores::mend(std::int64_t tile, float* s) {
  widen_operands(tile);
  mend_widened(tile, s);
}

void TileScores::mend_widened(std::int64_t tile, float* s) {
  const int dim = static_cast<int>(question_.problem.dim);
  machine::scores_again(qt_, widened_, dim, dim, keys(tile), lanes_, split_.of_score, s);
}

void TileScores::alter(std::int64_t tile, Verdict verdict, float* s) {
  alter(tile, verdict, s, 0, lanes_);
}

void TileScores::alter(std::int64_t tile, Verdict verdict, float* s, int first, int lanes) {
  if (!alters(verdict)) return;
  bind_formulas(first, lanes);
  const int count = keys(tile);
  std::array<std::int64_t, kTile> positions{};
  for (int j = 0; j < count; ++j) positions[static_cast<std::size_t>(j)] = question_.layout.first_key + tile * kTile + j;
  const auto line = std::span<const std::int64_t>(positions).first(static_cast<std::size_t>(count));
  if (!question_.formulas.score_program.empty()) {
    for (formula::TileFrame& frame : scores_.first(scores_.size() == 1 ? 1 : static_cast<std::size_t>(tile_.heads))) frame.bind_keys(line);
    modify(s, count, first, lanes);
  }
  if (verdict != Verdict::kPartial) return;
  mask_.bind_keys(line);
  formula::see(mask_, count, lanes, seen_);
  formula::hide(seen_, count, lanes, s);
}

void TileScores::modify(float* s, int keys, int first, int lanes) {
  if (scores_.size() == 1 || tile_.heads == 1) return formula::modify(scores_[0], keys, lanes, s);
  const int slots = static_cast<int>(tile_.slots);
  for (int lane = first; lane < first + lanes;) {
    const int head = lane / slots, begin = lane % slots, end = std::min(slots, begin + first + lanes - lane);
    for (int j = 0; j < keys; ++j) std::copy_n(s + j * kTile + lane - first, end - begin, one_head_ + j * kTile + begin);
    formula::modify(scores_[static_cast<std::size_t>(head)], keys, end, one_head_);
    for (int j = 0; j < keys; ++j) std::copy_n(one_head_ + j * kTile + begin, end - begin, s + j * kTile + lane - first);
    lane += end - begin;
  }
}

void seen_from_scores(const float* s, int keys, std::uint8_t* seen) {
  for (int at = 0; at < keys * kTile; ++at) seen[at] = s[at] != -std::numeric_limits<float>::infinity();
}

}  // namespace heed::walk
