#include "walk/census.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <span>
#include <vector>

#include "base/arena.hpp"
#include "base/threads.hpp"
#include "problem/columns.hpp"
#include "walk/chosen_rows.hpp"
#include "walk/norms.hpp"
#include "walk/received.hpp"

namespace heed::walk {
namespace {

using state::Norm;

constexpr std::int64_t kTasksPerThread = 32;  // so many at a time keep the threads busy to the end

struct Worker {
  CensusRows rows;
  Received received;

  Worker(const CensusJob& job, base::Arena& arena) : rows(job, arena, kKeyGroup), received(job, arena) {}
};

/// Tasks of several heads in one line.
class Line {
 public:
  void add(std::int64_t tasks) { begin_.push_back(begin_.back() + tasks); }
  [[nodiscard]] std::int64_t size() const { return begin_.back(); }
  /// The tasks before those of the n-th head.
  [[nodiscard]] std::int64_t begin(std::size_t n) const { return begin_[n]; }
  [[nodiscard]] std::size_t head_of(std::int64_t task) const {
    return static_cast<std::size_t>(std::upper_bound(begin_.begin(), begin_.end(), task) - begin_.begin()) - 1;
  }

 private:
  std::vector<std::int64_t> begin_{0};
};

class Census {
 public:
  explicit Census(const CensusJob& job)
      : job_(job),
        threads_(static_cast<std::size_t>(job.question.threads)),
        heads_(census_heads(job)),
        scratch_(threads_ * base::bytes_taken([&](base::Arena& arena) { Worker(job, arena); })),
        arena_(scratch_.memory()) {
    workers_.reserve(threads_);
    for (std::size_t n = 0; n < threads_; ++n) workers_.emplace_back(job, arena_);
  }

  void run() {
    const CensusOutputs& out = job_.out;
    job_.progress.expect(steps());
    if (out.received.given() || out.seen_by.given() || out.map.given()) reduce_heads();
    if (!out.rows.empty()) chosen_rows();
  }

 private:
  /// Tasks of all passes.
  [[nodiscard]] std::int64_t steps() const {
    const CensusOutputs& out = job_.out;
    const bool weighed = out.received.given() || out.map.given();
    std::int64_t all = 0;
    for (const CensusHead& of : heads_) {
      if (weighed) all += job_.question.layout.query_tiles_of(of.b);
      if (weighed || out.seen_by.given()) all += groups(of);
      if (!out.rows.empty()) all += groups_of_rows();
    }
    return all;
  }
  [[nodiscard]] std::int64_t groups_of_rows() const {
    return (static_cast<std::int64_t>(job_.out.rows.size()) + job_.words.most_lanes - 1) / job_.words.most_lanes;
  }
  [[nodiscard]] Worker& worker(int index) { return workers_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] std::int64_t groups(const CensusHead& of) const {
    return (job_.question.layout.key_tiles_of(of.b) + kKeyGroup - 1) / kKeyGroup;
  }

  /// As many heads at a time as keep all threads busy.
  void reduce_heads() {
    const std::int64_t wanted = kTasksPerThread * static_cast<std::int64_t>(threads_);
    for (std::size_t first = 0, last = 0; first < heads_.size(); first = last) {
      std::int64_t tasks = groups(heads_[last++]);
      while (last < heads_.size() && tasks + groups(heads_[last]) <= wanted) tasks += groups(heads_[last++]);
      reduce_some(std::span(heads_).subspan(first, last - first));
    }
  }

  /// Once for each map of heads.
  void find_columns(std::span<const CensusHead> heads) {
    const problem::TileMap& tiles = job_.question.tiles;
    for (const CensusHead& of : heads) {
      const auto [entry, made] = columns_.try_emplace(tiles.map_of(of.b, of.h));
      if (made) entry->second = tiles.columns(of.b, of.h, kKeyGroup);
    }
  }

