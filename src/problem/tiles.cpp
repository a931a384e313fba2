#include "problem/tiles.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/arena.hpp"
#include "formula/modify.hpp"

namespace heed::problem {

using formula::Box;
using formula::Range;
using formula::Verdict;

namespace {

/// False when no step of a score formula can make -inf out of finite scores, whatever its tables hold.
bool can_hide(const formula::Formula& score) {
  return std::any_of(score.steps().begin(), score.steps().end(), [](const formula::Step& step) {
    if (step.kind == formula::Step::Kind::kToReal) return false;
    return (step.op == formula::Op::kReal && std::isinf(step.real)) || step.op == formula::Op::kLog ||
           (step.op == formula::Op::kLookup && step.type == formula::Type::kReal);
  });
}

/// True when some place's final score may be -inf though the score before the formulas is finite.
bool may_be_minus_infinity(const formula::Over& score, const Box& box) {
  const double limit = std::numeric_limits<float>::max();
  return !(score.interval(box, formula::Interval::reals(-limit, limit)).real_low > -std::numeric_limits<double>::infinity());
}

/// The rows of tiles of one head while they are being found.
class Search {
 public:
  Search(const Layout& layout, const formula::Over& mask, const formula::Over* score, const formula::TileProgram& program,
         std::vector<std::vector<Run>>& rows)
      : layout_(layout),
        mask_(mask),
        score_(score),
        rows_(rows),
        scratch_(base::rounded(formula::TileFrame::bytes(program))),
        frame_(program, scratch_.memory().data()) {}

  void run(std::int64_t b, std::int64_t h) {
    b_ = b;
    h_ = h;
    frame_.bind_head(b, h, layout_.kv_head(h));
    if (layout_.queries_of(b) == 0 || layout_.keys_of(b) == 0) return;
    halve({0, layout_.query_tiles_of(b) - 1}, {0, layout_.key_tiles_of(b) - 1});
  }

 private:
  /// Tiles as slots.
  [[nodiscard]] Range queries(Range tiles) const {
    return {tiles.first * kTile, std::min((tiles.last + 1) * kTile, layout_.queries_of(b_)) - 1};
  }
  [[nodiscard]] Range keys(Range tiles) const { return {tiles.first * kTile, std::min((tiles.last + 1) * kTile, layout_.keys_of(b_)) - 1}; }

  void halve(Range q, Range k) {
    const Box box = layout_.box(b_, h_, queries(q), keys(k));
    const Verdict verdict = mask_.verdict(box);
    if (verdict == Verdict::kEmpty || minus_infinity(box)) return;
    const bool whole = verdict == Verdict::kFull &&
                       (score_ == nullptr || (q.first == q.last && k.first == k.last) || !may_be_minus_infinity(*score_, box));
    if (whole) {
      for (std::int64_t row = q.first; row <= q.last; ++row) append(row, k, Verdict::kFull);
    } else if (q.first == q.last && k.first == k.last) {
      if (witness(box) || settle(box)) append(q.first, k, Verdict::kPartial);
    } else if (q.last - q.first >= k.last - k.first) {
      const std::int64_t middle = (q.first + q.last) / 2;
      halve({q.first, middle}, k);
      halve({middle + 1, q.last}, k);
    } else {
      // Lower keys first: each row receives its runs in ascending order.
      const std::int64_t middle = (k.first + k.last) / 2;
      halve(q, {k.first, middle});
      halve(q, {middle + 1, k.last});
    }
  }

  /// Every final score of the box is -inf: exactly as masked.
  [[nodiscard]] bool minus_infinity(const Box& box) const {
    if (score_ == nullptr) return false;
    const formula::Interval bounds = score_->interval(box);
    return bounds.real_high == -std::numeric_limits<double>::infinity() && !bounds.nan && bounds.valued();
  }

  void append(std::int64_t row, Range k, Verdict verdict) {
    std::vector<Run>& runs = rows_[static_cast<std::size_t>(row)];
    if (!runs.empty() && runs.back().last == k.first && runs.back().verdict == verdict)
      runs.back().last = k.last + 1;
    else
      runs.push_back({k.first, k.last + 1, verdict});
  }

  /// True when a corner of the tile is visible, enough for most masks, or one of a few places strewn over it, enough for patterns.
  [[nodiscard]] bool witness(const Box& box) {
    for (const std::int64_t q : {box.q.last, box.q.first}) {
      for (const std::int64_t k : {box.k.first, box.k.last}) {
        if (visible(box, q, k)) return true;
      }
    }
    constexpr int kStrewn = 24;  // a sixteenth of what settle() costs
    const std::int64_t queries = box.q.last - box.q.first + 1, keys = box.k.last - box.k.first + 1;
    for (int n = 1; n <= kStrewn; ++n) {
      if (visible(box, box.q.first + n * 37 % queries, box.k.first + (n * 23 + n / 2) % keys)) return true;
    }
    return false;
  }

  [[nodiscard]] bool visible(const Box& box, std::int64_t q, std::int64_t k) {
    values_.resize(mask_.formula().steps().size());
    const formula::Place place{.q = q, .k = k, .b = b_, .h = h_, .g = layout_.kv_head(h_), .i = box.i.first + (q - box.q.first)};
    const formula::Value value = mask_.formula().at(place, values_);
    return value.broken < 0 && value.integer;
  }

