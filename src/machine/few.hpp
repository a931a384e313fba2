// What machines share that fold few queries (at most kFewLanes: the query heads of a key head, times the queries) against many keys:
// O as rows [query, Dv'], in whatever order of columns the machine's mix leaves them (Order::place), and K, V in place.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/dtype.hpp"
#include "machine/machine.hpp"

namespace heed::machine {

inline constexpr int kFewLanes = 8;

/// An Order: columns as they come, rows padded to 16.
struct Plain {
  static std::int64_t row(int value_dim) { return (value_dim + 15) / 16 * 16; }
  static std::int64_t place(int column) { return column; }
};

/// Rows with unit column stride where they lie, others copied.
template <class T>
Operand few_rows(const Rows& rows, int count, int columns, void* buffer) {
  if (rows.column_stride == 1) return {rows.data, rows.row_stride};
  auto* const to = static_cast<T*>(buffer);
  for (int row = 0; row < count; ++row) {
    const auto* const from = static_cast<const T*>(rows.data) + row * rows.row_stride;
    for (int c = 0; c < columns; ++c) to[row * columns + c] = from[c * rows.column_stride];
  }
  return {buffer, columns};
}

/// Mixing::clean.
template <class T>
std::uint64_t few_clean(const Rows& rows, int count, int columns, void* buffer, Operand& clean) {
  auto* const to = static_cast<T*>(buffer);
  std::uint64_t found = 0;
  for (int row = 0; row < count; ++row) {
    const auto* const from = static_cast<const T*>(rows.data) + row * rows.row_stride;
    for (int c = 0; c < columns; ++c) {
      const T value = from[c * rows.column_stride];
      const bool finite = is_finite(value);
      to[row * columns + c] = finite ? value : T{};
      found |= static_cast<std::uint64_t>(!finite) << row;
    }
  }
  clean = {buffer, columns};
  return found;
}

/// Weighing::merge of softmax with the exp of libm: rows so few do not ask for vectors.
inline void few_merge(float* state, const float* part, int lanes, float* a, float* b) {
  for (int i = 0; i < lanes; ++i) {
    a[i] = 1;
    b[i] = -0.0f;
    const float m_part = part[i], l_part = part[kTile + i];
    if (m_part == -INFINITY && l_part == 0.0f) continue;  // nothing seen
    const float m = std::fmax(state[i], m_part);
    const float base = m == -INFINITY ? 0.0f : m;
    a[i] = m == state[i] ? 1.0f : std::exp(state[i] - base);
    b[i] = m == m_part ? 1.0f : std::exp(m_part - base);
    state[i] = m;
    state[kTile + i] = state[kTile + i] * a[i] + l_part * b[i];
  }
}

template <class Order>
void few_blend(float* o, const float* a, const float* part, const float* b, int value_dim, int lanes) {
  const std::int64_t row = Order::row(value_dim);
  for (int i = 0; i < lanes; ++i) {
    for (std::int64_t c = i * row; c < (i + 1) * row; ++c) o[c] = o[c] * a[i] + part[c] * b[i];
  }
}

template <class Order>
void few_adopt(float* o, const float* exact, std::uint64_t lanes, int value_dim) {
  for (int i = 0; i < kFewLanes; ++i) {
    if (!(lanes >> i & 1)) continue;
    for (int c = 0; c < value_dim; ++c) o[i * Order::row(value_dim) + Order::place(c)] = exact[std::int64_t{c} * kTile + i];
  }
}

/// Rows that are not finite; where denormals are flushed, also rows so small that it could be felt. Columns beyond Dv hold 0, or NaN with
/// the rest.
template <class Order, bool FlushesDenormals>
std::uint64_t few_suspects(const float* o, std::uint64_t begun, int value_dim, int lanes) {
  const std::int64_t row = Order::row(value_dim);
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) {
    int beyond = 0, sizeable = 0;
    for (std::int64_t c = i * row; c < (i + 1) * row; ++c) {
      beyond += o[c] - o[c] != 0;
      sizeable += o[c] > 0x1p-100f || o[c] < -0x1p-100f;
    }
    if (beyond != 0 || (FlushesDenormals && (begun >> i & 1) && sizeable == 0)) found |= std::uint64_t{1} << i;
  }
  return found;
}

/// Rows of O that are not finite.
template <class Order>
std::uint64_t few_overflown(const float* o, int value_dim, int lanes) {
  std::uint64_t found = 0;
  for (int i = 0; i < lanes; ++i) {
    int beyond = 0;
    for (int c = 0; c < value_dim; ++c) beyond += !std::isfinite(o[i * Order::row(value_dim) + Order::place(c)]);
    found |= static_cast<std::uint64_t>(beyond != 0) << i;
  }
  return found;
}

template <class Order>
void few_finish(const float* o, const float* divisor, int value_dim, int first, int lanes, const OutputRows& out) {
  for (int i = 0; i < lanes; ++i) {
    const float* const row = o + (first + i) * Order::row(value_dim);
    for (int c = 0; c < value_dim; ++c) {
      const float value = row[Order::place(c)] / divisor[first + i];
      const std::int64_t at = i * out.row_stride + c * out.column_stride;
      if (out.dtype == DType::kF32)
        static_cast<float*>(out.data)[at] = value;
      else if (out.dtype == DType::kBF16)
        static_cast<bf16*>(out.data)[at] = bf16_from(value);
      else
        static_cast<f16*>(out.data)[at] = f16_from(value);
    }
  }
}

}  // namespace heed::machine
