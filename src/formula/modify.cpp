// modify, see and hide: a tile program run over one tile, eight keys at a time, so that every step's lanes stay in L1.
//
// The code of the program (formula/tile_program.hpp) is run instruction by instruction, one dispatch per instruction and strip; the
// steps themselves are in steps-inl.hpp. Single places go to Formula::at: where a step that reads s had no value (NaN where the
// definition has none either), and where float32 gives no finite number for |s| > 2^24, infinite or not, beyond what the plan has proved.
// Only those places are replaced. Checked: modify_test.cpp, every operation against Formula::at over random formulas.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "base/targets.hpp"
#include "formula/bounds.hpp"
#include "formula/modify.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "formula/modify.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include "formula/steps-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::formula::HWY_NAMESPACE {

using Narrow = Steps<float>;
using Wide = Steps<double>;
using DI = Narrow::DI;
using base::HWY_NAMESPACE::mask_of_bytes;

/// Runs the first `count` instructions strip by strip, and after each strip `take(strip)`.
template <class Take>
void run_program(const TileFrame& frame, std::size_t count, int keys, int lanes, const void* scores, Take&& take) {
  for (int key = 0; key < keys; key += TileFrame::kStrip) {
    const Strip strip{frame, scores, key, std::min(TileFrame::kStrip, keys - key), lanes};
    for (const formula::Instruction& instruction : std::span(frame.code().instructions).first(count)) {
      if (instruction.kind != formula::Instruction::Kind::kStep)
        convert_lanes(strip, instruction);
      else if (instruction.wide)
        Wide::run(strip, instruction.step);
      else
        Narrow::run(strip, instruction.step);
    }
    take(strip);
  }
}

/// x, with a NaN of any kind as the plain one: those of tables may carry bits that a fast exp would mistake for an exponent.
template <class D>
HWY_INLINE hn::Vec<D> plain_nan(D d, hn::Vec<D> x) {
  return hn::IfThenElse(hn::IsNaN(x), hn::Set(d, std::numeric_limits<hn::TFromD<D>>::quiet_NaN()), x);
}

/// Evaluates by the definition the places of a strip that `doubtful` marks, and clears the marks. s: before, result: after.
template <class F>
void settle_places(const Strip& strip, const F* s, F* result) {
  std::uint8_t* const doubtful = strip.frame.doubtful();
  for (int key = 0; key < strip.keys; ++key) {
    for (int lane = 0; lane < strip.lanes; ++lane) {
      const int at = key * 64 + lane;
      if (!doubtful[at]) continue;
      const formula::Place place = strip.frame.place(lane, strip.key + key, static_cast<double>(s[at]));
      const formula::Value value = strip.frame.program().formula().at(place, strip.frame.values());
      const bool number = value.broken < 0 && !std::isnan(value.real);
      result[at] = number ? static_cast<F>(value.real) : std::numeric_limits<F>::quiet_NaN();
    }
  }
  std::fill_n(doubtful, TileFrame::kStrip * 64, std::uint8_t{0});
}

/// Marks places whose s, infinities included, lies beyond what the plan has proved and whose result is not finite; false: there are none.
template <class F>
bool mark_overflows(const Strip& strip, const F* s, const F* result) {
  std::uint8_t* const doubtful = strip.frame.doubtful();
  bool any = false;
  for (int key = 0; key < strip.keys; ++key) {
    for (int lane = 0; lane < strip.lanes; ++lane) {
      const int at = key * 64 + lane;
      const bool beyond = std::fabs(s[at]) > static_cast<F>(formula::kMostScore) && !std::isfinite(result[at]);
      doubtful[at] = static_cast<std::uint8_t>(beyond);
      any |= beyond;
    }
  }
  return any;
}

/// s = made(key, lane) over the strip. Where places may be in doubt, s is kept until they are settled.
template <class F, class Made>
void finish(const Strip& strip, F* s, Made&& made) {
  const formula::TileProgram& program = strip.frame.program();
  const typename Steps<F>::DF d;
  if (!program.breaks() && !program.overflows())
    return Steps<F>::fill(d, strip, s, [&](int key, int lane) { return plain_nan(d, made(key, lane)); });
  HWY_ALIGN F result[TileFrame::kStrip * 64];
  auto beyond = hn::Zero(d);  // the largest |s| that meets a result that is not finite
  Steps<F>::fill(d, strip, result, [&](int key, int lane) {
    const auto y = plain_nan(d, made(key, lane)), x = hn::Abs(hn::LoadU(d, s + key * 64 + lane));
    const auto infinity = hn::Set(d, std::numeric_limits<F>::infinity());
    beyond = hn::Max(beyond, hn::IfThenElseZero(hn::Le(x, infinity), hn::IfThenZeroElse(hn::Lt(hn::Abs(y), infinity), x)));
    return y;
  });
  const bool some = program.overflows() && !hn::AllFalse(d, hn::Gt(beyond, hn::Set(d, static_cast<F>(formula::kMostScore))));
  if (program.breaks() || (some && mark_overflows(strip, s, result))) settle_places(strip, s, result);
  Steps<F>::fill(d, strip, s, [&](int key, int lane) { return hn::LoadU(d, result + key * 64 + lane); });
}

