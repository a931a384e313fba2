// The products of the simd kernel: f32 tiles, [D, 64] queries, rows of keys and values in place where they are f32, P in the place of S.
#include <cmath>

#include "machine/products.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine::simd {
namespace {

constexpr std::size_t kLine = kTile * sizeof(float);

constexpr int kHead = 16;  // floats before the queries: what the finished score is multiplied by

Sizes sizes(int dim, int value_dim) {
  const std::size_t keys = kLine * static_cast<std::size_t>(dim), values = kLine * static_cast<std::size_t>(value_dim);
  return {.queries = kHead * sizeof(float) + keys, .keys = keys, .values = values, .weights = 0, .output = values};
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

bool scores_of(const void* q, const Operand& k, int dim, int keys, int lanes, float* s) {
  const auto* const head = static_cast<const float*>(q);
  const bool all = scores(head + kHead, static_cast<const float*>(k.data), k.stride, dim, keys, lanes, s);
  return scale(head[0], all, keys, lanes, s);
}

void absorb_in_place(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale, void*) {
  state::absorb(s, keys, lanes, state, rescale);
}

void mix_floats(const void* p, const Operand& v, int value_dim, int keys, int lanes, const float* rescale, float* o) {
  mix(static_cast<const float*>(p), static_cast<const float*>(v.data), v.stride, value_dim, keys, lanes, rescale, o);
}

constexpr Products products_for(int query_tiles) {
  return {.name = "simd",
          .most_lanes = kTile,
          .query_tiles = query_tiles,
          .sizes = sizes,
          .unusual_queries = nullptr,
          .unusual_keys = nullptr,
          .unusual_values = nullptr,
          .load_queries = queries,
          .keys = float_rows,
          .values = float_rows,
          .scores = scores_of,
          .absorb = absorb_in_place,
          .mix = mix_floats,
          .merge = state::merge,
          .adopt = adopt,
          .suspects = infinite_lanes,
          .overflown = infinite_lanes,
          .finish = finish_lanes};
}

}  // namespace

void adopt(const SoftmaxRows& state, const SoftmaxRows& exact, std::uint64_t lanes, int value_dim) {
  for (int i = 0; i < kTile; ++i) {
    if (!(lanes >> i & 1)) continue;
    state.m[i] = exact.m[i];
    state.l[i] = exact.l[i];
    for (std::int64_t at = i; at < std::int64_t{kTile} * value_dim; at += kTile) state.o[at] = exact.o[at];
  }
}

std::uint64_t infinite_lanes(const SoftmaxRows& state, int value_dim, int lanes) {
  float nothing[kTile] = {};  // 0, or NaN where anything is not finite
  for (std::int64_t c = 0; c < value_dim; ++c) {
    for (int i = 0; i < lanes; ++i) nothing[i] += 0.0f * state.o[c * kTile + i];
  }
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) found |= static_cast<std::uint64_t>(std::isnan(nothing[i])) << i;
  return found;
}

void finish_lanes(const SoftmaxRows& state, int value_dim, int first, int lanes, const OutputRows& out) {
  finish({state.m + first, state.l + first, state.o + first}, value_dim, lanes, out);
}

const Products& products(DType dtype) {
  static constexpr Products kInPlace = products_for(1), kWidened = products_for(8);  // widened rows serve several tiles of queries
  return dtype == DType::kF32 ? kInPlace : kWidened;
}

}  // namespace heed::machine::simd
