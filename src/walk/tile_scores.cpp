#include "walk/tile_scores.hpp"

#include <algorithm>
#include <limits>

namespace heed::walk {

kernel::Rows rows_of(const TensorView& tensor, std::int64_t b, std::int64_t h) {
  const std::int64_t offset = b * tensor.strides[0] + h * tensor.strides[1];
  return {static_cast<const std::byte*>(tensor.data) + offset * size_of(tensor.dtype), tensor.dtype, tensor.strides[2], tensor.strides[3]};
}

FloatRows float_rows(const kernel::Words& words, const kernel::Rows& rows, bool in_place, int count, int columns, float* buffer) {
  if (in_place) return {static_cast<const float*>(rows.data), rows.row_stride};
  words.widen(rows, count, columns, buffer);
  return {buffer, columns};
}

std::size_t TileScores::bytes(const plan::Body& body, bool keys_in_place) {
  const auto tile = static_cast<std::size_t>(kTile * body.problem.dim) * sizeof(float);
  return base::rounded(tile) * (keys_in_place ? 1 : 2) + base::rounded(kTile * kTile) +
         base::rounded(formula::TileFrame::bytes(body.mask_program)) + base::rounded(formula::TileFrame::bytes(body.score_program));
}

TileScores::TileScores(const plan::Body& body, const kernel::Words& words, bool keys_in_place, base::Arena& arena)
    : body_(body),
      words_(words),
      keys_in_place_(keys_in_place),
      qt_(arena.take<float>(static_cast<std::size_t>(kTile * body.problem.dim))),
      k_buffer_(keys_in_place ? nullptr : arena.take<float>(static_cast<std::size_t>(kTile * body.problem.dim))),
      seen_(arena.take<std::uint8_t>(kTile * kTile)),
      mask_(body.mask_program, arena.take<std::byte>(formula::TileFrame::bytes(body.mask_program))),
      score_(body.score_program, arena.take<std::byte>(formula::TileFrame::bytes(body.score_program))) {}

void TileScores::bind_head(const TensorView& q, const TensorView& k, std::int64_t b, std::int64_t h) {
  const std::int64_t g = body_.layout.kv_head(h);
  b_ = b;
  q_ = rows_of(q, b, h);
  k_ = rows_of(k, b, g);
  mask_.bind_head(b, h, g);
  score_.bind_head(b, h, g);
}

void TileScores::bind_query_tile(std::int64_t tile) {
  std::array<std::int64_t, kTile> slots{};
  const auto count = static_cast<std::size_t>(std::min<std::int64_t>(kTile, body_.layout.queries - tile * kTile));
  for (std::size_t i = 0; i < count; ++i) slots[i] = tile * kTile + static_cast<std::int64_t>(i);
  bind_queries(std::span(slots).first(count));
}

void TileScores::bind_queries(std::span<const std::int64_t> slots) {
  lanes_ = static_cast<int>(slots.size());
  const int dim = static_cast<int>(body_.problem.dim);
  const auto scale = static_cast<float>(body_.scale);
  words_.load_queries(q_, slots.data(), lanes_, dim, scale, qt_);
  std::array<std::int64_t, kTile> positions{};
  for (std::size_t i = 0; i < slots.size(); ++i) positions[i] = body_.layout.query_position(b_, slots[i]);
  const auto line = std::span<const std::int64_t>(positions).first(slots.size());
  mask_.bind_queries(line);
  score_.bind_queries(line);
}

int TileScores::keys(std::int64_t tile) const {
  return static_cast<int>(std::min<std::int64_t>(kTile, body_.layout.keys - tile * kTile));
}

void TileScores::make(std::int64_t tile, Verdict verdict, float* s) {
  const int count = keys(tile), dim = static_cast<int>(body_.problem.dim);
  const FloatRows k = float_rows(words_, k_.from(tile * kTile), keys_in_place_, count, dim, k_buffer_);
  words_.scores(qt_, k.data, k.stride, dim, count, lanes_, s);
  const bool partial = verdict == Verdict::kPartial, modified = !body_.score_program.empty();
  if (!partial && !modified) return;
  std::array<std::int64_t, kTile> positions{};
  for (int j = 0; j < count; ++j) positions[static_cast<std::size_t>(j)] = body_.layout.first_key + tile * kTile + j;
  const auto line = std::span<const std::int64_t>(positions).first(static_cast<std::size_t>(count));
  if (modified) {
    score_.bind_keys(line);
    words_.modify(score_, count, lanes_, s);
  }
  if (partial) {
    mask_.bind_keys(line);
    words_.see(mask_, count, lanes_, seen_);
    words_.hide(seen_, count, lanes_, s);
  }
}

void seen_from_scores(const float* s, int keys, std::uint8_t* seen) {
  for (int at = 0; at < keys * kTile; ++at) seen[at] = s[at] != -std::numeric_limits<float>::infinity();
}

}  // namespace heed::walk
