// exp and tanh in float32 lanes: fast enough for the inner loop, exact enough for the accuracy rule, and NaN stays NaN.
//
// exp: x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by a polynomial of degree 6 (relative error below 5e-9 before rounding); then times 2^n.
// Results below 2^-126 are 0. Source: Cody & Waite 1980. The same in double for x <= 0, denormal results included.
// Largest errors, in units in the last place, measured over one float in 61: exp 0.87 with fused multiply-add, 1.13 without; tanh 1.3;
// log 0.9; sigmoid made of this exp 2.4. Checked: math_test.cpp.
#if defined(HEED_SIMD_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_SIMD_MATH_INL
#undef HEED_SIMD_MATH_INL
#else
#define HEED_SIMD_MATH_INL
#endif

#include <cstdint>
#include <limits>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heed::base::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// exp(r) for r = x - n ln 2, and n as float and integer.
template <class D, class V>
struct Reduced {
  V power;  // exp(r)
  hn::Vec<hn::RebindToSigned<D>> n;
};

/// exp(x - n ln 2) for n = x / ln 2, rounded.
template <class D, class V>
HWY_INLINE V exp_of_rest(D d, V x, V n) {
  // ln 2 in two parts, the first with trailing zeros so that n times it is exact
  auto r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860682030941723e-6f), r);
  auto p = hn::Set(d, 0.00138145429082f);
  p = hn::MulAdd(p, r, hn::Set(d, 0.00836874824017f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.04166839271783f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.16666519641876f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.49999994039535f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  return hn::MulAdd(p, r, hn::Set(d, 1.0f));
}

template <class D, class V>
HWY_INLINE Reduced<D, V> reduce_exp(D d, V x) {
  const auto n = hn::NearestInt(hn::Mul(x, hn::Set(d, 1.44269504088896341f)));
  return {exp_of_rest(d, x, hn::ConvertTo(d, n)), n};
}

/// 2^n, -126 <= n <= 127
template <class D, class VI>
HWY_INLINE hn::Vec<D> power_of_two(D d, VI n) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
}

/// exp(x) in double for x < 709.4, -inf included: n = x / ln 2 rounded by adding 1.5 * 2^52, whose last bits then hold n; exp(r) - 1 - r by
/// a polynomial of degree 12 (SLEEF's coefficients).
template <class D, class V>
HWY_INLINE V double_exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto rounder = hn::Set(d, 0x1.8p52);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.442695040888963407359924681), rounder);
  const auto n = hn::Sub(shifted, rounder);
  // ln 2 in two parts, the first with trailing zeros so that n times it is exact
  auto r = hn::NegMulAdd(n, hn::Set(d, 0.6931471805596629565116018), x);
  r = hn::NegMulAdd(n, hn::Set(d, 0.28235290563031577122588448175e-12), r);
  auto p = hn::Set(d, 2.08860621107283687536341e-9);
  p = hn::MulAdd(p, r, hn::Set(d, 2.51112930892876518610661e-8));
  p = hn::MulAdd(p, r, hn::Set(d, 2.75573911234900471893338e-7));
  p = hn::MulAdd(p, r, hn::Set(d, 2.75572362911928827629423e-6));
  p = hn::MulAdd(p, r, hn::Set(d, 2.4801587159235472998791e-5));
  p = hn::MulAdd(p, r, hn::Set(d, 0.000198412698960509205564975));
  p = hn::MulAdd(p, r, hn::Set(d, 0.00138888888889774492207962));
  p = hn::MulAdd(p, r, hn::Set(d, 0.00833333333331652721664984));
  p = hn::MulAdd(p, r, hn::Set(d, 0.0416666666666665047591422));
  p = hn::MulAdd(p, r, hn::Set(d, 0.166666666666666851703837));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0));
  // Denormal results are made 2^64 times as large first.
  const auto denormal = hn::Lt(x, hn::Set(d, -708.39641853226408));
  const auto one = hn::IfThenElse(denormal, hn::Set(d, 0x1p64), hn::Set(d, 1.0));
  const auto power = hn::BitCast(d, hn::Add(hn::ShiftLeft<52>(hn::BitCast(di, shifted)), hn::BitCast(di, one)));
  const auto y = hn::Mul(p, power);
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -745.13321910194122)), hn::IfThenElse(denormal, hn::Mul(y, hn::Set(d, 0x1p-64)), y));
}

