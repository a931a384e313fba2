// The words at the edges: load_queries (transposed and scaled) and finish (transposed back, divided, rounded).
// They touch each element once per tile, not once per score, so clarity leads.
#include <cmath>
#include <cstring>

#include "base/dtype.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {
namespace {

template <class T>
float as_float(T value) {
  if constexpr (std::is_same_v<T, float>)
    return value;
  else
    return f32_from(value);
}

template <class T>
void transpose_rows(const Rows& source, const std::int64_t* slots, int count, int columns, float scale, float* qt) {
  for (int row = 0; row < count; ++row) {
    const T* const from = static_cast<const T*>(source.data) + slots[row] * source.row_stride;
    for (int c = 0; c < columns; ++c) qt[c * kTile + row] = scale * as_float(from[c * source.column_stride]);
  }
}

void store(float value, float& place) {
  place = value;
}
void store(float value, bf16& place) {
  place = bf16_from(value);
}
void store(float value, f16& place) {
  place = f16_from(value);
}

template <class T>
void store_rows(const float* o, const float* divisor, int value_dim, int lanes, const OutputRows& out) {
  for (int i = 0; i < lanes; ++i) {
    T* const to = static_cast<T*>(out.data) + i * out.row_stride;
    for (int c = 0; c < value_dim; ++c) store(o[c * kTile + i] / divisor[i], to[c * out.column_stride]);
  }
}

}  // namespace

void load_queries(const Rows& source, const std::int64_t* slots, int count, int columns, float scale, float* qt) {
  std::memset(qt, 0, static_cast<std::size_t>(columns) * kTile * sizeof(float));
  base::by_dtype(source.dtype, [&](auto type) { transpose_rows<decltype(type)>(source, slots, count, columns, scale, qt); });
}

void finish(const float* o, const float* divisor, int value_dim, int first, int lanes, const OutputRows& out) {
  base::by_dtype(out.dtype, [&](auto type) { store_rows<decltype(type)>(o + first, divisor + first, value_dim, lanes, out); });
}

}  // namespace heed::machine
