// census: recomputes P tile by tile from Q and K, and reduces it.
//
// Another machine's products, another order of sums or a row that was folded again give other last bits of S, and of a score of size x
// those are x 2^-24: exp(S - L) with an L made elsewhere would miss the sum of 1 by as much. So P = exp(S - m) / l, with m and l of the
// very scores that are weighed; l in double, of sums over 16 keys. A first pass over the tiles makes them.
//
// received and map: a task is a group of four tiles of keys of one head (so that a tile of queries is loaded once for four) and looks only
// at the rows of tiles that see one of them (plan/columns). It owns its keys, so sums need no locks and have one order: queries ascending.
// The pooled map is summed per task into [columns touched, R] and those are added in order of keys. As many heads are worked on together
// as keep all threads busy. Chosen rows: a task is as many rows of one head as the products take, and the tiles that any of them sees.
// Sums over queries run in double. Flops 2 D per pair in visited tiles. Checked: census_test.cpp against the weights of `classic`.
#include <heed/census.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <heed/error.hpp>

#include "base/arena.hpp"
#include "base/check.hpp"
#include "base/threads.hpp"
#include "plan/choice.hpp"
#include "problem/columns.hpp"
#include "walk/tile_scores.hpp"

namespace heed {
namespace walk {
namespace {

using problem::Question;

/// Cell of `index` when [0, extent) falls into `cells` cells [c extent / cells, (c + 1) extent / cells).
std::int64_t cell_of(std::int64_t index, std::int64_t extent, std::int64_t cells) {
  return ((index + 1) * cells - 1) / extent;
}
std::int64_t cell_begin(std::int64_t cell, std::int64_t extent, std::int64_t cells) {
  return cell * extent / cells;
}

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// What makes weights of scores, per row: P = exp(S - base) share. base is -inf for a row without keys, NaN for one that holds a NaN.
struct Norm {
  float base = kMinusInfinity, share = 1;
};

struct Scratch {
  TileScores scores;
  float *s, *base, *m, *l, *rescale;
  std::array<Norm, kTile> norms{};  // of the rows that are bound
  std::array<double, kTile> sums{};

  static std::size_t bytes(const problem::Question& question, const machine::Words& words) {
    return TileScores::bytes(question, words) + base::rounded(kTile * kTile * sizeof(float)) + 4 * base::rounded(kTile * sizeof(float));
  }
  Scratch(const problem::Question& question, const machine::Words& words, base::Arena& arena)
      : scores(question, words, arena),
        s(arena.take<float>(kTile * kTile)),
        base(arena.take<float>(kTile)),
        m(arena.take<float>(2 * kTile)),
        l(m + kTile),
        rescale(arena.take<float>(kTile)) {}
};

class Census {
 public:
  Census(const problem::Question& question, const machine::Words& words, const TensorView& q, const TensorView& k, const TensorView& lse,
         const CensusOutputs& out)
      : question_(question),
        words_(words),
        q_(q),
        k_(k),
        lse_(lse),
        out_(out),
        arena_(Scratch::bytes(question, words_) * static_cast<std::size_t>(question.threads) +
               base::rounded(sizeof(Scratch) * static_cast<std::size_t>(question.threads))),
        scratch_(arena_.make<Scratch>(static_cast<std::size_t>(question.threads), question, words_, arena_)) {}

  void run() {
    if (out_.received.given() || out_.seen_by.given() || out_.map.given()) reduce_heads();
    if (!out_.rows.empty()) chosen_rows();
  }

 private:
  static constexpr std::int64_t kGroup = 4;           // tiles of keys per task
  static constexpr std::int64_t kTasksPerThread = 8;  // so many at a time keep the threads busy to the end
  static constexpr int kFewKeys = 16;                 // summed in f32: an error below 2^-22
  struct Head {
    std::int64_t b, h;
  };
  /// What one group of keys adds to the map: columns from `first` on, R sums each.
  struct Share {
    std::int64_t first = 0;
    std::vector<double> sums;
  };

  [[nodiscard]] Head head(std::int64_t index) const { return {index / question_.layout.heads, index % question_.layout.heads}; }
  [[nodiscard]] std::int64_t heads() const { return question_.layout.batch * question_.layout.heads; }