  void reduce_some(std::span<const CensusHead> heads) {
    find_columns(heads);
    Line line;
    for (const CensusHead& of : heads) line.add(groups(of));
    std::vector<MapShare> shares(static_cast<std::size_t>(line.size()));
    const bool weighed = job_.out.received.given() || job_.out.map.given();
    if (weighed) find_norms(heads);
    base::parallel(job_.question.threads, line.size(), [&](int index, std::int64_t task) {
      Worker& w = worker(index);
      const std::size_t n = line.head_of(task);
      const problem::Columns& columns = columns_.at(job_.question.tiles.map_of(heads[n].b, heads[n].h));
      shares[static_cast<std::size_t>(task)] =
          w.received.reduce(w.rows, heads[n], columns, weighed ? norms_of(n) : std::span<Norm>(), task - line.begin(n));
      job_.progress.step();
    });
    if (!job_.out.map.given()) return;
    base::parallel(job_.question.threads, static_cast<std::int64_t>(heads.size()), [&](int, std::int64_t head) {
      const auto n = static_cast<std::size_t>(head);
      const auto first = static_cast<std::size_t>(line.begin(n)), last = static_cast<std::size_t>(line.begin(n + 1));
      Received::write_shared(job_, heads[n], std::span(shares).subspan(first, last - first));
    });
  }

  /// Of all rows of the n-th of the heads that are worked on.
  [[nodiscard]] std::span<Norm> norms_of(std::size_t n) {
    const auto first = static_cast<std::size_t>(rows_.begin(n) * kTile), last = static_cast<std::size_t>(rows_.begin(n + 1) * kTile);
    return std::span(norms_).subspan(first, last - first);
  }

  void find_norms(std::span<const CensusHead> heads) {
    const problem::Layout& layout = job_.question.layout;
    rows_ = {};
    for (const CensusHead& of : heads) rows_.add(layout.query_tiles_of(of.b));
    norms_.assign(static_cast<std::size_t>(rows_.size() * kTile), {});
    base::parallel(job_.question.threads, rows_.size(), [&](int index, std::int64_t task) {
      CensusRows& rows = worker(index).rows;
      const std::size_t n = rows_.head_of(task);
      const CensusHead& of = heads[n];
      const std::int64_t row = task - rows_.begin(n);
      const std::span<Norm> norms = norms_of(n).subspan(static_cast<std::size_t>(row * kTile), kTile);
      std::array<std::int64_t, kTile> slots{};
      std::iota(slots.begin(), slots.end(), row * kTile);
      const auto lanes = static_cast<std::size_t>(std::min<std::int64_t>(kTile, layout.queries_of(of.b) - row * kTile));
      job_.progress.step();
      if (rows.take_norms(of, std::span(slots).first(lanes), norms)) return;
      rows.bind(of, row);
      rows.make_norms(job_.question.tiles.runs(of.b, of.h, row), norms);
    });
  }

  void chosen_rows() {
    const std::int64_t together = job_.words.most_lanes, count = static_cast<std::int64_t>(job_.out.rows.size());
    const std::int64_t groups = groups_of_rows();
    base::parallel(job_.question.threads, static_cast<std::int64_t>(heads_.size()) * groups, [&](int index, std::int64_t task) {
      const std::int64_t first = task % groups * together;
      const auto begin = static_cast<std::size_t>(first), size = static_cast<std::size_t>(std::min(together, count - first));
      write_chosen_rows(job_, worker(index).rows, heads_[static_cast<std::size_t>(task / groups)], first,
                        std::span(job_.out.rows).subspan(begin, size));
      job_.progress.step();
    });
  }

  const CensusJob& job_;
  std::size_t threads_;
  std::vector<CensusHead> heads_;
  base::Scratch scratch_;
  base::Arena arena_;
  std::vector<Worker> workers_;
  std::map<std::size_t, problem::Columns> columns_;  // by map of tiles
  Line rows_;                                        // tiles of queries of the heads that are worked on
  std::vector<Norm> norms_;                          // of their rows
};

}  // namespace

void census(const CensusJob& job) {
  Census(job).run();
}

}  // namespace heed::walk
