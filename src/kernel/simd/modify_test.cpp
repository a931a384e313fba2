// modify and see: thousands of random formulas on whole tiles equal Formula::at at each visible place, with every instruction set.
//
// Masks must agree bit for bit. For scores each real step carries the interval that float32 may reach when every operation rounds
// (relative 2^-20 for functions, 2^-23 else, absolute 2^-126); what float32 leaves undecided (a comparison of nearly equal reals) is
// left out, and counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "formula/arithmetic.hpp"
#include "kernel/simd/instruction_sets.hpp"
#include "kernel/simd/simd.hpp"
#include "laws/support/random_formula.hpp"

namespace heed::kernel {
namespace {

using formula::Box;
using formula::Extent;
using formula::Formula;
using formula::Op;
using formula::Step;
using formula::TileProgram;
using formula::Type;
using formula::Value;

constexpr double kInf = std::numeric_limits<double>::infinity();

// ---- what float32 may make of a step ----

/// Not known at all, or: NaN for certain, or a number in [low, high] (the number itself for integers and conditions is in Value).
struct Reach {
  bool known = false, nan = false;
  double low = 0, high = 0;
  [[nodiscard]] bool point() const { return low == high; }
  [[nodiscard]] bool holds(double x) const { return low <= x && x <= high; }
};

constexpr Reach kUnknown{};
constexpr Reach kNaN{.known = true, .nan = true};

double as_float(double x, double past) {
  return std::fabs(x) > 3.4e38 ? (x > 0) == (past > 0) ? past : std::copysign(3.4e38, x) : x;
}

/// Widened by one rounding; a single number that float32 holds stays.
Reach rounded(double low, double high, double relative = 0x1p-23) {
  if (std::isnan(low) || std::isnan(high)) return low == high || (std::isnan(low) && std::isnan(high)) ? kNaN : kUnknown;
  if (low == high && static_cast<double>(static_cast<float>(low)) == low && relative == 0x1p-23)
    return {.known = true, .low = low, .high = high};
  const double below = std::isinf(low) ? low : low - std::fabs(low) * relative - 0x1p-126;
  const double above = std::isinf(high) ? high : high + std::fabs(high) * relative + 0x1p-126;
  return {.known = true, .low = as_float(below, -kInf), .high = as_float(above, kInf)};
}

Reach hull(std::initializer_list<double> corners, bool points) {
  double low = kInf, high = -kInf;
  for (const double corner : corners) {
    if (std::isnan(corner)) return points ? kNaN : kUnknown;
    low = std::min(low, corner);
    high = std::max(high, corner);
  }
  return rounded(low, high);
}

Reach product(const Reach& a, const Reach& b) {
  const auto clash = [](const Reach& x, const Reach& y) { return x.holds(0) && (std::isinf(y.low) || std::isinf(y.high)); };
  if ((clash(a, b) || clash(b, a)) && !(a.point() && b.point())) return kUnknown;
  return hull({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high}, a.point() && b.point());
}

Reach quotient(const Reach& a, const Reach& b) {
  if (b.holds(0)) return a.point() && a.low == 0 && b.point() ? kNaN : kUnknown;  // the sign of a zero is not followed
  const bool infinite = std::isinf(a.low) || std::isinf(a.high), by_infinite = std::isinf(b.low) || std::isinf(b.high);
  if (infinite && by_infinite && !(a.point() && b.point())) return kUnknown;
  return hull({a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high}, a.point() && b.point());
}

Reach remainder(const Reach& a, const Reach& b) {
  const Reach ratio = quotient(a, b);
  if (!ratio.known || ratio.nan) return ratio;
  if (std::floor(ratio.low) != std::floor(ratio.high)) return kUnknown;
  const double whole = std::floor(ratio.low);
  const Reach taken = product(b, {.known = true, .low = whole, .high = whole});
  if (!taken.known || taken.nan) return taken;
  return hull({a.low - taken.high, a.high - taken.low}, a.point() && taken.point());
}

template <class Function>
Reach increasing(const Reach& a, const Function& function) {
  return rounded(function(a.low), function(a.high), 0x1p-20);
}

Reach real_reach(Op op, const Reach& a, const Reach& b) {
  const bool points = a.point() && b.point();
  switch (op) {
    case Op::kNegate:
      return {.known = true, .low = -a.high, .high = -a.low};
    case Op::kAbs:
      return {.known = true,
              .low = a.holds(0) ? 0 : std::min(std::fabs(a.low), std::fabs(a.high)),
              .high = std::max(std::fabs(a.low), std::fabs(a.high))};
    case Op::kAdd:
      return hull({a.low + b.low, a.high + b.high}, points);
    case Op::kSubtract:
      return hull({a.low - b.high, a.high - b.low}, points);
    case Op::kMultiply:
      return product(a, b);
    case Op::kDivide:
      return quotient(a, b);
    case Op::kModulo:
      return remainder(a, b);
    case Op::kMin:
      return {.known = true, .low = std::min(a.low, b.low), .high = std::min(a.high, b.high)};
    case Op::kMax:
      return {.known = true, .low = std::max(a.low, b.low), .high = std::max(a.high, b.high)};
    case Op::kExp:
      return increasing(a, [](double x) { return std::exp(x); });
    case Op::kTanh:
      return increasing(a, [](double x) { return std::tanh(x); });
    case Op::kLog:
      return a.high < 0 ? kNaN : a.low < 0 ? kUnknown : increasing(a, [](double x) { return std::log(x); });
    default:
      return increasing(a, [](double x) { return 1 / (1 + std::exp(-x)); });
  }
}

/// Whether a comparison of reals comes out the same for all that float32 may reach.
bool decided(Op op, const Reach& a, const Reach& b) {
  if (a.nan || b.nan || (a.point() && b.point())) return true;
  (void)op;
  return a.high < b.low || b.high < a.low;
}

/// What float32 may reach at one place; `values` are the definition's.
class Follower {
 public:
  Follower(const TileProgram& program, std::span<const Value> values) : program_(program), values_(values), reach_(values.size()) {}

