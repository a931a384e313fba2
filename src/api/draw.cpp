// Shares of cells by intervals where these decide, by places drawn by a fixed rule elsewhere.
#include <heed/draw.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include <heed/error.hpp>

#include "base/tile.hpp"
#include "formula/formula.hpp"
#include "formula/node.hpp"
#include "formula/over.hpp"
#include "problem/question.hpp"

namespace heed {
namespace {

using base::kTile;
using formula::Verdict;

constexpr std::int64_t kSampled = 1024;
constexpr double kMostOpen = 40'000;  // tiles that planning may have to look at: each costs up to 0.1 ms

/// True everywhere, and its bounds say so at once; it speaks of q, so that it needs the same alignment as any mask.
Expr everywhere_by_position() {
  return parse("q >= -2000000000000000000");
}

/// A fixed sequence without a pattern (splitmix64, Steele et al. 2014).
std::uint64_t scrambled(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

std::int64_t begin_of(std::int64_t cell, std::int64_t extent, std::int64_t cells) {
  return cell * extent / cells;
}

/// A run of slots along one axis.
struct Stretch {
  std::int64_t first, last;  // [first, last)
  std::int64_t most;         // places looked at

  [[nodiscard]] std::int64_t size() const { return last - first; }
  [[nodiscard]] std::int64_t looked() const { return std::min(size(), most); }
  [[nodiscard]] bool sampled() const { return size() > most; }
  /// A slot of the i-th part of so many. Equal steps would meet a periodic mask at one phase: `noise` moves within the part.
  [[nodiscard]] std::int64_t slot(std::int64_t i, std::uint64_t noise) const {
    const std::int64_t begin = begin_of(i, size(), looked()), part = begin_of(i + 1, size(), looked()) - begin;
    return first + begin + static_cast<std::int64_t>(noise % static_cast<std::uint64_t>(part));
  }
  [[nodiscard]] formula::Range range() const { return {first, last - 1}; }
};

struct Share {
  float seen = 0;
  bool sampled = false;
};

Problem mask_alone(Problem problem) {
  if (!problem.query_offsets.empty()) {
    throw Error(
        {"packed sequences are not drawn together", "problem, query_offsets", "one sequence, as a problem of its own", "packed ones"});
  }
  problem.scores.clear();
  problem.sink = {};
  problem.scale.reset();
  problem.dim = std::max<std::int64_t>(problem.dim, 1);
  problem.value_dim = std::max<std::int64_t>(problem.value_dim, 1);
  return problem;
}

void check_index(const char* what, std::int64_t index, std::int64_t count) {
  if (index < 0 || index >= count)
    throw Error({std::string("no such ") + what, "drawing", "0 to " + std::to_string(count - 1), std::to_string(index)});
}

}  // namespace

struct Drawing::Inside {
  explicit Inside(Problem given)
      : problem(mask_alone(std::move(given))), mask(formula::Formula::mask(problem.mask, problem.tables)), over(mask) {
    if (mask.tables().empty() && tiles() > kMostOpen) {
      Problem alone = problem;
      alone.mask = mask.mentions(formula::Op::kQuery) ? everywhere_by_position() : Expr{};
      question = std::make_unique<const problem::Question>(alone);
      const Sample found = sample(false);
      const bool many = static_cast<double>(found.open) / static_cast<double>(found.counts.total()) * tiles() > kMostOpen;
      sampled = many && over.interval(layout().everything()).valued();
    }
    if (!sampled) question = std::make_unique<const problem::Question>(problem);
  }

  struct Sample {
    TileCounts counts{};
    std::int64_t open = 0;  ///< of which bounds leave it so
  };

  [[nodiscard]] const problem::Layout& layout() const { return question->layout; }

  [[nodiscard]] double tiles() const {
    const auto along = [](std::int64_t places) {
      const std::int64_t whole = (places + kTile - 1) / kTile;
      return static_cast<double>(whole);
    };
    return static_cast<double>(problem.batch) * static_cast<double>(problem.heads) * along(problem.queries) * along(problem.keys);
  }

  /// By bounds alone, or with a look at the places of tiles that these leave open.
  [[nodiscard]] Sample sample(bool look) const {
    const problem::Layout& all = layout();
    Sample found;
    for (std::int64_t n = 0; n < kSampled; ++n) {
      const auto draw = [&, at = static_cast<std::uint64_t>(n) * 4](std::uint64_t which, std::int64_t count) {
        return static_cast<std::int64_t>(scrambled(at + which) % static_cast<std::uint64_t>(count));
      };
      const std::int64_t q = draw(0, all.query_tiles()) * kTile, k = draw(1, all.key_tiles()) * kTile;
      const formula::Box box = all.box(draw(2, all.batch), draw(3, all.heads), {q, std::min(q + kTile, all.queries) - 1},
                                       {k, std::min(k + kTile, all.keys) - 1});
      const Verdict verdict = over.verdict(box);
      const bool open = verdict == Verdict::kPartial, seen = !open || !look || seen_in(box);
      found.open += open;
      TileCounts& counts = found.counts;
      (verdict == Verdict::kFull ? counts.full : verdict == Verdict::kEmpty || !seen ? counts.empty : counts.partial) += 1;
    }
    return found;
  }

