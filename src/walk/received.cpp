#include "walk/received.hpp"

#include <algorithm>
#include <limits>

#include "problem/tiles.hpp"
#include "state/weighing.hpp"

namespace heed::walk {
namespace {

/// Cell of `index` when [0, extent) falls into `cells` cells [c extent / cells, (c + 1) extent / cells).
std::int64_t cell_of(std::int64_t index, std::int64_t extent, std::int64_t cells) {
  return ((index + 1) * cells - 1) / extent;
}
std::int64_t cell_begin(std::int64_t cell, std::int64_t extent, std::int64_t cells) {
  return cell * extent / cells;
}

std::size_t bytes_of_keys(const CensusJob& job) {
  return base::rounded(job.words.similarity.sizes(static_cast<int>(job.question.problem.dim)).keys);
}

/// Columns of the map from `first` on, R sums each, as means over the queries of each row of cells; some rows at a time, since sums lie by
/// columns.
void write_means(const CensusJob& job, const CensusHead& of, std::int64_t first, std::span<const double> sums) {
  constexpr std::int64_t kTogether = 16;
  const TensorSpan& out = job.out.map;
  const std::int64_t rows = out.shape[2], queries = job.question.layout.queries;
  if (sums.empty()) return;
  const std::int64_t columns = static_cast<std::int64_t>(sums.size()) / rows;
  auto* const to = static_cast<float*>(out.data) + of.b * out.strides[0] + of.place * out.strides[1] + first * out.strides[3];
  for (std::int64_t begin = 0; begin < rows; begin += kTogether) {
    const std::int64_t end = std::min(begin + kTogether, rows);
    std::array<double, kTogether> mean{};
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t pooled = cell_begin(r + 1, queries, rows) - cell_begin(r, queries, rows);
      mean[static_cast<std::size_t>(r - begin)] = pooled == 0 ? 0 : 1 / static_cast<double>(pooled);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t r = begin; r < end; ++r) {
        to[r * out.strides[2] + c * out.strides[3]] =
            static_cast<float>(sums[static_cast<std::size_t>(c * rows + r)] * mean[static_cast<std::size_t>(r - begin)]);
      }
    }
  }
}

void count_seen(const float* s, int keys, int lanes, std::int64_t* seen_by) {
  for (int j = 0; j < keys; ++j) {
    int seen = 0;
    for (int i = 0; i < lanes; ++i) seen += s[j * kTile + i] != -std::numeric_limits<float>::infinity() ? 1 : 0;
    seen_by[j] += seen;
  }
}

}  // namespace

Received::Received(const CensusJob& job, base::Arena& arena)
    : job_(job), buffer_(arena.take<std::byte>(kKeyGroup * bytes_of_keys(job))), key_bytes_(bytes_of_keys(job)) {}

bool Received::mapped() const {
  return job_.out.map.given() && job_.out.map.shape[2] > 0 && job_.out.map.shape[3] > 0;
}

std::int64_t Received::column_of(std::int64_t key) const {
  return cell_of(key, job_.question.layout.keys, job_.out.map.shape[3]);
}

MapShare Received::reduce(CensusRows& rows, const CensusHead& of, const problem::Columns& columns, std::span<const state::Norm> norms,
                          std::int64_t group) {
  const problem::TileMap& tiles = job_.question.tiles;
  const std::int64_t begin = group * kKeyGroup, end = std::min(begin + kKeyGroup, job_.question.layout.key_tiles_of(of.b));
  parts_.fill(0);
  received_.fill(0);
  seen_by_.fill(0);
  int rows_in_parts = 0;
  weighed_ = !norms.empty();
  load_keys(rows, of, group);
  if (mapped()) cut(end - begin);
  for (const problem::Stretch& stretch : columns.rows(group)) {
    for (std::int64_t row = stretch.first; row < stretch.last; ++row) {
      bind(rows, of, norms, row);
      if (++rows_in_parts > kFewRows) {
        add_up();
        rows_in_parts = 1;
      }
      for (const problem::Run& run : problem::meeting(tiles.runs(of.b, of.h, row), begin, end)) {
        for (std::int64_t tile = std::max(run.first, begin); tile < std::min(run.last, end); ++tile) {
          rows.scores().make(tile, run.verdict, keys_[static_cast<std::size_t>(tile - begin)], rows.s());
          add_tile(rows, tile);
        }
      }
    }
  }
  add_up();
  write_keys(of, group);
  return mapped() ? write_columns(of, group) : MapShare();
}