  Reach result() {
    for (int i = 0; i <= program_.formula().result(); ++i) reach_[static_cast<std::size_t>(i)] = follow(i);
    return reach_[static_cast<std::size_t>(program_.formula().result())];
  }

 private:
  [[nodiscard]] const Reach& at(int step) const { return reach_[static_cast<std::size_t>(step)]; }

  [[nodiscard]] Reach follow(int index) const {
    const auto i = static_cast<std::size_t>(index);
    const Step& step = program_.formula().steps()[i];
    const Value& value = values_[i];
    if (value.broken >= 0) return kUnknown;
    const Reach exact = step.type == Type::kReal ? rounded(value.real, value.real) : Reach{.known = true};
    const bool is_operation = step.kind == Step::Kind::kOperation;
    if (program_.extent(index) != Extent::kTileWide || (is_operation && step.op == Op::kScore)) return exact;
    if (is_operation && step.op == Op::kLookup) return all_known(step.indices) ? exact : kUnknown;
    if (is_operation && (step.op == Op::kAnd || step.op == Op::kOr)) return logic(step) ? exact : kUnknown;
    if (is_operation && step.op == Op::kSelect)
      return at(step.args[0]).known ? at(step.args[values_[static_cast<std::size_t>(step.args[0])].integer ? 1 : 2]) : kUnknown;
    if (!all_known(step.args)) return kUnknown;
    if (!is_operation || step.operand != Type::kReal) return exact;
    const Reach& a = at(step.args[0]);
    const Reach& b = step.args[1] < 0 ? a : at(step.args[1]);
    if (formula::is_comparison(step.op)) return decided(step.op, a, b) ? exact : kUnknown;
    if (a.nan || b.nan) return step.op == Op::kFloor ? kUnknown : kNaN;
    if (step.op == Op::kFloor) return std::floor(a.low) == std::floor(a.high) ? exact : kUnknown;
    return real_reach(step.op, a, b);
  }

  [[nodiscard]] bool all_known(std::span<const int> steps) const {
    return std::all_of(steps.begin(), steps.end(), [&](int step) { return step < 0 || at(step).known; });
  }

  [[nodiscard]] bool logic(const Step& step) const {
    const std::int64_t deciding = step.op == Op::kOr;
    for (const int argument : {step.args[0], step.args[1]}) {
      if (at(argument).known && values_[static_cast<std::size_t>(argument)].integer == deciding) return true;
    }
    return all_known(step.args);
  }