  [[nodiscard]] float given_lse(const Head& of, std::int64_t slot) const {
    const std::int64_t at = of.b * lse_.strides[0] + of.h * lse_.strides[1] + slot * lse_.strides[2];
    return static_cast<const float*>(lse_.data)[at];
  }

  /// The norms of the rows that are bound: of all their scores and the sink, or as lse says. each(visit) calls visit(tile, verdict).
  template <class Each>
  void make_norms(Scratch& w, const Head& of, std::span<const std::int64_t> slots, const Each& each) const {
    const int lanes = w.scores.lanes();
    if (out_.part) {
      for (std::size_t i = 0; i < slots.size(); ++i) w.norms[i] = {given_lse(of, slots[i]), 1};
      return;
    }
    const float sink = question_.has_sink() ? static_cast<float>(question_.sink(of.h)) : kMinusInfinity;
    std::fill_n(w.m, kTile, sink);
    w.sums.fill(sink == kMinusInfinity ? 0 : 1);
    each([&](std::int64_t tile, Verdict verdict) {
      w.scores.make(tile, verdict, w.s);
      const int keys = w.scores.keys(tile);
      for (int first = 0; first < keys; first += kFewKeys) add_scores(w, w.s + first * kTile, std::min(kFewKeys, keys - first), lanes);
    });
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (std::isnan(w.sums[i]))
        w.norms[i] = {std::numeric_limits<float>::quiet_NaN(), 1};
      else if (w.sums[i] == 0)
        w.norms[i] = {};
      else
        w.norms[i] = {w.m[i], static_cast<float>(1 / w.sums[i])};
    }
  }

  /// Maximum and sum of some more keys; their scores are used up.
  void add_scores(Scratch& w, float* s, int keys, int lanes) const {
    std::array<float, kTile> before{};
    std::copy_n(w.m, kTile, before.data());
    std::fill_n(w.l, kTile, 0.0f);
    words_.weighing.absorb(s, keys, lanes, w.m, w.rescale);
    for (int i = 0; i < lanes; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (w.m[i] != before[at]) w.sums[at] *= std::exp(static_cast<double>(before[at]) - static_cast<double>(w.m[i]));
      w.sums[at] += static_cast<double>(w.l[i]);
    }
  }

  /// S <- P. Of a row that holds a NaN: NaN where it sees, 0 where it does not.
  void weigh(Scratch& w, int keys, int lanes) const {
    for (int i = 0; i < lanes; ++i) {
      const Norm& norm = w.norms[static_cast<std::size_t>(i)];
      w.base[i] = std::isnan(norm.base) ? 0 : norm.base;
      if (!std::isnan(norm.base)) continue;
      for (int j = 0; j < keys; ++j) {
        float& s = w.s[j * kTile + i];
        if (s != kMinusInfinity) s = norm.base;
      }
    }
    words_.weighing.weights(w.s, keys, lanes, w.base);
    if (out_.part) return;
    std::array<float, kTile> share{};
    std::transform(w.norms.begin(), w.norms.end(), share.begin(), [](const Norm& norm) { return norm.share; });
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < kTile; ++i) w.s[j * kTile + i] *= share[static_cast<std::size_t>(i)];
    }
  }

  void reduce_heads() {
    const std::int64_t groups = (question_.layout.key_tiles() + kGroup - 1) / kGroup;
    columns_.resize(question_.tiles.maps());
    std::vector<bool> made(columns_.size());
    for (std::int64_t index = 0; index < heads(); ++index) {
      const std::size_t map = question_.tiles.map_of(head(index).b, head(index).h);
      if (!made[map]) columns_[map] = problem::Columns(question_.layout, question_.tiles, head(index).b, head(index).h, kGroup);
      made[map] = true;
    }
    const std::int64_t together =
        std::clamp<std::int64_t>(kTasksPerThread * question_.threads / std::max<std::int64_t>(groups, 1), 1, heads());
    for (std::int64_t first = 0; first < heads(); first += together) reduce_some(first, std::min(together, heads() - first), groups);
  }