/// The keys of each tile in pieces of one column; the sums of these columns <- 0.
void Received::cut(std::int64_t tiles) {
  const std::int64_t begin = first_tile_ * kTile, extent = job_.question.layout.keys, cells = job_.out.map.shape[3];
  // Columns without keys belong to the group of the next key.
  const std::int64_t before = begin == 0 ? -1 : column_of(begin - 1), touched = column_of(begin);
  first_column_ = std::min(before + 1, touched);
  columns_ = column_of(std::min(begin + tiles * kTile, extent) - 1) - first_column_ + 1;
  sums_.assign(static_cast<std::size_t>(columns_ * job_.out.map.shape[2]), 0.0);
  pieces_.clear();
  for (std::int64_t n = 0; n < tiles; ++n) {
    pieces_of_[static_cast<std::size_t>(n)] = pieces_.size();
    const std::int64_t first = begin + n * kTile, last = std::min(first + kTile, extent);
    for (std::int64_t key = first; key < last;) {
      const std::int64_t column = column_of(key), next = std::min({last, key + kFewKeys, cell_begin(column + 1, extent, cells)});
      pieces_.push_back({column - first_column_, static_cast<int>(key - first), static_cast<int>(next - first)});
      key = next;
    }
  }
  pieces_of_[static_cast<std::size_t>(tiles)] = pieces_.size();
}

void Received::load_keys(CensusRows& rows, const CensusHead& of, std::int64_t group) {
  const problem::Layout& layout = job_.question.layout;
  first_tile_ = group * kKeyGroup;
  memory::KeyTiles& held = rows.scores().held();
  held.bind(of.b, layout.kv_head(of.h));
  const std::int64_t count = std::min(kKeyGroup, layout.key_tiles_of(of.b) - first_tile_);
  for (std::int64_t n = 0; n < count; ++n) {
    const auto at = static_cast<std::size_t>(n);
    const std::int64_t tile = first_tile_ + n;
    keys_[at] = rows.scores().load_keys(held.keys(tile), held.count(tile), buffer_ + at * key_bytes_);
  }
}

void Received::bind(CensusRows& rows, const CensusHead& of, std::span<const state::Norm> norms, std::int64_t row) {
  rows.bind(of, row);
  if (!weighed_) return;
  rows.weigh_by(norms.subspan(static_cast<std::size_t>(row * kTile), kTile));
  if (!mapped()) return;
  const std::int64_t queries = job_.question.layout.queries, cells = job_.out.map.shape[2], first = row * kTile;
  strip_count_ = 0;
  for (int lane = 0; lane < rows.lanes();) {
    const std::int64_t cell = cell_of(first + lane, queries, cells);
    const auto last = static_cast<int>(std::min<std::int64_t>(rows.lanes(), cell_begin(cell + 1, queries, cells) - first));
    strips_[strip_count_++] = {cell, lane, last};
    lane = last;
  }
}

void Received::add_tile(CensusRows& rows, std::int64_t tile) {
  const int keys = rows.keys(tile);
  const auto at = static_cast<std::size_t>((tile - first_tile_) * kTile);
  if (job_.out.seen_by.given()) count_seen(rows.s(), keys, rows.lanes(), seen_by_.data() + at);
  if (!weighed_) return;
  rows.settle(keys);
  if (mapped())
    add_mapped(rows, tile);
  else
    state::receive(rows.s(), keys, rows.lanes(), rows.norms(), parts_.data() + at * state::kReceived, nullptr);
}

