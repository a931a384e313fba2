// modify and see: a tile program run over one tile, eight keys at a time, so that every step's lanes stay in L1.
//
// A tile-wide step reads its operands (score, strips of earlier steps, lines) and writes a strip of [8, 64] 32-bit lanes: floats,
// int32, or masks of all bits. Cost per step and vector: two loads, the operation, a store; for the whole program, one dispatch per
// step and strip. Lookups load element by element, any dtype and strides.
// Numerics: float32; exp, tanh as in math-inl.hpp, log from Highway (about 1 ulp); integer / and % round toward minus infinity. A
// formula that lanes cannot hold runs through Formula::at, place by place.
// Checked: modify_test.cpp, every operation against Formula::at over random formulas.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/dtype.hpp"
#include "formula/arithmetic.hpp"
#include "kernel/simd/simd.hpp"
#include "kernel/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/simd/modify.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "kernel/simd/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::kernel::HWY_NAMESPACE {

using formula::Op;
using formula::Operand;
using formula::Step;
using formula::TileFrame;
using formula::Type;
using DF = hn::CappedTag<float, 64>;
using DI = hn::RebindToSigned<DF>;

/// One strip: `keys` rows of 64 lanes from key `key` of the tile.
struct Strip {
  const TileFrame& frame;
  const float* scores;
  int key, keys, lanes;
};

template <class D>
HWY_INLINE hn::Vec<D> lanes_of(D d, const Operand& operand, int key, int lane) {
  const auto* const row = static_cast<const hn::TFromD<D>*>(operand.lanes) + key * operand.key_stride;
  return operand.splat ? hn::Set(d, *row) : hn::LoadU(d, row + lane);
}

/// out[key, lane] = function(key, lane) over the strip.
template <class D, class Function>
HWY_INLINE void fill(D d, const Strip& strip, void* out, Function&& function) {
  const int width = static_cast<int>(hn::Lanes(d));
  for (int key = 0; key < strip.keys; ++key) {
    auto* const row = static_cast<hn::TFromD<D>*>(out) + key * 64;
    for (int lane = 0; lane < strip.lanes; lane += width) hn::StoreU(function(key, lane), d, row + lane);
  }
}

template <class D, class Function>
HWY_INLINE void unary(D d, const Strip& strip, const Operand& a, void* out, Function&& function) {
  fill(d, strip, out, [&](int key, int lane) { return function(lanes_of(d, a, key, lane)); });
}

template <class D, class Function>
HWY_INLINE void binary(D d, const Strip& strip, const Operand& a, const Operand& b, void* out, Function&& function) {
  fill(d, strip, out, [&](int key, int lane) { return function(lanes_of(d, a, key, lane), lanes_of(d, b, key, lane)); });
}

/// Comparisons of lanes of D; the answer is a mask of all bits, as int32.
template <class D>
HWY_INLINE void comparison(D d, Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
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

/// Whole-number operations without a vector form: lane by lane.
HWY_INLINE void lane_by_lane(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
  for (int key = 0; key < strip.keys; ++key) {
    const auto* const left = static_cast<const std::int32_t*>(a.lanes) + key * a.key_stride;
    const auto* const right = static_cast<const std::int32_t*>(b.lanes) + key * b.key_stride;
    auto* const row = static_cast<std::int32_t*>(out) + key * 64;
    for (int lane = 0; lane < strip.lanes; ++lane) {
      std::int64_t value = 0;
      formula::integer_operation(op, left[a.splat ? 0 : lane], right[b.splat ? 0 : lane], value);
      row[lane] = static_cast<std::int32_t>(value);
    }
  }
}

void integer_step(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
  const DI d;
  switch (op) {
    case Op::kNegate:
      return unary(d, strip, a, out, [](auto x) { return hn::Neg(x); });
    case Op::kAbs:
      return unary(d, strip, a, out, [](auto x) { return hn::Abs(x); });
    case Op::kFloor:
      return unary(d, strip, a, out, [](auto x) { return x; });
    case Op::kAdd:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Add(x, y); });
    case Op::kSubtract:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Sub(x, y); });
    case Op::kMultiply:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Mul(x, y); });
    case Op::kMin:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Min(x, y); });
    case Op::kMax:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::Max(x, y); });
    default:
      return lane_by_lane(op, strip, a, b, out);
  }
}

/// min and max of the definition: NaN when either is.
template <class V, class Pick>
HWY_INLINE V or_nan(V x, V y, Pick&& pick) {
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::IsNaN(y)), hn::Add(x, y), pick(x, y));
}

