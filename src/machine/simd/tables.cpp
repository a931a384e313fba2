// The similarity and the mixing of the simd machine: f32 tiles, [D, 64] queries, rows of keys and values in place where they are f32, P in
// the place of S.
#include <cmath>

#include "machine/simd/simd.hpp"

namespace heed::machine::simd {
namespace {

constexpr std::size_t kLine = kTile * sizeof(float);

constexpr int kHead = 16;  // floats before the queries: what the finished score is multiplied by

Similarity::Sizes dot_sizes(int dim) {
  const std::size_t keys = kLine * static_cast<std::size_t>(dim);
  return {.queries = kHead * sizeof(float) + keys, .keys = keys};
}
Mixing::Sizes mix_sizes(int value_dim) {
  const std::size_t values = kLine * static_cast<std::size_t>(value_dim);
  return {.values = values, .weights = 0, .output = values};
}

void queries(const Rows& rows, const std::int64_t* slots, int count, int dim, float scale, void* q) {
  const ScaleSplit split(scale);
  static_cast<float*>(q)[0] = split.of_score;
  load_queries(rows, slots, count, dim, split.of_query, static_cast<float*>(q) + kHead);
}

Operand float_rows(const Rows& rows, int count, int columns, void* buffer) {
  if (rows.dtype == DType::kF32 && rows.column_stride == 1) return {rows.data, rows.row_stride};
  widen(rows, count, columns, static_cast<float*>(buffer));
  return {buffer, columns};
}

Lines<float> lines_of(const Operand& rows) {
  return {static_cast<const float*>(rows.data), rows.stride};
}

bool scores_of(const void* q, const Operand& k, const Shape& shape, float* s) {
  const auto* const head = static_cast<const float*>(q);
  const bool all = scores(head + kHead, lines_of(k), shape, s);
  return scale(head[0], all, shape.keys, shape.lanes, s);
}

void mix_floats(const void* p, const Operand& v, const Shape& shape, const float* rescale, float* o) {
  mix(static_cast<const float*>(p), lines_of(v), shape, rescale, o);
}

}  // namespace

void adopt(float* o, const float* exact, std::uint64_t lanes, int value_dim) {
  for (int i = 0; i < kTile; ++i) {
    if (!(lanes >> i & 1)) continue;
    for (std::int64_t at = i; at < std::int64_t{kTile} * value_dim; at += kTile) o[at] = exact[at];
  }
}

std::uint64_t infinite_lanes(const float* o, int value_dim, int lanes) {
  float nothing[kTile] = {};  // 0, or NaN where anything is not finite
  for (std::int64_t c = 0; c < value_dim; ++c) {
    for (int i = 0; i < lanes; ++i) nothing[i] += 0.0f * o[c * kTile + i];
  }
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) found |= static_cast<std::uint64_t>(std::isnan(nothing[i])) << i;
  return found;
}

std::span<const Similarity> similarities(DType) {
  static constexpr Similarity kSimilarities[] = {{.name = "dot",
                                                  .text = "scale q . k",
                                                  .sizes = dot_sizes,
                                                  .unusual_queries = nullptr,
                                                  .unusual_keys = nullptr,
                                                  .load = queries,
                                                  .keys = float_rows,
                                                  .scores = scores_of}};
  return kSimilarities;
}

const Mixing& mixing(DType) {
  static constexpr Mixing kMixing{
      .sizes = mix_sizes,
      .unusual = nullptr,
      .values = float_rows,
      .mix = mix_floats,
      .blend = blend,
      .adopt = adopt,
      .suspects = [](const float* o, std::uint64_t, int value_dim, int lanes) { return infinite_lanes(o, value_dim, lanes); },
      .overflown = infinite_lanes,
      .finish = finish};
  return kMixing;
}

}  // namespace heed::machine::simd
