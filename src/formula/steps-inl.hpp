// The steps of a tile program over one strip of keys, written once for narrow lanes (float, int32) and wide ones (double, int64).
//
// A step reads its operands (score, strips of earlier steps, lines, diagonals) and writes a strip of [8, 64] lanes: reals, integers, or
// masks of all bits. Cost per step and vector: two loads, the operation, a store. Lookups load element by element, any dtype and strides.
// Numerics: narrow, exp, tanh as in math-inl.hpp, log from Highway (about 1 ulp). Wide, each step has the bits of the definition
// (formula/arithmetic.hpp): no fused multiply-add, functions from libm lane by lane. Integer / and % round toward minus infinity.
// Checked: modify_test.cpp.
#if defined(HEED_SIMD_STEPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_SIMD_STEPS_INL
#undef HEED_SIMD_STEPS_INL
#else
#define HEED_SIMD_STEPS_INL
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <hwy/highway.h>

#include "base/dtype.hpp"
#include "base/math-inl.hpp"
#include "formula/arithmetic.hpp"
#include "formula/tile.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::formula::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using base::HWY_NAMESPACE::exp_of;
using base::HWY_NAMESPACE::log_of;
using base::HWY_NAMESPACE::tanh_of;

/// One strip: `keys` rows of 64 lanes from key `key` of the tile.
struct Strip {
  const TileFrame& frame;
  const void* scores;  ///< the tile, of floats or doubles as the program has it
  int key, keys, lanes;
};

template <class D>
HWY_INLINE hn::Vec<D> lanes_of(D d, const Operand& operand, int key, int lane) {
  const auto* const row = static_cast<const hn::TFromD<D>*>(operand.lanes) + key * operand.key_stride;
  return operand.splat ? hn::Set(d, *row) : hn::LoadU(d, row + lane);
}

/// Steps in lanes of F, float or double.
template <class F>
struct Steps {
  static constexpr bool kWide = sizeof(F) == 8;
  using DF = hn::CappedTag<F, 64>;
  using DI = hn::RebindToSigned<DF>;
  using I = hn::TFromD<DI>;

  /// out[key, lane] = function(key, lane) over the strip.
  template <class D, class Function>
  static HWY_INLINE void fill(D d, const Strip& strip, void* out, Function&& function) {
    const int width = static_cast<int>(hn::Lanes(d));
    for (int key = 0; key < strip.keys; ++key) {
      auto* const row = static_cast<hn::TFromD<D>*>(out) + key * 64;
      for (int lane = 0; lane < strip.lanes; lane += width) hn::StoreU(function(key, lane), d, row + lane);
    }
  }

  template <class D, class Function>
  static HWY_INLINE void unary(D d, const Strip& strip, const Operand& a, void* out, Function&& function) {
    fill(d, strip, out, [&](int key, int lane) { return function(lanes_of(d, a, key, lane)); });
  }

  template <class D, class Function>
  static HWY_INLINE void binary(D d, const Strip& strip, const Operand& a, const Operand& b, void* out, Function&& function) {
    fill(d, strip, out, [&](int key, int lane) { return function(lanes_of(d, a, key, lane), lanes_of(d, b, key, lane)); });
  }

  /// Operations without a vector form: out = function(a, b, key, lane), lane by lane.
  template <class From, class To, class Function>
  static HWY_INLINE void each(const Strip& strip, const Operand& a, const Operand& b, void* out, Function&& function) {
    for (int key = 0; key < strip.keys; ++key) {
      const auto* const left = static_cast<const From*>(a.lanes) + key * a.key_stride;
      const auto* const right = static_cast<const From*>(b.lanes) + key * b.key_stride;
      auto* const row = static_cast<To*>(out) + key * 64;
      for (int lane = 0; lane < strip.lanes; ++lane) row[lane] = function(left[a.splat ? 0 : lane], right[b.splat ? 0 : lane], key, lane);
    }
  }

  /// Comparisons of lanes of D; the answer is a mask of all bits.
  template <class D>
  static HWY_INLINE void comparison(D d, Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
    const DI di;
    const auto answer = [&](auto&& test) {
      fill(di, strip, out, [&](int key, int lane) {
        return hn::VecFromMask(di, hn::RebindMask(di, test(lanes_of(d, a, key, lane), lanes_of(d, b, key, lane))));
      });
    };
    switch (op) {
      case Op::kLess:
        return answer([](auto x, auto y) { return hn::Lt(x, y); });
      case Op::kLessEqual:
        return answer([&](auto x, auto y) { return hn::Or(hn::Lt(x, y), hn::Eq(x, y)); });
      case Op::kGreater:
        return answer([](auto x, auto y) { return hn::Gt(x, y); });
      case Op::kGreaterEqual:
        return answer([&](auto x, auto y) { return hn::Or(hn::Gt(x, y), hn::Eq(x, y)); });
      case Op::kEqual:
        return answer([](auto x, auto y) { return hn::Eq(x, y); });
      default:
        return answer([](auto x, auto y) { return hn::Not(hn::Eq(x, y)); });  // Ne of some instruction sets is false for NaN
    }
  }

