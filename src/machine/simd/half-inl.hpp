// f16 widened to f32, infinities and NaN among them. Targets without fused multiply-adds have no instruction for it either; what Highway
// does in its place takes an exponent of all ones for 2^16. Exact. Checked at every instruction set: laws/kernels_test.cpp.
#if defined(HEED_SIMD_HALF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_SIMD_HALF_INL
#undef HEED_SIMD_HALF_INL
#else
#define HEED_SIMD_HALF_INL
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {

/// Lanes(d) numbers from `from` on; Stored is two bytes of an f16.
template <class D, class Stored>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_half(D d, const Stored* from) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<hwy::float16_t, D> narrow;
  const auto value = hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(from)));
#if HWY_NATIVE_FMA
  return value;
#else
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint16_t, D> narrow_bits;
  const auto bits = hn::PromoteTo(du, hn::LoadU(narrow_bits, reinterpret_cast<const std::uint16_t*>(from)));
  const auto exponent = hn::Set(du, 0x7C00u);
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000u))), payload = hn::ShiftLeft<13>(hn::And(bits, hn::Set(du, 0x3FFu)));
  const auto special = hn::Or(hn::Or(sign, payload), hn::Set(du, 0x7F800000u));
  return hn::IfThenElse(hn::RebindMask(d, hn::Eq(hn::And(bits, exponent), exponent)), hn::BitCast(d, special), value);
#endif
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