/// Over the keys of a column first, then over the queries of each cell.
void Received::add_mapped(const CensusRows& rows, std::int64_t tile) {
  const auto place = static_cast<std::size_t>(tile - first_tile_);
  alignas(base::kAlignment) std::array<float, kTile> pooled;
  for (std::size_t n = pieces_of_[place]; n < pieces_of_[place + 1]; ++n) {
    const Piece& piece = pieces_[n];
    state::receive(rows.s() + std::int64_t{piece.first} * kTile, piece.last - piece.first, rows.lanes(), rows.norms(),
                   parts_.data() + (place * kTile + static_cast<std::size_t>(piece.first)) * state::kReceived, pooled.data());
    double* const sums = sums_.data() + piece.column * job_.out.map.shape[2];
    for (std::size_t m = 0; m < strip_count_; ++m) {
      const Strip& strip = strips_[m];
      double sum = 0;
      for (int i = strip.first; i < strip.last; ++i) sum += static_cast<double>(pooled[static_cast<std::size_t>(i)]);
      sums[strip.cell] += sum;
    }
  }
}

/// received_ <- received_ + parts_; parts_ <- 0.
void Received::add_up() {
  const float* part = parts_.data();
  for (double& sum : received_) {
    for (const float* const end = part + state::kReceived; part != end; ++part) sum += static_cast<double>(*part);
  }
  parts_.fill(0);
}

void Received::write_keys(const CensusHead& of, std::int64_t group) const {
  const problem::Layout& layout = job_.question.layout;
  const std::int64_t first = group * kKeyGroup * kTile, last = std::min(first + kKeyGroup * kTile, layout.keys_of(of.b));
  const auto put = [&](const TensorSpan& span, const auto& values) {
    if (!span.given()) return;
    const problem::Places places(span, layout, problem::Side::kKeys);
    for (std::int64_t key = first; key < last; ++key)
      store_real(span, places.at(of.b, of.place, key), static_cast<double>(values[static_cast<std::size_t>(key - first)]));
  };
  put(job_.out.received, received_);
  put(job_.out.seen_by, seen_by_);
}

MapShare Received::write_columns(const CensusHead& of, std::int64_t group) const {
  const std::int64_t rows = job_.out.map.shape[2], keys = job_.question.layout.keys, cells = job_.out.map.shape[3];
  const std::int64_t begin = group * kKeyGroup * kTile, end = std::min(begin + kKeyGroup * kTile, keys);
  const auto owned = [&](std::int64_t column) {
    return cell_begin(column, keys, cells) >= begin && cell_begin(column + 1, keys, cells) <= end;
  };
  const auto share_of = [&](std::int64_t column) {
    const double* const sums = sums_.data() + column * rows;
    return MapShare::Column{first_column_ + column, {sums, sums + rows}};
  };
  MapShare share;
  std::int64_t first = 0, last = columns_;
  if (!owned(first_column_)) share.first = share_of(first++);
  if (last > first && !owned(first_column_ + last - 1)) share.last = share_of(--last);
  write_means(job_, of, first_column_ + first,
              std::span(sums_).subspan(static_cast<std::size_t>(first * rows), static_cast<std::size_t>((last - first) * rows)));
  return share;
}

void Received::write_shared(const CensusJob& job, const CensusHead& of, std::span<const MapShare> shares) {
  MapShare::Column open;
  const auto close = [&] {
    if (open.column >= 0) write_means(job, of, open.column, open.sums);
    open.column = -1;
  };
  for (const MapShare& share : shares) {
    for (const MapShare::Column* const next : {&share.first, &share.last}) {
      if (next->column < 0) continue;
      if (next->column != open.column) {
        close();
        open = *next;
        continue;
      }
      for (std::size_t r = 0; r < open.sums.size(); ++r) open.sums[r] += next->sums[r];
    }
  }
  close();
  const TensorSpan& map = job.out.map;
  if (shares.empty()) write_means(job, of, 0, std::vector<double>(static_cast<std::size_t>(map.shape[2] * map.shape[3]), 0.0));
}

}  // namespace heed::walk