  const TileProgram& program_;
  std::span<const Value> values_;
  std::vector<Reach> reach_;
};

// ---- tiles ----

struct Data {
  Data() {
    for (std::int64_t i = 0; i < 70; ++i) document.data<std::int64_t>()[i] = i / 11;
    for (std::int64_t i = 0; i < 4 * 90; ++i) whole.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7 % 23 - 9);
    for (std::int64_t i = 0; i < 50 * 40; ++i)
      real.data<float>()[i] = i % 13 == 12 ? std::nanf("") : i % 17 == 5 ? -HUGE_VALF : 0.3F * static_cast<float>(i % 41) - 4;
    for (std::int64_t i = 0; i < 2 * 30 * 50; ++i) bits.data<bool>()[i] = i % 3 == 0;
    for (std::int64_t i = 0; i < 60; ++i) small.data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37);
    for (std::int64_t i = 0; i < 60; ++i) half.data<bf16>()[i] = {static_cast<std::uint16_t>(0x3F00 + i)};
    tables = {{"document", document.view()}, {"whole", {whole.data<std::int32_t>() + 359, DType::kI32, {4, 90}, {-90, -1}}},
              {"real", real.view()},         {"bits", bits.view()},
              {"small", small.view()},       {"half", half.view()},
              {"none", none.view()},         {"row", {whole.view().data, DType::kI32, {80, 90}, {0, 1}}}};
  }
  Tensor document{DType::kI64, {70}}, whole{DType::kI32, {4, 90}}, real{DType::kF32, {50, 40}}, bits{DType::kBool, {2, 30, 50}},
      small{DType::kI8, {60}}, half{DType::kBF16, {60}}, none{DType::kF32, {0, 3}};
  Tables tables;
};

/// A formula on one tile, with the definition's answer at every place.
struct Tile {
  Tile(Formula given, std::mt19937_64& random) : formula(std::move(given)), over(formula) {
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
    keys = 1 + static_cast<int>(below(64));
    lanes = 1 + static_cast<int>(below(64));
    b = below(2);
    h = below(4);
    for (int i = 0; i < kTile; ++i) at_q.push_back(i == 0 ? below(40) - 8 : at_q.back() + 1);
    for (int i = 0; i < kTile; ++i) at_k.push_back(i == 0 ? below(40) : at_k.back() + 1);
    const Box everything{.q = {at_q.front(), at_q.back()}, .k = {at_k.front(), at_k.back()}, .b = {0, 1}, .h = {0, 3}, .g = {0, 1}};
    program = TileProgram(formula, over, everything);
    store.resize(formula::TileFrame::bytes(program) + 64);
    const auto address = reinterpret_cast<std::uintptr_t>(store.data());
    frame = formula::TileFrame(program, store.data() + (64 - address % 64) % 64);
    frame.bind_head(b, h, h / 2);
    frame.bind_queries(std::span(at_q).first(static_cast<std::size_t>(lanes)));
    frame.bind_keys(std::span(at_k).first(static_cast<std::size_t>(keys)));
    draw_scores(random);
  }
  Tile(const Tile&) = delete;

  void draw_scores(std::mt19937_64& random) {
    std::normal_distribution<float> normal(0, 3);
    for (float& score : scores) score = normal(random);
    for (const float special : {0.0F, -0.0F, HUGE_VALF, -HUGE_VALF, std::nanf(""), 1e-40F, 88.8F, -87.4F, 1e30F, -1e30F, 1.0F, -0.5F}) {
      for (int i = 0; i < 10; ++i) scores[random() % scores.size()] = special;
    }
  }

  template <class Function>
  void each_place(const Function& function) {
    std::vector<Value> values(formula.steps().size());
    for (int j = 0; j < keys; ++j) {
      for (int i = 0; i < lanes; ++i) {
        const auto at = static_cast<std::size_t>(j * kTile + i);
        const formula::Place place{.q = at_q[static_cast<std::size_t>(i)],
                                   .k = at_k[static_cast<std::size_t>(j)],
                                   .b = b,
                                   .h = h,
                                   .g = h / 2,
                                   .s = static_cast<double>(scores[at])};
        function(at, formula.at(place, values), std::span<const Value>(values));
      }
    }
  }

  Formula formula;
  formula::Over over;
  TileProgram program;
  std::vector<std::byte> store;
  formula::TileFrame frame;
  int keys = 0, lanes = 0;
  std::int64_t b = 0, h = 0;
  std::vector<std::int64_t> at_q, at_k;
  std::vector<float> scores = std::vector<float>(kTile * kTile);
};

TEST(See, RandomMasksAreTheDefinition) {
  const Data data;
  std::mt19937_64 random(1);
  int with_lanes = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Expr mask = laws::RandomFormula(seed, data.tables).mask(2 + static_cast<int>(seed % 3));
    Tile tile(Formula::mask(mask, data.tables), random);
    with_lanes += tile.program.place_by_place().empty();
    std::vector<int> expected(kTile * kTile, -1);
    tile.each_place(
        [&](std::size_t at, const Value& value, auto) { expected[at] = value.broken >= 0 ? -1 : static_cast<int>(value.integer); });
    for (const std::string& set : simd::runnable()) {
      simd::pretend(set);
      std::vector<std::uint8_t> seen(kTile * kTile, 7);
      simd::see(tile.frame, tile.keys, tile.lanes, seen.data());
      for (std::size_t at = 0; at < seen.size(); ++at) {
        ASSERT_TRUE(expected[at] < 0 || seen[at] == expected[at])
            << to_text(mask) << "\n  " << set << " key " << at / kTile << " lane " << at % kTile;
      }
    }
  }
  simd::pretend("");
  EXPECT_GT(with_lanes, 1200);
}

