#include "walk/tile_scores.hpp"

namespace heed::walk {

TileScores::TileScores(const problem::Question& question, const machine::Words& words, const memory::Held& held, base::Arena& arena,
                       std::int64_t places, std::int64_t key_places)
    : question_(question),
      words_(words),
      queries_held_(held.q),
      held_(question, held, arena, key_places),
      formulas_(question, words.most_lanes, arena),
      split_(static_cast<float>(question.scale)) {
  const auto sizes = words.similarity.sizes(static_cast<int>(question.problem.dim));
  const auto tile = static_cast<std::size_t>(kTile * question.problem.dim);
  query_bytes_ = base::rounded(sizes.queries);
  loaded_ = arena.take<std::byte>(static_cast<std::size_t>(places) * query_bytes_);
  loaded_unusual_ = arena.take<std::uint64_t>(static_cast<std::size_t>(places));
  key_buffer_ = arena.take<std::byte>(sizes.keys);
  qt_ = arena.take<float>(tile);
  widened_ = arena.take<float>(tile);
}

void TileScores::locate(const QueryTile& queries) {
  formulas_.bind(queries);
  lanes_ = queries.lanes();
  q_ = queries_held_.rows(queries.b, 0);
  q_.row_stride = 1;  // offsets are in elements
  q_step_ = queries_held_.places.row_stride();
  q_head_ = queries_held_.places.head_stride();
  std::size_t lane = 0;
  for (std::int64_t h = queries.h; h < queries.h + queries.heads; ++h) {
    for (std::int64_t query = queries.slot; query < queries.slot + queries.slots; ++query, ++lane)
      offsets_[lane] = h * q_head_ + query * q_step_;
  }
}

void TileScores::load_bound(std::int64_t place, int slots) {
  const int dim = static_cast<int>(question_.problem.dim);
  words_.similarity.load(q_, offsets_.data(), lanes_, dim, static_cast<float>(question_.scale),
                         loaded_ + static_cast<std::size_t>(place) * query_bytes_);
  std::uint64_t& unusual = loaded_unusual_[place];
  unusual = 0;
  if (words_.similarity.unusual_queries == nullptr) return;
  for (int lane = 0; lane < lanes_; lane += slots) {
    machine::Rows rows = q_.from(offsets_[static_cast<std::size_t>(lane)]);
    rows.row_stride = q_step_;
    unusual |= words_.similarity.unusual_queries(rows, slots, dim) << lane;
  }
}

void TileScores::bind_place(std::int64_t place) {
  held_.bind(formulas_.queries().b, question_.layout.kv_head(formulas_.queries().h));
  queries_ = loaded_ + static_cast<std::size_t>(place) * query_bytes_;
  unusual_ = loaded_unusual_[place];
  qt_loaded_ = false;
}

void TileScores::load(const QueryTile& queries, std::int64_t place) {
  locate(queries);
  load_bound(place, static_cast<int>(queries.slots));
}

void TileScores::bind(const QueryTile& queries, std::int64_t place) {
  locate(queries);
  bind_place(place);
}

void TileScores::bind(std::int64_t b, std::int64_t h, std::span<const std::int64_t> slots) {
  locate({.b = b, .h = h, .heads = 1, .slot = 0, .slots = static_cast<std::int64_t>(slots.size())});
  formulas_.bind(b, h, slots);
  for (std::size_t i = 0; i < slots.size(); ++i) offsets_[i] = h * q_head_ + slots[i] * q_step_;
  load_bound(0, 1);
  bind_place(0);
}

TileScores::LoadedKeys TileScores::load_keys(const machine::Rows& rows, int count, void* buffer) const {
  const int dim = static_cast<int>(question_.problem.dim);
  const machine::Similarity& similarity = words_.similarity;
  return {.operand = similarity.keys(rows, count, dim, buffer),
          .unusual = similarity.unusual_keys == nullptr ? 0 : similarity.unusual_keys(rows, count, dim)};
}

void TileScores::make(std::int64_t tile, Verdict verdict, float* s) {
  make_scaled(tile, s);
  alter(tile, verdict, s);
}

void TileScores::make(std::int64_t tile, Verdict verdict, const LoadedKeys& loaded, float* s) {
  make_scaled(tile, loaded, s);
  alter(tile, verdict, s);
}

void TileScores::make_scaled(std::int64_t tile, float* s) {
  make_scaled(tile, load_keys(held_.keys(tile), keys(tile), key_buffer_), s);
}

void TileScores::make_scaled(std::int64_t tile, const LoadedKeys& loaded, float* s) {
  const int count = keys(tile);
  score_by_products(tile, loaded.operand, s);
  if (unusual_ != 0 || loaded.unusual != 0) {
    float* const careful = formulas_.spare<float>();
    score_carefully(tile, careful);
    for (int j = 0; j < count; ++j) {
      const std::uint64_t lanes = loaded.unusual >> j & 1 ? ~std::uint64_t{0} : unusual_;
      for (int i = 0; i < lanes_; ++i) {
        if (lanes >> i & 1) s[j * kTile + i] = careful[j * kTile + i];
      }
    }
  }
}

void TileScores::make_by_products(std::int64_t tile, Verdict verdict, float* s) {
  score_by_products(tile, load_keys(held_.keys(tile), keys(tile), key_buffer_).operand, s);
  alter(tile, verdict, s);
}

void TileScores::score_by_products(std::int64_t tile, const machine::Operand& k, float* s) {
  if (!words_.similarity.scores(queries_, k, {static_cast<int>(question_.problem.dim), keys(tile), lanes_}, s)) mend(tile, s);
}

void TileScores::make_carefully(std::int64_t tile, Verdict verdict, float* s) {
  score_carefully(tile, s);
  alter(tile, verdict, s);
}

void TileScores::score_carefully(std::int64_t tile, float* s) {
  const int dim = static_cast<int>(question_.problem.dim);
  widen_operands(tile);
  const bool all = machine::scores(qt_, {widened_, dim}, {dim, keys(tile), lanes_}, s);
  if (!machine::scale(split_.of_score, all, keys(tile), lanes_, s)) mend_widened(tile, s);
}

void TileScores::widen_operands(std::int64_t tile) {
  const int dim = static_cast<int>(question_.problem.dim);
  if (!qt_loaded_) machine::load_queries(q_, offsets_.data(), lanes_, dim, split_.of_query, qt_);
  qt_loaded_ = true;
  machine::widen(held_.keys(tile), keys(tile), dim, widened_);
}

void TileScores::mend(std::int64_t tile, float* s) {
  widen_operands(tile);
  mend_widened(tile, s);
}

void TileScores::mend_widened(std::int64_t tile, float* s) {
  const int dim = static_cast<int>(question_.problem.dim);
  machine::scores_again(qt_, {widened_, dim}, {dim, keys(tile), lanes_}, split_.of_score, s);
}

}  // namespace heed::walk