  /// Lane by lane; what has no value is noted where the score decides it, else it is in a hidden place.
  static void integers_of_lanes(Op op, bool noted, const Strip& strip, const Operand& a, const Operand& b, void* out) {
    std::uint8_t* const doubtful = strip.frame.doubtful();
    each<I, I>(strip, a, b, out, [&](I x, I y, int key, int lane) {
      std::int64_t value = 0;
      const bool broken = formula::integer_operation(op, x, y, value);
      if (noted) doubtful[key * 64 + lane] |= static_cast<std::uint8_t>(broken);
      return static_cast<I>(value);
    });
  }

  static void integer_step(Op op, bool noted, const Strip& strip, const Operand& a, const Operand& b, void* out) {
    const DI d;
    if (noted) return integers_of_lanes(op, noted, strip, a, b, out);
    switch (op) {
      case Op::kNegate:
        return unary(d, strip, a, out, [](auto x) { return hn::Neg(x); });
      case Op::kAbs:
        return unary(d, strip, a, out, [&](auto x) { return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Neg(x), x); });
      case Op::kFloor:
        return unary(d, strip, a, out, [](auto x) { return x; });
      case Op::kAdd:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Add(x, y); });
      case Op::kSubtract:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Sub(x, y); });
      case Op::kMultiply:
        if constexpr (kWide) {
          return each<I, I>(strip, a, b, out, [](I x, I y, int, int) {
            return static_cast<I>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(y));
          });
        } else {
          return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Mul(x, y); });
        }
      case Op::kMin:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Min(x, y); });
      case Op::kMax:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Max(x, y); });
      default:
        return integers_of_lanes(op, noted, strip, a, b, out);
    }
  }

  /// NaN when either is, else x, or y where `other` says so: as std::min and std::max take of equal numbers the first.
  template <class V, class M>
  static HWY_INLINE V or_nan(V x, V y, M other) {
    return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::IsNaN(y)), hn::Add(x, y), hn::IfThenElse(other, y, x));
  }

  static void real_step(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
    const DF d;
    switch (op) {
      case Op::kNegate:
        return unary(d, strip, a, out, [](auto x) { return hn::Neg(x); });
      case Op::kAbs:
        return unary(d, strip, a, out, [](auto x) { return hn::Abs(x); });
      case Op::kAdd:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Add(x, y); });
      case Op::kSubtract:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Sub(x, y); });
      case Op::kMultiply:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Mul(x, y); });
      case Op::kDivide:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Div(x, y); });
      case Op::kModulo:  // std::floor keeps the sign of zero everywhere
        return each<F, F>(strip, a, b, out, [](F x, F y, int, int) { return x - y * std::floor(x / y); });
      case Op::kMin:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return or_nan(x, y, hn::Lt(y, x)); });
      case Op::kMax:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return or_nan(x, y, hn::Lt(x, y)); });
      default:
        return function_step(op, strip, a, out);
    }
  }

  /// a / b = y + (a - y b) r, where y = a r and r is one over b: with a fused multiply-add right to the last bit but rarely.
  static void quotient_step(const Strip& strip, const Operand& a, const Operand& b, const Operand& reciprocal, void* out) {
    const DF d;
    fill(d, strip, out, [&](int key, int lane) {
      const auto x = lanes_of(d, a, key, lane), r = lanes_of(d, reciprocal, key, lane), y = hn::Mul(x, r);
      const auto corrected = hn::MulAdd(hn::NegMulAdd(y, lanes_of(d, b, key, lane), x), r, y);
      return hn::IfThenElse(hn::Lt(hn::Abs(y), hn::Set(d, std::numeric_limits<F>::infinity())), corrected, y);
    });
  }

  static void function_step(Op op, const Strip& strip, const Operand& a, void* out) {
    if constexpr (kWide) {
      each<F, F>(strip, a, a, out, [&](F x, F, int, int) { return formula::real_operation(op, x, 0); });
    } else {
      const DF d;
      switch (op) {
        case Op::kExp:
          return unary(d, strip, a, out, [&](auto x) { return exp_of(d, x); });
        case Op::kTanh:
          return unary(d, strip, a, out, [&](auto x) { return tanh_of(d, x); });
        case Op::kLog:
          return unary(d, strip, a, out, [&](auto x) { return log_of(d, x); });
        default:  // sigmoid
          return unary(d, strip, a, out,
                       [&](auto x) { return hn::Div(hn::Set(d, 1.0f), hn::Add(hn::Set(d, 1.0f), exp_of(d, hn::Neg(x)))); });
      }
    }
  }

  /// Equality of conditions, & | !, on masks of all bits.
  static void logic_step(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
    const DI d;
    switch (op) {
      case Op::kNot:
        return unary(d, strip, a, out, [](auto x) { return hn::Not(x); });
      case Op::kAnd:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::And(x, y); });
      case Op::kOr:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Or(x, y); });
      case Op::kEqual:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Not(hn::Xor(x, y)); });
      default:
        return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Xor(x, y); });
    }
  }

  /// The floor of NaN and of what 64 bits cannot hold has no value.
  static void floor_step(bool noted, const Strip& strip, const Operand& a, void* out) {
    std::uint8_t* const doubtful = strip.frame.doubtful();
    each<F, I>(strip, a, a, out, [&](F x, F, int key, int lane) -> I {
      const F floor = std::floor(x);
      const bool held = floor >= static_cast<F>(-0x1p63) && floor < static_cast<F>(0x1p63);
      if (noted) doubtful[key * 64 + lane] |= static_cast<std::uint8_t>(!held);
      return held ? static_cast<I>(floor) : 0;
    });
  }

  static void select_step(const Strip& strip, const Operand& condition, const Operand& a, const Operand& b, void* out) {
    const DI d;  // bits are bits: the same for reals, integers and masks
    fill(d, strip, out, [&](int key, int lane) {
      return hn::IfVecThenElse(lanes_of(d, condition, key, lane), lanes_of(d, a, key, lane), lanes_of(d, b, key, lane));
    });
  }

  static void convert_step(const Strip& strip, const Operand& a, void* out) {
    each<I, F>(strip, a, a, out, [](I x, I, int, int) { return static_cast<F>(x); });
  }

  // ---- lookups ----

  template <class T>
  static void load_lanes(const T* data, const std::int64_t* offsets, int lanes, Type type, void* row) {
    auto* const reals = static_cast<F*>(row);
    auto* const integers = static_cast<I*>(row);
    for (int lane = 0; lane < lanes; ++lane) {
      const T value = data[offsets[lane]];
      if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>)
        reals[lane] = static_cast<F>(f32_from(value));
      else if constexpr (std::is_floating_point_v<T>)
        reals[lane] = static_cast<F>(value);
      else
        integers[lane] = type == Type::kBoolean ? -static_cast<I>(value != 0) : static_cast<I>(value);
    }
  }

  static void load_lanes(const TensorView& table, const std::int64_t* offsets, int lanes, Type type, void* row) {
    switch (table.dtype) {
      case DType::kF64:
        return load_lanes(static_cast<const double*>(table.data), offsets, lanes, type, row);
      case DType::kF32:
        return load_lanes(static_cast<const float*>(table.data), offsets, lanes, type, row);
      case DType::kF16:
        return load_lanes(static_cast<const f16*>(table.data), offsets, lanes, type, row);
      case DType::kBF16:
        return load_lanes(static_cast<const bf16*>(table.data), offsets, lanes, type, row);
      case DType::kI64:
        return load_lanes(static_cast<const std::int64_t*>(table.data), offsets, lanes, type, row);
      case DType::kI32:
        return load_lanes(static_cast<const std::int32_t*>(table.data), offsets, lanes, type, row);
      case DType::kI16:
        return load_lanes(static_cast<const std::int16_t*>(table.data), offsets, lanes, type, row);
      case DType::kI8:
        return load_lanes(static_cast<const std::int8_t*>(table.data), offsets, lanes, type, row);
      default:
        return load_lanes(static_cast<const std::uint8_t*>(table.data), offsets, lanes, type, row);
    }
  }

  /// offsets[lane] += an index of the place, clamped: out of range only in a hidden place (the plan has seen to that), where any
  /// element does.
  template <class T>
  static void add_index(const Strip& strip, int key, const Operand& index, std::int64_t last, std::int64_t stride, std::int64_t* offsets) {
    const auto* const row = static_cast<const T*>(index.lanes) + key * index.key_stride;
    for (int lane = 0; lane < strip.lanes; ++lane) offsets[lane] += std::clamp<std::int64_t>(row[lane], 0, last) * stride;
  }

  static void lookup_step(const Strip& strip, int index, const Step& step, void* out) {
    const TileFrame& frame = strip.frame;
    const formula::Code& code = frame.code();
    const TensorView& table = frame.program().formula().tables()[static_cast<std::size_t>(step.table)].view;
    const std::int64_t* const query_offsets = frame.query_offsets(index);
    const std::int64_t* const key_offsets = frame.key_offsets(index);
    const bool hollow = count_of(table.shape) == 0;  // then every place is hidden, and there is nothing to load
    for (int key = 0; key < strip.keys; ++key) {
      void* const row = static_cast<F*>(out) + key * 64;
      if (hollow) {
        std::fill_n(static_cast<I*>(row), strip.lanes, I{0});
        continue;
      }
      std::int64_t offsets[64];
      for (int lane = 0; lane < strip.lanes; ++lane) offsets[lane] = query_offsets[lane] + key_offsets[strip.key + key];
      for (std::size_t axis = 0; axis < step.indices.size(); ++axis) {
        const auto at = static_cast<std::size_t>(step.indices[axis]);
        if (code.extents[at] != formula::Extent::kTileWide && code.extents[at] != formula::Extent::kDiagonal) continue;
        const bool narrow = code.narrow[at];
        const Operand given = frame.operand(step.indices[axis], !narrow, strip.key, strip.scores);
        const std::int64_t last = table.shape[static_cast<int>(axis)] - 1, stride = table.strides[static_cast<int>(axis)];
        narrow ? add_index<std::int32_t>(strip, key, given, last, stride, offsets)
               : add_index<std::int64_t>(strip, key, given, last, stride, offsets);
      }
      load_lanes(table, offsets, strip.lanes, step.type, row);
    }
  }

  // ---- any step ----

  static void run(const Strip& strip, int index) {
    const Step& step = strip.frame.program().formula().steps()[static_cast<std::size_t>(index)];
    const auto operand = [&](int i) {
      const int argument = step.args[static_cast<std::size_t>(i)];
      return argument < 0 ? Operand{} : strip.frame.operand(argument, kWide, strip.key, strip.scores);
    };
    void* const out = strip.frame.strip(index, kWide);
    const bool noted = step.depends & formula::kOnScore;
    if (step.kind == Step::Kind::kToReal) return convert_step(strip, operand(0), out);
    if (step.op == Op::kLookup) return lookup_step(strip, index, step, out);
    if (step.op == Op::kSelect) return select_step(strip, operand(0), operand(1), operand(2), out);
    const Operand a = operand(0), b = step.args[1] < 0 ? a : operand(1);
    if (step.operand == Type::kBoolean) return logic_step(step.op, strip, a, b, out);
    if (formula::is_comparison(step.op)) {
      return step.operand == Type::kReal ? comparison(DF(), step.op, strip, a, b, out) : comparison(DI(), step.op, strip, a, b, out);
    }
    if constexpr (!kWide) {
      if (strip.frame.program().by_reciprocal(index)) return quotient_step(strip, a, b, strip.frame.reciprocal(index), out);
    }
    if (step.operand == Type::kInteger) return integer_step(step.op, noted, strip, a, b, out);
    if (step.op == Op::kFloor) return floor_step(noted, strip, a, out);
    real_step(step.op, strip, a, b, out);
  }
};

/// Lanes of another width: reals rounded to nearest, beyond float32 to infinity; integers and masks, which fit.
inline void convert_lanes(const Strip& strip, const formula::Instruction& instruction) {
  const bool real = strip.frame.program().formula().steps()[static_cast<std::size_t>(instruction.step)].type == Type::kReal;
  const Operand from = strip.frame.operand(instruction.step, !instruction.wide, strip.key, strip.scores);
  void* const out = strip.frame.strip(instruction.step, instruction.wide);
  using Any = Steps<float>;
  if (instruction.wide && real)
    Any::each<float, double>(strip, from, from, out, [](float x, float, int, int) { return static_cast<double>(x); });
  else if (instruction.wide)
    Any::each<std::int32_t, std::int64_t>(strip, from, from, out, [](std::int32_t x, std::int32_t, int, int) { return std::int64_t{x}; });
  else if (real)
    Any::each<double, float>(strip, from, from, out, [](double x, double, int, int) { return static_cast<float>(x); });
  else
    Any::each<std::int64_t, std::int32_t>(strip, from, from, out,
                                          [](std::int64_t x, std::int64_t, int, int) { return static_cast<std::int32_t>(x); });
}

}  // namespace heed::formula::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
