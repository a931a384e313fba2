// The words of double.hpp: similarity and mix on tiles of doubles by the one matrix loop, and their edges.
//
//   S = scale K Qt   [keys, 64] of [keys, D] and [D, 64]        O = O rescale + V^T P   [Dv, 64] of [keys, Dv] and [keys, 64]
//
// Cost: 2 keys lanes (D + Dv) flops in double, half of what float lanes do in the same time; keys and values are read in place.
// Numerics: one chain of additions per element, ascending, each step rounded to 2^-53. Checked: double_tiles_test.cpp.
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/targets.hpp"
#include "machine/double.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/double_tiles.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "machine/simd/outer-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

/// Scales sums, and becomes NaN once one is not finite.
struct Scaled {
  using D = Outer<double>::D;
  hn::Vec<D> scale, even, odd;
  HWY_INLINE hn::Vec<D> take(hn::Vec<D> sum, int row) {
    const auto score = hn::Mul(sum, scale);
    auto& nothing = row % 2 == 0 ? even : odd;
    nothing = hn::MulAdd(score, hn::Zero(D()), nothing);
    return score;
  }
};

bool ScoresDouble(const double* qt, const Lines<double>& k, const Shape& shape, double scale, double* s) {
  const Scaled::D d;
  Scaled look{hn::Set(d, scale), hn::Zero(d), hn::Zero(d)};
  outer(Outer<double>{.a = k.data, .a_k = 1, .a_m = k.stride, .b = qt, .count = shape.dim, .c = s, .rescale = nullptr}, shape.keys,
        shape.lanes, look);
  return hn::AllFalse(d, hn::IsNaN(hn::Add(look.even, look.odd)));
}

template <class A>
HWY_INLINE Outer<double, A> mixed(const double* p, const Lines<A>& v, const Shape& shape, const double* rescale, double* o) {
  return {.a = v.data, .a_k = v.stride, .a_m = 1, .b = p, .count = shape.keys, .c = o, .rescale = rescale};
}

void MixDouble(const double* p, const Lines<double>& v, const Shape& shape, const double* rescale, double* o) {
  outer(mixed(p, v, shape, rescale, o), shape.dim, shape.lanes);
}
void MixSeenDoubles(const double* p, const std::uint8_t* seen, const Lines<double>& v, const Shape& shape, const double* rescale,
                    double* o) {
  outer_of_seen(mixed(p, v, shape, rescale, o), seen, shape.dim, shape.lanes);
}
void MixSeenFloats(const double* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const double* rescale, double* o) {
  outer_of_seen(mixed(p, v, shape, rescale, o), seen, shape.dim, shape.lanes);
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(ScoresDouble);
HWY_EXPORT(MixDouble);
HWY_EXPORT(MixSeenDoubles);
HWY_EXPORT(MixSeenFloats);

Lines<double> in_double(const Rows& source, int count, int columns, double* buffer) {
  const auto* const data = static_cast<const double*>(source.data);
  if (source.column_stride == 1) return {data, source.row_stride};
  for (int row = 0; row < count; ++row) {
    for (int c = 0; c < columns; ++c) buffer[row * columns + c] = data[row * source.row_stride + c * source.column_stride];
  }
  return {buffer, columns};
}

void load_queries(const Rows& source, const std::int64_t* slots, int count, int columns, double* qt) {
  for (int c = 0; c < columns; ++c) {
    for (int lane = count; lane < kTile; ++lane) qt[c * kTile + lane] = 0;
  }
  for (int lane = 0; lane < count; ++lane) {
    const double* const from = static_cast<const double*>(source.data) + slots[lane] * source.row_stride;
    for (int c = 0; c < columns; ++c) qt[c * kTile + lane] = from[c * source.column_stride];
  }
}

bool scores(const double* qt, const Lines<double>& k, const Shape& shape, double scale, double* s) {
  return HWY_DYNAMIC_DISPATCH(ScoresDouble)(qt, k, shape, scale, s);
}

void refuse_infinite(const double* qt, const Lines<double>& k, const Shape& shape, double* s) {
  const auto finite = [&](const double* from, std::int64_t step) {
    bool all = true;
    for (int c = 0; c < shape.dim; ++c) all = all && std::isfinite(from[c * step]);
    return all;
  };
  for (int j = 0; j < shape.keys; ++j) {
    for (int i = 0; i < shape.lanes; ++i) {
      double& score = s[j * kTile + i];
      if (std::isinf(score) && finite(qt + i, kTile) && finite(k.data + j * k.stride, 1)) score = std::numeric_limits<double>::quiet_NaN();
    }
  }
}

void mix(const double* p, const Lines<double>& v, const Shape& shape, const double* rescale, double* o) {
  HWY_DYNAMIC_DISPATCH(MixDouble)(p, v, shape, rescale, o);
}
void mix_seen(const double* p, const std::uint8_t* seen, const Lines<double>& v, const Shape& shape, const double* rescale, double* o) {
  HWY_DYNAMIC_DISPATCH(MixSeenDoubles)(p, seen, v, shape, rescale, o);
}
void mix_seen(const double* p, const std::uint8_t* seen, const Lines<float>& v, const Shape& shape, const double* rescale, double* o) {
  HWY_DYNAMIC_DISPATCH(MixSeenFloats)(p, seen, v, shape, rescale, o);
}

bool finite(const double* o, int value_dim, int lanes) {
  double nothing[kTile] = {};  // 0, or NaN where anything is not finite
  for (int c = 0; c < value_dim; ++c) {
    for (int i = 0; i < lanes; ++i) nothing[i] += 0.0 * o[c * kTile + i];
  }
  bool all = true;
  for (int i = 0; i < lanes; ++i) all = all && nothing[i] == 0;
  return all;
}

void finish(const double* o, const double* divisor, int value_dim, int first, int lanes, const OutputRows& out) {
  for (int i = 0; i < lanes; ++i) {
    double* const to = static_cast<double*>(out.data) + i * out.row_stride;
    for (int c = 0; c < value_dim; ++c) to[c * out.column_stride] = o[c * kTile + first + i] / divisor[first + i];
  }
}
}  // namespace heed::machine
#endif
