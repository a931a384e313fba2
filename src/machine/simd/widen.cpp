// widen: rows of 16-bit or 32-bit floats to f32 [count, columns], contiguous. Exact; touches each element of K and V once per tile.
// Rows with unit column stride go through Highway's conversions a vector at a time; others element by element.
#include <cstdint>

#include "base/dtype.hpp"
#include "base/targets.hpp"
#include "machine/simd/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/simd/widen.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#include "machine/simd/half-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Stored, class Load>
HWY_INLINE void widen_row(const Stored* from, int columns, float* to, const Load& load) {
  const hn::CappedTag<float, 64> d;
  const int width = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + width <= columns; c += width) hn::StoreU(load(d, from + c), d, to + c);
  for (; c < columns; ++c) to[c] = f32_from(from[c]);
}

void WidenF16(const f16* from, int columns, float* to) {
  widen_row(from, columns, to, [](auto d, const f16* at) HWY_ATTR { return load_half(d, at); });
}
void WidenBF16(const bf16* from, int columns, float* to) {
  widen_row(from, columns, to, [](auto d, const bf16* at) HWY_ATTR {
    const hn::Rebind<hwy::bfloat16_t, decltype(d)> narrow;
    return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::bfloat16_t*>(at)));
  });
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(WidenF16);
HWY_EXPORT(WidenBF16);
namespace {

/// The row as it comes, with any stride.
template <class T, class Convert>
void each_element(const T* from, std::int64_t stride, int columns, float* to, const Convert& convert) {
  for (int c = 0; c < columns; ++c) to[c] = convert(from[c * stride]);
}

}  // namespace

void widen(const Rows& source, int count, int columns, float* rows) {
  for (int row = 0; row < count; ++row) {
    const Rows at = source.from(row);
    float* const to = rows + static_cast<std::ptrdiff_t>(row) * columns;
    if (source.dtype == DType::kF32) {
      each_element(static_cast<const float*>(at.data), at.column_stride, columns, to, [](float value) { return value; });
    } else if (source.dtype == DType::kF16) {
      const auto* const from = static_cast<const f16*>(at.data);
      if (at.column_stride == 1)
        HWY_DYNAMIC_DISPATCH(WidenF16)(from, columns, to);
      else
        each_element(from, at.column_stride, columns, to, [](f16 value) { return f32_from(value); });
    } else {
      const auto* const from = static_cast<const bf16*>(at.data);
      if (at.column_stride == 1)
        HWY_DYNAMIC_DISPATCH(WidenBF16)(from, columns, to);
      else
        each_element(from, at.column_stride, columns, to, [](bf16 value) { return f32_from(value); });
    }
  }
}
}  // namespace heed::machine
#endif