  void reduce_some(std::int64_t first, std::int64_t count, std::int64_t groups) {
    std::vector<Share> shares(static_cast<std::size_t>(count * groups));
    if (out_.received.given() || out_.map.given()) make_all_norms(first, count);
    base::parallel(question_.threads, count * groups, [&](int worker, std::int64_t task) {
      const std::int64_t n = task / groups;
      shares[static_cast<std::size_t>(task)] =
          reduce_group(scratch_[static_cast<std::size_t>(worker)], head(first + n), norms_of(n), task % groups);
    });
    if (!out_.map.given()) return;
    base::parallel(question_.threads, count, [&](int, std::int64_t n) {
      write_map(head(first + n), std::span(shares).subspan(static_cast<std::size_t>(n * groups), static_cast<std::size_t>(groups)));
    });
  }

  /// Of the n-th of the heads that are worked on; none where only seen_by is wanted.
  [[nodiscard]] std::span<Norm> norms_of(std::int64_t n) {
    if (norms_.empty()) return {};
    const auto rows = static_cast<std::size_t>(question_.layout.query_tiles() * kTile);
    return std::span(norms_).subspan(static_cast<std::size_t>(n) * rows, rows);
  }

  /// norms_ of all rows of some heads.
  void make_all_norms(std::int64_t first, std::int64_t count) {
    const std::int64_t rows = question_.layout.query_tiles();
    norms_.assign(static_cast<std::size_t>(count * rows * kTile), {});
    base::parallel(question_.threads, count * rows, [&](int worker, std::int64_t task) {
      Scratch& w = scratch_[static_cast<std::size_t>(worker)];
      const Head of = head(first + task / rows);
      const std::int64_t row = task % rows;
      const auto slots = bind_row(w, of, row);
      make_norms(w, of, std::span(slots).first(static_cast<std::size_t>(w.scores.lanes())), [&](const auto& visit) {
        for (const problem::Run& run : question_.tiles.runs(of.b, of.h, row)) {
          for (std::int64_t tile = run.first; tile < run.last; ++tile) visit(tile, run.verdict);
        }
      });
      std::copy_n(w.norms.begin(), w.scores.lanes(), norms_of(task / rows).begin() + row * kTile);
    });
  }

  /// visit(row, tile, verdict) for every visited tile of a group of keys, rows ascending.
  template <class Visit>
  void each_tile(const Head& of, std::int64_t group, const Visit& visit) const {
    const std::int64_t begin = group * kGroup, end = begin + kGroup;
    for (const problem::Stretch& rows : columns_[question_.tiles.map_of(of.b, of.h)].rows(group)) {
      for (std::int64_t row = rows.first; row < rows.last; ++row) {
        for (const problem::Run& run : problem::meeting(question_.tiles.runs(of.b, of.h, row), begin, end)) {
          for (std::int64_t tile = std::max(run.first, begin); tile < std::min(run.last, end); ++tile) visit(row, tile, run.verdict);
        }
      }
    }
  }

  /// One group of keys against all the rows that see it.
  Share reduce_group(Scratch& w, const Head& of, std::span<const Norm> norms, std::int64_t group) const {
    const std::int64_t first = group * kGroup * kTile, last = std::min(first + kGroup * kTile, question_.layout.keys);
    std::array<double, kGroup * kTile> received{};
    std::array<std::int64_t, kGroup * kTile> seen_by{};
    Share share;
    if (mapped()) {
      share.first = column_of(first);
      share.sums.assign(static_cast<std::size_t>((column_of(last - 1) - share.first + 1) * out_.map.shape[2]), 0.0);
    }
    std::int64_t bound = -1;
    each_tile(of, group, [&](std::int64_t row, std::int64_t tile, Verdict verdict) {
      if (row != bound) {
        bind_row(w, of, row);
        if (!norms.empty()) std::copy_n(norms.begin() + row * kTile, kTile, w.norms.begin());
      }
      bound = row;
      w.scores.make(tile, verdict, w.s);  // [keys, 64]
      const std::int64_t at = tile * kTile - first;
      const int keys = w.scores.keys(tile), lanes = w.scores.lanes();
      if (out_.seen_by.given()) count_seen(w.s, keys, lanes, std::span(seen_by).subspan(static_cast<std::size_t>(at)));
      if (norms.empty()) return;
      weigh(w, keys, lanes);  // P
      for (int j = 0; j < keys; ++j) {
        const float* const p = w.s + j * kTile;
        double* const cells = mapped() ? share.sums.data() + (column_of(first + at + j) - share.first) * out_.map.shape[2] : nullptr;
        received[static_cast<std::size_t>(at + j)] += cells ? add_to_cells(p, row * kTile, lanes, cells) : sum_of(p, lanes);
      }
    });
    write_keys(of, first, last - first, received, seen_by);
    return share;
  }