void real_step(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
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
    case Op::kModulo:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return hn::NegMulAdd(y, hn::Floor(hn::Div(x, y)), x); });
    case Op::kMin:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return or_nan(x, y, [](auto u, auto v) { return hn::Min(u, v); }); });
    case Op::kMax:
      return binary(d, strip, a, b, out, [](auto x, auto y) { return or_nan(x, y, [](auto u, auto v) { return hn::Max(u, v); }); });
    case Op::kExp:
      return unary(d, strip, a, out, [&](auto x) { return exp_of(d, x); });
    case Op::kTanh:
      return unary(d, strip, a, out, [&](auto x) { return tanh_of(d, x); });
    case Op::kLog:
      return unary(d, strip, a, out, [&](auto x) { return log_of(d, x); });
    default:  // sigmoid
      return unary(d, strip, a, out, [&](auto x) { return hn::Div(hn::Set(d, 1.0f), hn::Add(hn::Set(d, 1.0f), exp_of(d, hn::Neg(x)))); });
  }
}

/// Equality of conditions, & | !, on masks of all bits.
void logic_step(Op op, const Strip& strip, const Operand& a, const Operand& b, void* out) {
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

/// floor of a real that the score decides: NaN and what 32 bits cannot hold become 0, as a place without a value may.
void floor_step(const Strip& strip, const Operand& a, void* out) {
  const DF d;
  const DI di;
  fill(di, strip, out, [&](int key, int lane) { return hn::ConvertTo(di, hn::Floor(lanes_of(d, a, key, lane))); });
}

void select_step(const Strip& strip, const Operand& condition, const Operand& a, const Operand& b, void* out) {
  const DI d;  // bits are bits: the same for floats, integers and masks
  fill(d, strip, out, [&](int key, int lane) {
    return hn::IfVecThenElse(lanes_of(d, condition, key, lane), lanes_of(d, a, key, lane), lanes_of(d, b, key, lane));
  });
}

void convert_step(const Strip& strip, const Operand& a, void* out) {
  const DF d;
  const DI di;
  fill(d, strip, out, [&](int key, int lane) { return hn::ConvertTo(d, lanes_of(di, a, key, lane)); });
}

// ---- lookups ----

template <class T>
void load_lanes(const T* data, const std::int64_t* offsets, int lanes, Type type, std::uint32_t* row) {
  for (int lane = 0; lane < lanes; ++lane) {
    const T value = data[offsets[lane]];
    if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>) {
      row[lane] = std::bit_cast<std::uint32_t>(f32_from(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      row[lane] = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    } else if (type == Type::kBoolean) {
      row[lane] = value ? ~std::uint32_t{0} : 0;
    } else {
      row[lane] = static_cast<std::uint32_t>(value);
    }
  }
}

void load_lanes(const TensorView& table, const std::int64_t* offsets, int lanes, Type type, std::uint32_t* row) {
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

void lookup_step(const Strip& strip, int index, const Step& step, void* out) {
  const formula::TileProgram& program = strip.frame.program();
  const TensorView& table = program.formula().tables()[static_cast<std::size_t>(step.table)].view;
  const std::int64_t* const query_offsets = strip.frame.query_offsets(index);
  const std::int64_t* const key_offsets = strip.frame.key_offsets(index);
  const bool hollow = count_of(table.shape) == 0;  // then every place is hidden, and there is nothing to load
  for (int key = 0; key < strip.keys; ++key) {
    if (hollow) {
      std::fill_n(static_cast<std::uint32_t*>(out) + key * 64, strip.lanes, 0U);
      continue;
    }
    std::int64_t offsets[64];
    for (int lane = 0; lane < strip.lanes; ++lane) offsets[lane] = query_offsets[lane] + key_offsets[strip.key + key];
    for (std::size_t axis = 0; axis < step.indices.size(); ++axis) {
      if (program.extent(step.indices[axis]) != formula::Extent::kTileWide) continue;
      const Operand wide = strip.frame.operand(step.indices[axis], strip.key, strip.scores);
      const auto* const row = static_cast<const std::int32_t*>(wide.lanes) + key * wide.key_stride;
      const std::int64_t last = table.shape[static_cast<int>(axis)] - 1, stride = table.strides[static_cast<int>(axis)];
      // Out of range only in a hidden place (the plan has seen to that), where any element does.
      for (int lane = 0; lane < strip.lanes; ++lane) offsets[lane] += std::clamp<std::int64_t>(row[lane], 0, last) * stride;
    }
    load_lanes(table, offsets, strip.lanes, step.type, static_cast<std::uint32_t*>(out) + key * 64);
  }
}

// ---- the program ----

void run_step(const Strip& strip, int index) {
  const Step& step = strip.frame.program().formula().steps()[static_cast<std::size_t>(index)];
  const auto operand = [&](int i) {
    const int argument = step.args[static_cast<std::size_t>(i)];
    return argument < 0 ? Operand{} : strip.frame.operand(argument, strip.key, strip.scores);
  };
  void* const out = strip.frame.strip(index);
  if (step.kind == Step::Kind::kToReal) return convert_step(strip, operand(0), out);
  if (step.op == Op::kScore) return;
  if (step.op == Op::kLookup) return lookup_step(strip, index, step, out);
  if (step.op == Op::kSelect) return select_step(strip, operand(0), operand(1), operand(2), out);
  const Operand a = operand(0), b = step.args[1] < 0 ? a : operand(1);
  if (step.operand == Type::kBoolean) return logic_step(step.op, strip, a, b, out);
  if (formula::is_comparison(step.op)) {
    return step.operand == Type::kReal ? comparison(DF(), step.op, strip, a, b, out) : comparison(DI(), step.op, strip, a, b, out);
  }
  if (step.operand == Type::kInteger) return integer_step(step.op, strip, a, b, out);
  if (step.op == Op::kFloor) return floor_step(strip, a, out);
  real_step(step.op, strip, a, b, out);
}

/// Runs the program strip by strip and hands each strip's result to `take(strip, result)`.
template <class Take>
void run_program(const TileFrame& frame, int keys, int lanes, const float* scores, Take&& take) {
  const formula::TileProgram& program = frame.program();
  for (int key = 0; key < keys; key += TileFrame::kStrip) {
    const Strip strip{frame, scores, key, std::min(TileFrame::kStrip, keys - key), lanes};
    for (const int step : program.tile_steps()) run_step(strip, step);
    take(strip, frame.operand(program.formula().result(), key, scores));
  }
}

/// x, with a NaN of any kind as the plain one: those of tables may carry bits that a fast exp would mistake for an exponent.
HWY_INLINE hn::Vec<DF> plain_nan(hn::Vec<DF> x) {
  return hn::IfThenElse(hn::IsNaN(x), hn::Set(DF(), std::numeric_limits<float>::quiet_NaN()), x);
}

void Modify(const TileFrame& frame, int keys, int lanes, float* s) {
  run_program(frame, keys, lanes, s,
              [&](const Strip& strip, const Operand& result) { unary(DF(), strip, result, s + strip.key * 64, plain_nan); });
}

void See(const TileFrame& frame, int keys, int lanes, std::uint8_t* seen) {
  run_program(frame, keys, lanes, nullptr, [&](const Strip& strip, const Operand& result) {
    const DI d;
    const hn::Rebind<std::uint8_t, DI> d8;
    const int width = static_cast<int>(hn::Lanes(d));
    for (int key = 0; key < strip.keys; ++key) {
      for (int lane = 0; lane < strip.lanes; lane += width) {
        const auto one = hn::And(lanes_of(d, result, key, lane), hn::Set(d, 1));
        hn::StoreU(hn::DemoteTo(d8, one), d8, seen + (strip.key + key) * 64 + lane);
      }
    }
  });
}

}  // namespace heed::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::kernel {
HWY_EXPORT(Modify);
HWY_EXPORT(See);

namespace {
template <class Put>
void place_by_place(int keys, int lanes, Put&& put) {
  for (int key = 0; key < keys; ++key) {
    for (int lane = 0; lane < lanes; ++lane) put(key * kTile + lane, key, lane);
  }
}
}  // namespace

void simd::modify(const formula::TileFrame& frame, int keys, int lanes, float* s) {
  if (frame.program().place_by_place().empty()) return HWY_DYNAMIC_DISPATCH(Modify)(frame, keys, lanes, s);
  place_by_place(keys, lanes, [&](int at, int key, int lane) {
    const formula::Value value = frame.program().formula().at(frame.place(lane, key, s[at]), frame.values());
    const bool number = value.broken < 0 && !std::isnan(value.real);
    s[at] = number ? static_cast<float>(value.real) : std::numeric_limits<float>::quiet_NaN();
  });
}

void simd::see(const formula::TileFrame& frame, int keys, int lanes, std::uint8_t* seen) {
  if (frame.program().place_by_place().empty()) return HWY_DYNAMIC_DISPATCH(See)(frame, keys, lanes, seen);
  place_by_place(keys, lanes, [&](int at, int key, int lane) {
    seen[at] = frame.program().formula().at(frame.place(lane, key, 0), frame.values()).integer != 0;
  });
}
}  // namespace heed::kernel
#endif
