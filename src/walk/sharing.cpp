#include "walk/sharing.hpp"

#include <array>

namespace heed::walk {
namespace {

/// Multiply-adds for which a thread is worth its start: some 50 to 100 us; with less, two threads lost to one (docs/kernels.md).
constexpr double kLeastWork = 4 << 20;
constexpr double kReadOperations = 8;  // what reading an element of K or V takes, in multiply-adds: it is all that few queries cost
constexpr int kMostCounted = 64;       // threads whose loads are counted before whole tiles are given up

int threads_for(const problem::Question& question, const problem::Group& group, std::int64_t heads_per_tile) {
  const TileCounts& counts = group.visited.tiles;
  const double read = static_cast<double>((counts.partial + counts.full) / heads_per_tile * kTile);
  const double work =
      (group.visited.pairs + kReadOperations * read) * static_cast<double>(question.problem.dim + question.problem.value_dim);
  return static_cast<int>(std::clamp(work / kLeastWork, 1.0, static_cast<double>(question.threads)));
}

}  // namespace

std::int64_t tiles_per_block(const problem::Question& question, const machine::Words& words) {
  const auto per_key = static_cast<std::int64_t>((words.similarity.sizes(static_cast<int>(question.problem.dim)).keys +
                                                  words.mixing.sizes(static_cast<int>(question.problem.value_dim)).values) /
                                                 kTile);
  std::int64_t block = kMostBlock;
  while (words.query_tiles > 1 && block > kLeastBlock && block * per_key > kPackedBytes) block /= 2;
  return block / kTile;
}

Sharing::Sharing(const problem::Question& question, const problem::Group& group, const machine::Words& words)
    : question_(question),
      group_(group),
      heads_per_tile_(problem::heads_that_share(question.layout, group.queries, question.tiles.by_head(), words.most_lanes)),
      chunks_(question.layout.heads / heads_per_tile_),
      threads_(threads_for(question, group, heads_per_tile_)) {
  tiles_per_block_ = tiles_per_block(question, words);
  blocks_ = (group.key_tiles() + tiles_per_block_ - 1) / tiles_per_block_;
  const std::int64_t rows = chunks_ * group.tiles();
  tiles_per_band_ = 1;
  bands_ = group.tiles();
  if (threads_ > 1 && rows < 2 * threads_) split_rows();
  if (!split()) share_rows(words, rows);
  packed_tiles_ = tiles_per_band_ > 1 || words.folds_lists() ? std::min(tiles_per_block_, group.key_tiles()) : 1;
}

/// Counts the blocks of each row; to share them out pays where a row enters more than one.
void Sharing::split_rows() {
  std::int64_t all = 0, most = 0;
  for (std::int64_t index = 0; index < bands(); ++index) {
    std::int64_t entered = 0;
    each_block(band(index), [&](std::int64_t) { ++entered; });
    all += entered;
    most = std::max(most, entered);
  }
  if (most > 1) parts_ = all;
}

void Sharing::share_rows(const machine::Words& words, std::int64_t rows) {
  // So many tiles to a band that every thread still finds several bands.
  const std::int64_t tiles = (group_.queries + kTile - 1) / kTile, sequences = static_cast<std::int64_t>(group_.sequences.size());
  tiles_per_band_ = std::max<std::int64_t>(1, std::min({rows / (4 * threads_), std::int64_t{words.query_tiles}, tiles}));
  if (question_.layout.ragged()) return;
  bands_ = sequences * ((tiles + tiles_per_band_ - 1) / tiles_per_band_);
  if (threads_ == 1 || tiles_per_band_ > 1 || heads_per_tile_ > 1 || rows >= 8 * threads_ || threads_ > kMostCounted ||
      !leaves_threads_idle())
    return;
  slots_ = kTile / 2;
  bands_ = sequences * ((group_.queries + slots_ - 1) / slots_);
}

/// Bands go in order to whichever thread is free: whether the last then ends a tenth later than if all could be shared evenly.
bool Sharing::leaves_threads_idle() const {
  std::array<std::int64_t, kMostCounted> store{};
  const auto busy = std::span(store).first(static_cast<std::size_t>(threads_));
  std::int64_t all = 0;
  for (std::int64_t index = 0; index < bands(); ++index) {
    const Band next = band(index);
    std::int64_t work = 0;
    for (const problem::Run& run : question_.tiles.runs(next.b, next.h, next.first)) work += (run.last - run.first) * next.queries(0).slots;
    *std::min_element(busy.begin(), busy.end()) += work;
    all += work;
  }
  return 10 * *std::max_element(busy.begin(), busy.end()) * threads_ > 11 * all;
}

int Sharing::workers() const {
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(threads_, split() ? parts_ : bands())));
}

/// Bands of one sequence after the other, of each set of heads, the last first.
Sharing::Within Sharing::within(std::int64_t index) const {
  if (!question_.layout.ragged()) {
    const std::int64_t each = bands_ / static_cast<std::int64_t>(group_.sequences.size()), entry = index / (chunks_ * each);
    return {group_.sequences[static_cast<std::size_t>(entry)], index / each % chunks_, each - 1 - index % each};
  }
  const problem::Group::Row row = group_.row(index / chunks_);
  const std::int64_t each = question_.layout.query_tiles_of(row.b), rest = index - (index / chunks_ - row.tile) * chunks_;
  return {row.b, rest / each, each - 1 - rest % each};
}

Band Sharing::band(std::int64_t index) const {
  const Within at = within(index);
  const std::int64_t slot = at.band * tiles_per_band_ * slots_, first = slot / kTile;
  return {.b = at.b,
          .h = at.chunk * heads_per_tile_,
          .heads = heads_per_tile_,
          .first = first,
          .tiles = std::clamp<std::int64_t>(question_.layout.query_tiles_of(at.b) - first, 0, tiles_per_band_),
          .offset = slot % kTile,
          .slots = slots_,
          .queries_in_all = question_.layout.queries_of(at.b)};
}

std::span<const problem::Run> Sharing::seen(const Band& band, std::int64_t n, std::int64_t block) const {
  return problem::meeting(question_.tiles.runs(band.b, band.h, band.tile(n)), first_tile(block), last_tile(block));
}

std::int64_t Sharing::next_block(const Band& band, std::int64_t block) const {
  std::int64_t next = blocks_;
  const std::int64_t first = first_tile(block), end = group_.key_tiles();
  for (std::int64_t n = 0; n < band.tiles && next > block; ++n) {
    const std::span<const problem::Run> runs = problem::meeting(question_.tiles.runs(band.b, band.h, band.tile(n)), first, end);
    if (!runs.empty()) next = std::min(next, std::max(runs.front().first, first) / tiles_per_block_);
  }
  return next;
}

}  // namespace heed::walk