/// exp(x) for x <= 0, -inf included.
template <class D, class V>
HWY_INLINE V exp_of_negative(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return double_exp(d, x);
  } else {
    const auto reduced = reduce_exp(d, x);
    const auto y = hn::Mul(reduced.power, power_of_two(d, reduced.n));
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3365447f)), y);
  }
}

/// exp(x) for any x. In double it is infinite from 2^1023.5 on.
template <class D, class V>
HWY_INLINE V exp_of(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return double_exp(d, hn::IfThenElse(hn::Gt(x, hn::Set(d, 709.5)), hn::Set(d, 709.5), x));
  } else {
    const auto capped = hn::IfThenElse(hn::Gt(x, hn::Set(d, 89.0f)), hn::Set(d, 89.0f), x);
    const auto reduced = reduce_exp(d, capped);
    const auto half = hn::ShiftRight<1>(reduced.n);
    const auto y = hn::Mul(hn::Mul(reduced.power, power_of_two(d, half)), power_of_two(d, hn::Sub(reduced.n, half)));
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3365447f)), y);
  }
}

/// tanh(x) = x + x^3 R(x^2) for |x| < 0.6, R of degree 4 (relative error 5e-9 before rounding); beyond, 1 - 2 / (exp(2 |x|) + 1), where
/// little of the error of exp is left, with the sign. From 10 on it is 1.
template <class D, class V>
HWY_INLINE V tanh_of(D d, V x) {
  const auto a = hn::Abs(x), z = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  auto r = hn::Set(d, -0.005895134527236223f);
  r = hn::MulAdd(r, z, hn::Set(d, 0.020795952528715134f));
  r = hn::MulAdd(r, z, hn::Set(d, -0.053783826529979706f));
  r = hn::MulAdd(r, z, hn::Set(d, 0.13331924378871918f));
  r = hn::MulAdd(r, z, hn::Set(d, -0.33333298563957214f));
  const auto small = hn::MulAdd(hn::Mul(x, z), r, x);
  const auto capped = hn::IfThenElse(hn::Gt(a, hn::Set(d, 10.0f)), hn::Set(d, 10.0f), a);
  const auto reduced = reduce_exp(d, hn::Add(capped, capped));
  const auto grown = hn::MulAdd(reduced.power, power_of_two(d, reduced.n), one);
  const auto large = hn::CopySign(hn::Sub(one, hn::Div(hn::Set(d, 2.0f), grown)), x);
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.6f)), small, large);
}

/// log(x), Highway's to about 1 unit in the last place; log(0) = -inf, log(inf) = inf, NaN below 0.
template <class D, class V>
HWY_INLINE V log_of(D d, V x) {
  const auto zero = hn::Zero(d);
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  auto y = hn::Log(d, x);
  y = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), y);
  y = hn::IfThenElse(hn::Eq(x, infinity), infinity, y);
  return hn::IfThenElse(hn::Or(hn::Lt(x, zero), hn::IsNaN(x)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
}

/// True where a byte is not 0.
template <class D>
HWY_INLINE hn::Mask<D> mask_of_bytes(D d, const std::uint8_t* bytes) {
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::int32_t, D> d32;
  const auto wide = hn::PromoteTo(d32, hn::LoadU(hn::Rebind<std::uint8_t, D>(), bytes));
  if constexpr (sizeof(hn::TFromD<D>) == 8)
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(di, wide), hn::Zero(di)));
  else
    return hn::RebindMask(d, hn::Ne(wide, hn::Zero(di)));
}

}  // namespace heed::base::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