  [[nodiscard]] bool seen_in(const formula::Box& box) const {
    std::vector<formula::Value> values(mask.steps().size());
    for (std::int64_t q = box.q.first; q <= box.q.last; ++q) {
      for (std::int64_t k = box.k.first; k <= box.k.last; ++k) {
        const formula::Place place{
            .q = q, .k = k, .b = box.b.first, .h = box.h.first, .g = box.g.first, .i = box.i.first + (q - box.q.first)};
        if (mask.at(place, values).integer != 0) return true;
      }
    }
    return false;
  }

  [[nodiscard]] Share share_of(std::int64_t b, std::int64_t h, const Stretch& queries, const Stretch& keys,
                               std::span<formula::Value> values) const {
    const Verdict verdict = over.verdict(layout().box(b, h, queries.range(), keys.range()));
    if (verdict == Verdict::kEmpty) return {0};
    if (verdict == Verdict::kFull) return {1};
    std::int64_t seen = 0;
    for (std::int64_t i = 0; i < queries.looked(); ++i) {
      for (std::int64_t j = 0; j < keys.looked(); ++j) {
        const std::uint64_t noise =
            scrambled(static_cast<std::uint64_t>(queries.first + i) * 0x100000001b3U + static_cast<std::uint64_t>(keys.first + j));
        seen += mask.at(layout().place(b, h, queries.slot(i, noise), keys.slot(j, noise >> 32)), values).integer;
      }
    }
    return {static_cast<float>(seen) / static_cast<float>(queries.looked() * keys.looked()), queries.sampled() || keys.sampled()};
  }

  Problem problem;
  formula::Formula mask;
  formula::Over over;
  bool sampled = false;
  std::unique_ptr<const problem::Question> question{};  ///< of the problem; of its layout alone where tiles are sampled
};

Problem fitted_to_tables(Problem problem) {
  const formula::Formula mask = formula::Formula::mask(problem.mask, problem.tables);
  std::int64_t heads = problem.heads;
  for (const formula::Fitted& fitted : mask.fitted()) {
    const Dims& shape = mask.tables()[static_cast<std::size_t>(fitted.table)].view.shape;
    for (std::size_t axis = 0; axis < fitted.axes.size(); ++axis) {
      const std::int64_t extent = shape[static_cast<int>(axis)];
      if (fitted.axes[axis] == formula::Op::kBatch) problem.batch = std::max(problem.batch, extent);
      if (fitted.axes[axis] == formula::Op::kHead) heads = std::max(heads, extent);
    }
  }
  if (heads > problem.heads) problem.heads = problem.kv_heads = heads;
  return problem;
}

Drawing::Drawing(Problem problem) : inside_(std::make_shared<const Inside>(std::move(problem))) {}

const Problem& Drawing::problem() const {
  return inside_->problem;
}

bool Drawing::sees(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
  const Problem& p = inside_->problem;
  check_index("batch entry", b, p.batch);
  check_index("head", h, p.heads);
  check_index("query", i, p.queries);
  check_index("key", j, p.keys);
  if (inside_->mask.empty()) return true;
  const formula::Value seen = inside_->mask.at(inside_->layout().place(b, h, i, j));
  return seen.broken < 0 && seen.integer != 0;
}

Cells Drawing::cells(std::int64_t b, std::int64_t h, Cells grid, const std::function<void(int)>& row_done) const {
  const Problem& p = inside_->problem;
  check_index("batch entry", b, p.batch);
  check_index("head", h, p.heads);
  const bool fits = grid.rows >= 1 && grid.rows <= p.queries && grid.columns >= 1 && grid.columns <= p.keys && grid.looked >= 1;
  if (!fits) {
    throw Error({"no grid of cells", "drawing, grid",
                 "1 to " + std::to_string(p.queries) + " rows, 1 to " + std::to_string(p.keys) + " columns, a place or more looked at",
                 std::to_string(grid.rows) + ", " + std::to_string(grid.columns) + ", " + std::to_string(grid.looked)});
  }
  grid.shares.clear();
  grid.sampled = false;
  std::vector<formula::Value> values(inside_->mask.steps().size());
  for (int row = 0; row < grid.rows; ++row) {
    const Stretch queries{begin_of(row, p.queries, grid.rows), begin_of(row + 1, p.queries, grid.rows), grid.looked};
    for (int column = 0; column < grid.columns; ++column) {
      const Stretch keys{begin_of(column, p.keys, grid.columns), begin_of(column + 1, p.keys, grid.columns), grid.looked};
      const Share share = inside_->share_of(b, h, queries, keys, values);
      grid.shares.push_back(share.seen);
      grid.sampled |= share.sampled;
    }
    if (row_done) row_done(row + 1);
  }
  return grid;
}

TilesSeen Drawing::tiles() const {
  if (inside_->sampled) return {.total = inside_->tiles(), .counts = inside_->sample(true).counts, .sampled = true};
  const TileCounts& counts = inside_->question->tiles.visited().tiles;
  return {.total = static_cast<double>(counts.total()), .counts = counts};
}

}  // namespace heed