  /// Binds a tile of queries; returns their slots.
  std::array<std::int64_t, kTile> bind_row(Scratch& w, const Head& of, std::int64_t row) const {
    const std::int64_t slot = row * kTile;
    const QueryTile queries{.b = of.b, .h = of.h, .slot = slot, .slots = std::min<std::int64_t>(kTile, question_.layout.queries - slot)};
    w.scores.load(q_, queries);
    w.scores.bind(q_, k_, queries);
    std::array<std::int64_t, kTile> slots{};
    std::iota(slots.begin(), slots.end(), slot);
    return slots;
  }

  [[nodiscard]] bool mapped() const { return out_.map.given() && count_of(out_.map.shape) > 0; }
  [[nodiscard]] std::int64_t column_of(std::int64_t key) const { return cell_of(key, question_.layout.keys, out_.map.shape[3]); }

  /// In double, in eight partial sums that vectorise.
  static double sum_of(const float* p, std::int64_t count) {
    double parts[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
      for (int part = 0; part < 8; ++part) parts[part] += p[i + part];
    }
    for (; i < count; ++i) parts[0] += p[i];
    return std::accumulate(parts, parts + 8, 0.0);
  }

  static void count_seen(const float* s, int keys, int lanes, std::span<std::int64_t> seen_by) {
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < lanes; ++i) seen_by[static_cast<std::size_t>(j)] += s[j * kTile + i] != kMinusInfinity;
    }
  }

  /// Adds weights of queries first, first + 1, … to the cells of the map they fall into, a run of queries per cell; returns their sum.
  double add_to_cells(const float* p, std::int64_t first, int lanes, double* cells) const {
    const std::int64_t rows = out_.map.shape[2];
    double total = 0;
    for (std::int64_t i = 0; i < lanes;) {
      const std::int64_t cell = cell_of(first + i, question_.layout.queries, rows);
      const std::int64_t end = std::min<std::int64_t>(lanes, cell_begin(cell + 1, question_.layout.queries, rows) - first);
      const double sum = sum_of(p + i, end - i);
      cells[cell] += sum;
      total += sum;
      i = end;
    }
    return total;
  }

  void write_keys(const Head& of, std::int64_t first, std::int64_t count, std::span<const double> received,
                  std::span<const std::int64_t> seen_by) const {
    const auto put = [&](const TensorSpan& span, std::int64_t j, auto value) {
      if (span.given())
        static_cast<decltype(value)*>(span.data)[of.b * span.strides[0] + of.h * span.strides[1] + (first + j) * span.strides[2]] = value;
    };
    for (std::int64_t j = 0; j < count; ++j) {
      put(out_.received, j, static_cast<float>(received[static_cast<std::size_t>(j)]));
      put(out_.seen_by, j, seen_by[static_cast<std::size_t>(j)]);
    }
  }

  /// Sums become means over the queries of each row of cells.
  void write_map(const Head& of, std::span<const Share> shares) const {
    const std::int64_t rows = out_.map.shape[2], columns = out_.map.shape[3], queries = question_.layout.queries;
    std::vector<double> map(static_cast<std::size_t>(rows * columns), 0.0);
    for (const Share& share : shares) {
      for (std::size_t i = 0; i < share.sums.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        map[static_cast<std::size_t>(at % rows * columns + share.first + at / rows)] += share.sums[i];
      }
    }
    auto* const to = static_cast<float*>(out_.map.data) + of.b * out_.map.strides[0] + of.h * out_.map.strides[1];
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t pooled = cell_begin(r + 1, queries, rows) - cell_begin(r, queries, rows);
      for (std::int64_t c = 0; c < columns; ++c) {
        to[r * out_.map.strides[2] + c * out_.map.strides[3]] =
            pooled ? static_cast<float>(map[static_cast<std::size_t>(r * columns + c)] / static_cast<double>(pooled)) : 0.0f;
      }
    }
  }

  void chosen_rows() {
    const std::int64_t together = words_.most_lanes, groups = (static_cast<std::int64_t>(out_.rows.size()) + together - 1) / together;
    base::parallel(question_.threads, heads() * groups, [&](int worker, std::int64_t task) {
      const auto first = static_cast<std::size_t>(task % groups * together);
      chosen_group(scratch_[static_cast<std::size_t>(worker)], head(task / groups), first,
                   std::span(out_.rows).subspan(first, std::min(static_cast<std::size_t>(together), out_.rows.size() - first)));
    });
  }

  /// visit(tile, verdict) for the tiles that any of some rows sees.
  template <class Visit>
  void each_tile_of(const Head& of, std::span<const std::int64_t> slots, const Visit& visit) const {
    const Verdict verdict = question_.formulas.mask.empty() ? Verdict::kFull : Verdict::kPartial;
    std::vector<bool> seen(static_cast<std::size_t>(question_.layout.key_tiles()));
    for (const std::int64_t slot : slots) {
      for (const problem::Run& run : question_.tiles.runs(of.b, of.h, slot / kTile))
        std::fill(seen.begin() + run.first, seen.begin() + run.last, true);
    }
    for (std::size_t tile = 0; tile < seen.size(); ++tile) {
      if (seen[tile]) visit(static_cast<std::int64_t>(tile), verdict);
    }
  }

  void chosen_group(Scratch& w, const Head& of, std::size_t first, std::span<const std::int64_t> slots) const {
    w.scores.bind(q_, k_, of.b, of.h, slots);
    make_norms(w, of, slots, [&](const auto& visit) { each_tile_of(of, slots, visit); });
    std::vector<float> weights(static_cast<std::size_t>(question_.layout.keys) * slots.size());
    std::vector<std::uint8_t> seen(weights.size());
    each_tile_of(of, slots, [&](std::int64_t tile, Verdict verdict) {
      w.scores.make(tile, verdict, w.s);
      const int keys = w.scores.keys(tile);
      const auto at = [&](int j, std::size_t i) {
        return i * static_cast<std::size_t>(question_.layout.keys) + static_cast<std::size_t>(tile * kTile + j);
      };
      for (int j = 0; j < keys; ++j) {
        for (std::size_t i = 0; i < slots.size(); ++i) seen[at(j, i)] = w.s[static_cast<std::size_t>(j * kTile) + i] != kMinusInfinity;
      }
      weigh(w, keys, static_cast<int>(slots.size()));
      for (int j = 0; j < keys; ++j) {
        for (std::size_t i = 0; i < slots.size(); ++i) weights[at(j, i)] = w.s[static_cast<std::size_t>(j * kTile) + i];
      }
    });
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const auto offset = i * static_cast<std::size_t>(question_.layout.keys), length = static_cast<std::size_t>(question_.layout.keys);
      write_row(of, static_cast<std::int64_t>(first + i), std::span(weights).subspan(offset, length),
                std::span(seen).subspan(offset, length));
    }
  }

  void write_row(const Head& of, std::int64_t row, std::span<const float> weights, std::span<const std::uint8_t> seen) const {
    const auto place = [&](const auto& span) { return of.b * span.strides[0] + of.h * span.strides[1] + row * span.strides[2]; };
    if (out_.weights.given()) {
      float* const to = static_cast<float*>(out_.weights.data) + place(out_.weights);
      for (std::size_t j = 0; j < weights.size(); ++j) to[static_cast<std::int64_t>(j) * out_.weights.strides[3]] = weights[j];
    }
    if (!out_.top_keys.given() && !out_.top_weights.given()) return;
    std::vector<std::int64_t> order;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      if (seen[j]) order.push_back(static_cast<std::int64_t>(j));
    }
    const auto weight = [&](std::int64_t j) { return weights[static_cast<std::size_t>(j)]; };
    const auto rank = [&](std::int64_t j) { return std::isnan(weight(j)) ? HUGE_VALF : weight(j); };
    const std::int64_t wanted = out_.top_keys.given() ? out_.top_keys.shape[3] : out_.top_weights.shape[3];
    const auto kept = static_cast<std::int64_t>(std::min<std::size_t>(order.size(), static_cast<std::size_t>(wanted)));
    std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                      [&](std::int64_t a, std::int64_t c) { return rank(a) != rank(c) ? rank(a) > rank(c) : a < c; });
    for (std::int64_t n = 0; n < wanted; ++n) {
      const std::int64_t key = n < kept ? order[static_cast<std::size_t>(n)] : -1;
      if (out_.top_keys.given()) static_cast<std::int64_t*>(out_.top_keys.data)[place(out_.top_keys) + n * out_.top_keys.strides[3]] = key;
      if (out_.top_weights.given())
        static_cast<float*>(out_.top_weights.data)[place(out_.top_weights) + n * out_.top_weights.strides[3]] =
            key < 0 ? 0.0f : weight(key);
    }
  }

  const problem::Question& question_;
  const machine::Words& words_;
  const TensorView &q_, &k_, &lse_;
  const CensusOutputs& out_;
  base::Arena arena_;
  std::span<Scratch> scratch_;
  std::vector<problem::Columns> columns_;  // by map of tiles
  std::vector<Norm> norms_;                // of the rows of the heads that are worked on, for received and map
};