/// On a tile of the lanes that the program's scores have.
template <class F>
void modify_tile(const TileFrame& frame, int keys, int lanes, F* s) {
  constexpr bool kWide = Steps<F>::kWide;
  const typename Steps<F>::DF d;
  const formula::Formula& formula = frame.program().formula();
  const std::vector<formula::Instruction>& code = frame.code().instructions;
  const int result = formula.result();
  const Step& last = formula.steps()[static_cast<std::size_t>(result)];
  // A last step of these kinds is done as the result is taken: one pass less.
  const bool together = !code.empty() && code.back().kind == formula::Instruction::Kind::kStep && code.back().wide == kWide &&
                        last.kind == Step::Kind::kOperation && (last.op == Op::kAdd || last.op == Op::kMultiply);
  run_program(frame, code.size() - together, keys, lanes, s, [&](const Strip& strip) {
    F* const own = s + strip.key * 64;
    if (!together) {
      const Operand from = frame.operand(result, kWide, strip.key, s);
      return finish(strip, own, [&](int key, int lane) { return lanes_of(d, from, key, lane); });
    }
    const Operand a = frame.operand(last.args[0], kWide, strip.key, s), b = frame.operand(last.args[1], kWide, strip.key, s);
    if (last.op == Op::kAdd)
      finish(strip, own, [&](int key, int lane) { return hn::Add(lanes_of(d, a, key, lane), lanes_of(d, b, key, lane)); });
    else
      finish(strip, own, [&](int key, int lane) { return hn::Mul(lanes_of(d, a, key, lane), lanes_of(d, b, key, lane)); });
  });
}

void Modify(const TileFrame& frame, int keys, int lanes, float* s) {
  modify_tile(frame, keys, lanes, s);
}
void ModifyDouble(const TileFrame& frame, int keys, int lanes, double* s) {
  modify_tile(frame, keys, lanes, s);
}

void See(const TileFrame& frame, int keys, int lanes, std::uint8_t* seen) {
  run_program(frame, frame.code().instructions.size(), keys, lanes, nullptr, [&](const Strip& strip) {
    const Operand result = frame.operand(frame.program().formula().result(), false, strip.key, nullptr);
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

template <class F>
void hide_tile(const std::uint8_t* seen, int keys, int lanes, F* s) {
  const typename Steps<F>::DF d;
  const auto nothing = hn::Set(d, -std::numeric_limits<F>::infinity());
  const int width = static_cast<int>(hn::Lanes(d));
  for (int j = 0; j < keys; ++j) {
    for (int lane = 0; lane < lanes; lane += width) {
      F* const place = s + std::int64_t{64} * j + lane;
      hn::StoreU(hn::IfThenElse(mask_of_bytes(d, seen + j * 64 + lane), hn::LoadU(d, place), nothing), d, place);
    }
  }
}

void Hide(const std::uint8_t* seen, int keys, int lanes, float* s) {
  hide_tile(seen, keys, lanes, s);
}
void HideDouble(const std::uint8_t* seen, int keys, int lanes, double* s) {
  hide_tile(seen, keys, lanes, s);
}

}  // namespace heed::formula::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::formula {
HWY_EXPORT(Modify);
HWY_EXPORT(See);
HWY_EXPORT(Hide);
HWY_EXPORT(ModifyDouble);
HWY_EXPORT(HideDouble);

void modify(const TileFrame& frame, int keys, int lanes, float* s) {
  HWY_DYNAMIC_DISPATCH(Modify)(frame, keys, lanes, s);
}
void see(const TileFrame& frame, int keys, int lanes, std::uint8_t* seen) {
  HWY_DYNAMIC_DISPATCH(See)(frame, keys, lanes, seen);
}
void hide(const std::uint8_t* seen, int keys, int lanes, float* s) {
  HWY_DYNAMIC_DISPATCH(Hide)(seen, keys, lanes, s);
}
void modify(const TileFrame& frame, int keys, int lanes, double* s) {
  HWY_DYNAMIC_DISPATCH(ModifyDouble)(frame, keys, lanes, s);
}
void hide(const std::uint8_t* seen, int keys, int lanes, double* s) {
  HWY_DYNAMIC_DISPATCH(HideDouble)(seen, keys, lanes, s);
}
}  // namespace heed::formula
#endif
