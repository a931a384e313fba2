#include "walk/norms.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "walk/sharing.hpp"

namespace heed::walk {
namespace {

using state::Norm;
using state::Tally;
using state::TallyRows;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

TallyRows tally_rows(base::Arena& arena) {
  return {arena.take<float>(kTile), arena.take<double>(kTile), arena.take<float>(kTile), arena.take<float>(kTile),
          arena.take<std::int64_t>(kTile)};
}
void clear(const TallyRows& rows) {
  std::fill_n(rows.m, kTile, kMinusInfinity);
  std::fill_n(rows.l, kTile, 0.0);
  std::fill_n(rows.e, kTile, 0.0f);
  std::fill_n(rows.l2, kTile, 0.0f);
  std::fill_n(rows.n, kTile, 0);
}
Tally row_of(const TallyRows& rows, int i) {
  return {rows.m[i], rows.l[i], rows.e[i], rows.l2[i], rows.n[i]};
}

/// `all` <- all merged with part; part <- nothing.
void merge(const TallyRows& all, const TallyRows& part, int lanes) {
  for (int i = 0; i < lanes; ++i) {
    const Tally merged = Tally::merged(row_of(all, i), row_of(part, i));
    all.m[i] = merged.m;
    all.l[i] = merged.l;
    all.e[i] = merged.e;
    all.l2[i] = merged.l2;
    all.n[i] = merged.n;
  }
  clear(part);
}

}  // namespace

std::vector<CensusHead> census_heads(const CensusJob& job) {
  std::vector<CensusHead> heads;
  for (const std::int64_t b : job.sequences) {
    for (std::int64_t place = 0; place < job.heads(); ++place)
      heads.push_back({.b = b, .h = job.out.heads.empty() ? place : job.out.heads[static_cast<std::size_t>(place)], .place = place});
  }
  return heads;
}

CensusRows::CensusRows(const CensusJob& job, base::Arena& arena, std::int64_t key_places)
    : job_(job),
      scores_(job.question, job.words, job.held, arena, 1, key_places),
      s_(arena.take<float>(kTile * kTile)),
      base_(arena.take<float>(kTile)),
      share_(arena.take<float>(kTile)),
      part_(tally_rows(arena)),
      all_(tally_rows(arena)) {}

void CensusRows::bind(const CensusHead& of, std::int64_t row) {
  of_ = of;
  const std::int64_t slot = row * kTile;
  const QueryTile queries{
      .b = of.b, .h = of.h, .heads = 1, .slot = slot, .slots = std::min<std::int64_t>(kTile, job_.question.layout.queries_of(of.b) - slot)};
  scores_.load(queries);
  scores_.bind(queries);
}

void CensusRows::bind(const CensusHead& of, std::span<const std::int64_t> slots) {
  of_ = of;
  scores_.bind(of.b, of.h, slots);
}

bool CensusRows::take_norms(const CensusHead& of, std::span<const std::int64_t> slots, std::span<Norm> norms) const {
  const TensorView& given = job_.out.part ? job_.lse : job_.out.norms;
  if (!given.given()) return false;
  const problem::Places places(given, job_.question.layout, problem::Side::kQueries);
  bool known = true;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const float* const norm = static_cast<const float*>(given.data) + places.at(of.b, of.h, slots[i]);
    norms[i] = {.base = norm[0], .share = job_.out.part ? 1 : norm[places.column_stride()]};
    known &= norms[i].known();
  }
  return known;
}

void CensusRows::make_norms(std::span<const problem::Run> runs, std::span<Norm> norms) {
  const std::int64_t block = tiles_per_block(job_.question, job_.words);
  clear(all_);
  clear(part_);
  std::int64_t index = 0;
  for (const problem::Run& run : runs) {
    for (std::int64_t tile = run.first; tile < run.last; ++tile) {
      if (tile / block != index) merge(all_, part_, lanes());
      index = tile / block;
      scores_.make(tile, run.verdict, s_);
      state::tally(s_, keys(tile), lanes(), part_);
    }
  }
  merge(all_, part_, lanes());
  const float sink = job_.question.has_sink() ? static_cast<float>(job_.question.sink(of_.h)) : kMinusInfinity;
  for (int i = 0; i < lanes(); ++i) norms[static_cast<std::size_t>(i)] = Norm::of(row_of(all_, i), sink);
}

void CensusRows::weigh_by(std::span<const Norm> norms) {
  broken_ = 0;
  for (std::size_t i = 0; i < kTile; ++i) {
    const bool row = static_cast<int>(i) < lanes(), broken = row && std::isnan(norms[i].base);
    broken_ |= static_cast<std::uint64_t>(broken) << i;
    // From a base of +inf every weight is 0.
    base_[i] = !row || broken ? 0 : norms[i].base == kMinusInfinity ? -kMinusInfinity : norms[i].base;
    share_[i] = !row || broken ? 1 : norms[i].share;
  }
}

void CensusRows::settle(int keys) {
  for (int i = lanes(); i < kTile; ++i) {
    for (int j = 0; j < keys; ++j) s_[j * kTile + i] = kMinusInfinity;
  }
  for (int i = 0; broken_ != 0 && i < lanes(); ++i) {
    if (!(broken_ >> i & 1)) continue;
    for (int j = 0; j < keys; ++j) {
      if (s_[j * kTile + i] != kMinusInfinity) s_[j * kTile + i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  if (!job_.out.part) return;
  // An L of fewer keys than it should be of: weights beyond f32 are infinite.
  for (int at = 0; at < keys * kTile; ++at) s_[at] = std::min(s_[at], base_[at % kTile] + 88.5f);
}

}  // namespace heed::walk