/// Shapes and dtypes of everything, before anything is written.
void check(const problem::Question& question, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& out) {
  const Problem& p = question.problem;
  if (p.dtype == DType::kF64) throw Error({"census works in float32", "tensor q", "f32, bf16 or f16", "f64"});
  base::check_tensor("q", q, {p.batch, p.heads, p.queries, p.dim}, {p.dtype});
  base::check_tensor("k", k, {p.batch, p.kv_heads, p.keys, p.dim}, {p.dtype});
  if (lse.given() || out.part) base::check_tensor("lse", lse, {p.batch, p.heads, p.queries}, {DType::kF32});
  if (out.received.given()) base::check_tensor("received", out.received, {p.batch, p.heads, p.keys}, {DType::kF32});
  if (out.seen_by.given()) base::check_tensor("seen_by", out.seen_by, {p.batch, p.heads, p.keys}, {DType::kI64});
  const auto rows = static_cast<std::int64_t>(out.rows.size());
  for (const std::int64_t row : out.rows) {
    if (row < 0 || row >= p.queries)
      throw Error({"no such row", "census, rows", "0 to " + std::to_string(p.queries - 1), std::to_string(row)});
  }
  const auto check_four = [&](const char* name, const TensorSpan& span, std::int64_t third, std::int64_t fourth, DType dtype) {
    if (!span.given()) return;
    if (span.shape.rank() != 4) throw Error({"wrong rank", std::string("tensor ") + name, "4 axes", to_text(span.shape)});
    base::check_tensor(name, span, {p.batch, p.heads, third < 0 ? span.shape[2] : third, fourth < 0 ? span.shape[3] : fourth}, {dtype});
  };
  check_four("map", out.map, -1, -1, DType::kF32);
  check_four("weights", out.weights, rows, p.keys, DType::kF32);
  check_four("top_keys", out.top_keys, rows, -1, DType::kI64);
  check_four("top_weights", out.top_weights, rows, out.top_keys.given() ? out.top_keys.shape[3] : -1, DType::kF32);
  const base::NamedTensor written[] = {{"received", out.received}, {"seen_by", out.seen_by},   {"map", out.map},
                                       {"weights", out.weights},   {"top_keys", out.top_keys}, {"top_weights", out.top_weights}};
  base::check_apart(written);
  for (const base::NamedTensor& input : {base::NamedTensor{"q", q}, {"k", k}, {"lse", lse}}) base::check_apart(written, input);
  for (const auto& [name, table] : p.tables) base::check_apart(written, {name, table});
}

}  // namespace
}  // namespace walk

void census(const Plan& plan, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& outputs) {
  const problem::Question& question = inside(plan).question;
  walk::check(question, q, k, lse, outputs);
  if (question.layout.batch * question.layout.heads == 0) return;
  walk::Census(question, inside(plan).parts[0].choice.kernel->words(question.problem.dtype), q, k, lse, outputs).run();
}

}  // namespace heed
