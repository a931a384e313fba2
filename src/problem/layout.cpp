#include "problem/layout.hpp"

#include <heed/error.hpp>

namespace heed::problem {

formula::Box Layout::box(std::int64_t b, std::int64_t h, formula::Range q, formula::Range k) const {
  const std::int64_t g = kv_head(h);
  return {.q = {query_position(b, q.first), query_position(b, q.last)},
          .k = {first_key + k.first, first_key + k.last},
          .b = {b, b},
          .h = {h, h},
          .g = {g, g},
          .i = q};
}

formula::Box Layout::everything() const {
  const auto [low, high] = std::minmax_element(offsets.begin(), offsets.end());
  return {.q = {*low, *high + queries - 1},
          .k = {first_key, first_key + keys - 1},
          .b = {0, batch - 1},
          .h = {0, heads - 1},
          .g = {0, kv_heads - 1},
          .i = {0, queries - 1}};
}

formula::Box Layout::everything(std::int64_t b) const {
  formula::Box box = Layout::box(b, 0, {0, queries_of(b) - 1}, {0, keys_of(b) - 1});
  box.h = {0, heads - 1};
  box.g = {0, kv_heads - 1};
  return box;
}

Layout layout_of(const Problem& problem, const Formulas& formulas) {
  Layout layout;
  layout.batch = problem.batch;
  layout.heads = problem.heads;
  layout.kv_heads = problem.kv_heads;
  layout.queries = problem.queries;
  layout.keys = problem.keys;
  layout.first_key = problem.first_key;
  layout.query_begin = problem.query_offsets;
  layout.key_begin = problem.key_offsets;
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(problem.batch, 1));
  std::int64_t offset = 0;
  constexpr std::int64_t kFar = std::int64_t{1} << 60;  // differences of positions fit 63 bits
  // Of `extent` places from `first` on. Tq, then first_key and Tk, before they are added up.
  const auto check_positions = [](const char* where, const char* first_name, std::int64_t first, const char* extent_name,
                                  std::int64_t extent) {
    if (first >= -kFar && first <= kFar && std::max<std::int64_t>(extent - 1, 0) <= kFar - first) return;
    throw Error({"position too far", std::string("problem, ") + where, "first and last position between -2^60 and 2^60",
                 std::string(first_name) + " = " + std::to_string(first) + ", " + extent_name + " = " + std::to_string(extent)});
  };
  check_positions("align", "row", 0, "Tq", problem.queries);
  check_positions("first_key", "first_key", problem.first_key, "Tk", problem.keys);
  switch (problem.align.kind) {
    case Align::Kind::kNone:
      if ((layout.query_begin != layout.key_begin || problem.queries != problem.keys || problem.first_key != 0) &&
          (formulas.mask.mentions_query() || formulas.score.mentions_query())) {
        throw Error({"a formula mentions q, but nothing says where the queries stand among the keys", "problem, align",
                     "align start, end or an offset, since Tq != Tk or first_key != 0",
                     "Tq = " + std::to_string(problem.queries) + ", Tk = " + std::to_string(problem.keys) +
                         ", first_key = " + std::to_string(problem.first_key)});
      }
      break;
    case Align::Kind::kStart:
      break;
    case Align::Kind::kEnd:
      offset = problem.first_key + problem.keys - problem.queries;
      for (std::int64_t b = 0; layout.ragged() && b < layout.batch; ++b) layout.offsets.push_back(layout.keys_of(b) - layout.queries_of(b));
      break;
    case Align::Kind::kOffsets:
      if (problem.align.offsets.size() == count) {
        layout.offsets = problem.align.offsets;
        break;
      }
      if (problem.align.offsets.size() != 1) {
        throw Error({"wrong number of offsets", "problem, align", "one, or one per batch entry (" + std::to_string(problem.batch) + ")",
                     std::to_string(problem.align.offsets.size())});
      }
      offset = problem.align.offsets[0];
      break;
  }
  if (layout.offsets.empty()) layout.offsets.assign(count, offset);
  for (const std::int64_t place : layout.offsets) check_positions("align", "offset", place, "Tq", problem.queries);
  return layout;
}

std::int64_t heads_that_share(const Layout& layout, std::int64_t queries, bool mask_by_head, std::int64_t most_lanes) {
  constexpr std::int64_t kSharingQueries = 16;
  if (layout.hollow() || mask_by_head || queries == 0 || queries > kSharingQueries) return 1;
  const std::int64_t group = layout.heads / layout.kv_heads;
  std::int64_t heads = std::clamp<std::int64_t>(most_lanes / queries, 1, group);
  while (group % heads != 0) --heads;
  return heads;
}

}  // namespace heed::problem