  /// True when any place of the tile is visible: all bits, once.
  [[nodiscard]] bool settle(const Box& box) {
    std::array<std::int64_t, kTile> positions{}, query_rows{};
    const auto line = [](std::array<std::int64_t, kTile>& store, Range range) {
      for (std::int64_t at = range.first; at <= range.last; ++at) store[static_cast<std::size_t>(at - range.first)] = at;
      return std::span<const std::int64_t>(store).first(static_cast<std::size_t>(range.last - range.first + 1));
    };
    frame_.bind_queries(line(positions, box.q), line(query_rows, box.i));
    frame_.bind_keys(line(positions, box.k));
    const int lanes = static_cast<int>(box.q.last - box.q.first + 1), rows = static_cast<int>(box.k.last - box.k.first + 1);
    formula::see(frame_, rows, lanes, seen_.data());
    for (int j = 0; j < rows; ++j) {
      if (std::any_of(seen_.data() + j * kTile, seen_.data() + j * kTile + lanes, [](std::uint8_t seen) { return seen != 0; })) return true;
    }
    return false;
  }

  const Layout& layout_;
  const formula::Over& mask_;
  const formula::Over* score_;  // null when scores cannot hide
  std::vector<std::vector<Run>>& rows_;
  base::Scratch scratch_;
  formula::TileFrame frame_;
  std::array<std::uint8_t, std::size_t{kTile} * kTile> seen_{};
  std::vector<formula::Value> values_;
  std::int64_t b_ = 0, h_ = 0;
};

}  // namespace

TileMap::TileMap(const Layout& layout, const Formulas& formulas) : heads_(layout.heads) {
  begin_.push_back(0);
  if (layout.hollow()) return;
  std::uint8_t depends = formulas.mask.empty() ? std::uint8_t{formula::kOnNothing} : formulas.mask.depends();
  // Bounds of the whole settle most formulas that look something up: a table of finite slopes hides nothing, for no head.
  const bool hides = can_hide(formulas.score) && may_be_minus_infinity(formulas.score_over(), layout.everything());
  if (hides) {
    // Steps that read s depend on everything; what decides -inf is in their other parts.
    for (const formula::Step& step : formulas.score.steps()) depends |= step.depends & formula::kOnScore ? std::uint8_t{0} : step.depends;
  }
  const bool same_offsets =
      std::all_of(layout.offsets.begin(), layout.offsets.end(), [&](std::int64_t offset) { return offset == layout.offsets[0]; });
  by_batch_ = layout.ragged() || (depends & formula::kOnBatch) || ((depends & formula::kOnQuery) && !same_offsets);
  by_head_ = depends & formula::kOnHead;
  const std::int64_t batches = by_batch_ ? layout.batch : 1, heads = by_head_ ? layout.heads : 1;
  std::vector<std::vector<Run>> rows(static_cast<std::size_t>(layout.query_tiles()));
  Search search(layout, formulas.mask_over(), hides ? &formulas.score_over() : nullptr, formulas.mask_program, rows);
  for (std::int64_t b = 0; b < batches; ++b) {
    const auto of = std::span(rows).first(static_cast<std::size_t>(layout.query_tiles_of(b)));
    for (std::int64_t h = 0; h < heads; ++h) {
      search.run(b, h);
      maps_.push_back({begin_.size() - 1, layout.query_tiles_of(b), layout.key_tiles_of(b), visited_of(layout, b, of)});
      for (std::vector<Run>& row : of) {
        runs_.insert(runs_.end(), row.begin(), row.end());
        begin_.push_back(runs_.size());
        row.clear();
      }
    }
  }
  for (std::int64_t b = 0; b < layout.batch; ++b) all_.add(visited(b));
}

Visited TileMap::visited_of(const Layout& layout, std::int64_t b, std::span<const std::vector<Run>> rows) {
  const std::int64_t all = layout.key_tiles_of(b), keys = layout.keys_of(b);
  Visited visited;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::int64_t lanes = std::min<std::int64_t>(kTile, layout.queries_of(b) - static_cast<std::int64_t>(row) * kTile);
    std::int64_t seen = 0;
    for (const Run& run : rows[row]) {
      const std::int64_t tiles = run.last - run.first;
      (run.verdict == Verdict::kFull ? visited.tiles.full : visited.tiles.partial) += tiles;
      seen += tiles;
      visited.pairs += static_cast<double>(lanes * (std::min(run.last * kTile, keys) - run.first * kTile));
    }
    visited.tiles.empty += all - seen;
  }
  return visited;
}

Visited TileMap::visited(std::int64_t b) const {
  Visited all;
  if (maps_.empty()) return all;
  if (!by_head_) {
    all.add(maps_[map_of(b, 0)].visited, heads_);
    return all;
  }
  for (std::int64_t h = 0; h < heads_; ++h) all.add(maps_[map_of(b, h)].visited);
  return all;
}

std::span<const Run> meeting(std::span<const Run> runs, std::int64_t first, std::int64_t last) {
  const auto begin = std::partition_point(runs.begin(), runs.end(), [&](const Run& run) { return run.last <= first; });
  return {begin, std::partition_point(begin, runs.end(), [&](const Run& run) { return run.first < last; })};
}

std::size_t TileMap::map_of(std::int64_t b, std::int64_t h) const {
  const std::int64_t batch = by_batch_ ? b : 0, head = by_head_ ? h : 0;
  return static_cast<std::size_t>(by_head_ ? batch * heads_ + head : batch);
}

std::span<const Run> TileMap::runs(std::int64_t b, std::int64_t h, std::int64_t query_tile) const {
  if (runs_.empty()) return {};
  const std::size_t row = maps_[map_of(b, h)].first_row + static_cast<std::size_t>(query_tile);
  return std::span<const Run>(runs_).subspan(begin_[row], begin_[row + 1] - begin_[row]);
}

}  // namespace heed::problem
