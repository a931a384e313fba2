#include "walk/chosen_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "state/weighing.hpp"

namespace heed::walk {
namespace {

/// The tiles that any of some rows sees.
std::vector<problem::Run> tiles_seen(const CensusJob& job, const CensusHead& of, std::span<const std::int64_t> slots) {
  std::vector<bool> seen(static_cast<std::size_t>(job.question.layout.key_tiles()));
  for (const std::int64_t slot : slots) {
    for (const problem::Run& run : job.question.tiles.runs(of.b, of.h, slot / kTile))
      std::fill(seen.begin() + run.first, seen.begin() + run.last, true);
  }
  const Verdict verdict = job.question.formulas.mask.empty() ? Verdict::kFull : Verdict::kPartial;
  std::vector<problem::Run> runs;
  for (std::size_t tile = 0; tile < seen.size(); ++tile) {
    if (!seen[tile]) continue;
    const auto at = static_cast<std::int64_t>(tile);
    if (runs.empty() || runs.back().last != at) runs.push_back({at, at, verdict});
    runs.back().last = at + 1;
  }
  return runs;
}

/// One row: what it gives each key, and which keys it sees.
struct Row {
  std::span<float> weights;
  std::span<std::uint8_t> seen;
};

/// The keys with most weight first, ties by index; a weight that is NaN stands before all.
std::vector<std::int64_t> strongest(const Row& row, std::int64_t wanted) {
  std::vector<std::int64_t> order;
  for (std::size_t j = 0; j < row.weights.size(); ++j) {
    if (row.seen[j]) order.push_back(static_cast<std::int64_t>(j));
  }
  const auto rank = [&](std::int64_t j) {
    const float weight = row.weights[static_cast<std::size_t>(j)];
    return std::isnan(weight) ? HUGE_VALF : weight;
  };
  const auto kept = static_cast<std::int64_t>(std::min<std::size_t>(order.size(), static_cast<std::size_t>(wanted)));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](std::int64_t a, std::int64_t c) { return rank(a) != rank(c) ? rank(a) > rank(c) : a < c; });
  order.resize(static_cast<std::size_t>(kept));
  return order;
}

void write_row(const CensusOutputs& out, const CensusHead& of, std::int64_t index, const Row& row) {
  const auto place = [&](const TensorSpan& span) { return of.b * span.strides[0] + of.place * span.strides[1] + index * span.strides[2]; };
  if (out.weights.given()) {
    float* const to = static_cast<float*>(out.weights.data) + place(out.weights);
    for (std::size_t j = 0; j < row.weights.size(); ++j) to[static_cast<std::int64_t>(j) * out.weights.strides[3]] = row.weights[j];
  }
  if (!out.top_keys.given() && !out.top_weights.given()) return;
  const std::int64_t wanted = out.top_keys.given() ? out.top_keys.shape[3] : out.top_weights.shape[3];
  const std::vector<std::int64_t> order = strongest(row, wanted);
  for (std::int64_t n = 0; n < wanted; ++n) {
    const std::int64_t key = n < static_cast<std::int64_t>(order.size()) ? order[static_cast<std::size_t>(n)] : -1;
    if (out.top_keys.given()) static_cast<std::int64_t*>(out.top_keys.data)[place(out.top_keys) + n * out.top_keys.strides[3]] = key;
    if (out.top_weights.given()) {
      static_cast<float*>(out.top_weights.data)[place(out.top_weights) + n * out.top_weights.strides[3]] =
          key < 0 ? 0.0f : row.weights[static_cast<std::size_t>(key)];
    }
  }
}

}  // namespace

void write_chosen_rows(const CensusJob& job, CensusRows& rows, const CensusHead& of, std::int64_t first,
                       std::span<const std::int64_t> slots) {
  rows.bind(of, slots);
  const std::vector<problem::Run> runs = tiles_seen(job, of, slots);
  std::array<state::Norm, kTile> norms{};
  if (!rows.take_norms(of, slots, norms)) rows.make_norms(runs, norms);
  rows.weigh_by(norms);
  const auto length = static_cast<std::size_t>(job.question.layout.keys);
  std::vector<float> weights(length * slots.size());
  std::vector<std::uint8_t> seen(weights.size());
  for (const problem::Run& run : runs) {
    for (std::int64_t tile = run.first; tile < run.last; ++tile) {
      float* const s = rows.s();
      rows.scores().make(tile, run.verdict, s);
      const int keys = rows.keys(tile);
      rows.settle(keys);
      const auto copy = [&](auto& to, const auto& value) {
        for (std::size_t i = 0; i < slots.size(); ++i) {
          for (int j = 0; j < keys; ++j)
            to[i * length + static_cast<std::size_t>(tile * kTile + j)] = value(s[static_cast<std::size_t>(j * kTile) + i], i);
        }
      };
      copy(seen, [](float score, std::size_t) { return static_cast<std::uint8_t>(score != -std::numeric_limits<float>::infinity()); });
      state::softmax().weights(s, keys, rows.lanes(), rows.norms().base);
      copy(weights, [&](float weight, std::size_t i) { return weight * rows.norms().share[i]; });
    }
  }
  for (std::size_t i = 0; i < slots.size(); ++i)
    write_row(job.out, of, first + static_cast<std::int64_t>(i),
              {std::span(weights).subspan(i * length, length), std::span(seen).subspan(i * length, length)});
}

}  // namespace heed::walk