/// "" when `got` is what float32 may make of the definition's value.
std::string wrong(const Reach& reach, bool exactly, double value, float got) {
  if (exactly) {
    const auto expected = static_cast<float>(value);
    return got == expected || (std::isnan(got) && std::isnan(expected)) ? "" : "not the definition's number";
  }
  if (reach.nan) return std::isnan(got) ? "" : "not NaN";
  return reach.holds(static_cast<double>(got)) ? "" : "outside [" + std::to_string(reach.low) + ", " + std::to_string(reach.high) + "]";
}

TEST(Modify, RandomScoresAreTheDefinition) {
  const Data data;
  std::mt19937_64 random(2);
  int with_lanes = 0;
  double places = 0, judged = 0, tight = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Expr score = laws::RandomFormula(seed, data.tables).score(2 + static_cast<int>(seed % 3));
    Tile tile(Formula::score(std::span(&score, 1), data.tables), random);
    const bool exactly = !tile.program.place_by_place().empty();
    with_lanes += !exactly;
    std::vector<Reach> reach(kTile * kTile);
    std::vector<double> truth(kTile * kTile);
    tile.each_place([&](std::size_t at, const Value& value, std::span<const Value> values) {
      truth[at] = value.real;
      reach[at] = exactly ? Reach{.known = value.broken < 0} : Follower(tile.program, values).result();
      ++places;
      judged += reach[at].known;
      tight += reach[at].known && (exactly || reach[at].nan || reach[at].point() ||
                                   reach[at].high - reach[at].low <= 0x1p-18 * std::fabs(truth[at]) + 0x1p-120);
    });
    for (const std::string& set : simd::runnable()) {
      simd::pretend(set);
      std::vector<float> got = tile.scores;
      simd::modify(tile.frame, tile.keys, tile.lanes, got.data());
      for (std::size_t at = 0; at < got.size(); ++at) {
        const std::string what = reach[at].known ? wrong(reach[at], exactly, truth[at], got[at]) : "";
        ASSERT_EQ(what, "") << to_text(score) << "\n  " << set << " key " << at / kTile << " lane " << at % kTile << " s "
                            << tile.scores[at] << " gives " << got[at] << ", not " << truth[at];
      }
    }
  }
  simd::pretend("");
  EXPECT_GT(with_lanes, 900);
  EXPECT_GT(judged, 0.8 * places);
  EXPECT_GT(tight, 0.9 * judged);
}

TEST(Modify, HiddenLookupsOutOfRangeAreHarmless) {
  Tensor table(DType::kF32, {8, 8});
  for (std::int64_t i = 0; i < 64; ++i) table.data<float>()[i] = static_cast<float>(i);
  const Tables tables{{"t", table.view()}, {"none", {nullptr, DType::kF64, {0, 8}}}};
  using symbols::k;
  using symbols::q;
  using symbols::s;
  const Expr far = q * 1000 - k * 999;
  const Expr inside = select((q >= 0) & (q < 8) & (k < 8), Table("t")(q, k), -1.0);
  const Expr hollow = select(q > k + 1000, Table("none")(q - k, k), select(k < q - 5000, Table("none")(q, k), s));
  const Expr wide = select((far >= 0) & (far < 8), Table("t")(far, 3), s);
  std::mt19937_64 random(3);
  for (const Expr& score : {inside, hollow, wide}) {
    for (int trial = 0; trial < 20; ++trial) {
      Tile tile(Formula::score(std::span(&score, 1), tables), random);
      EXPECT_EQ(tile.program.place_by_place(), "");
      std::vector<float> got = tile.scores;
      simd::modify(tile.frame, tile.keys, tile.lanes, got.data());
      tile.each_place([&](std::size_t at, const Value& value, auto) {
        ASSERT_LT(value.broken, 0);
        ASSERT_EQ(std::isnan(got[at]), std::isnan(value.real));
        if (!std::isnan(got[at])) {
          ASSERT_EQ(static_cast<double>(got[at]), value.real) << to_text(score);
        }
      });
    }
  }
}

}  // namespace
}  // namespace heed::kernel
