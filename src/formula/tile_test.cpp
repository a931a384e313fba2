// Tile programs and frames: extents, why a formula runs place by place, exact lines, clamped offsets, and how much memory is used.
#include "formula/tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "laws/support/random_formula.hpp"

namespace heed::formula {
namespace {

using symbols::b;
using symbols::g;
using symbols::h;
using symbols::k;
using symbols::q;
using symbols::s;

constexpr Box kEverything{.q = {-100, 5000}, .k = {0, 4000}, .b = {0, 1}, .h = {0, 3}, .g = {0, 1}};

/// A formula with all that runs it; memory is poisoned and guarded on both sides.
struct Program {
  explicit Program(Formula given, const Box& everything = kEverything)
      : formula(std::move(given)),
        over(formula),
        program(formula, over, everything),
        bytes(TileFrame::bytes(program)),
        store(bytes + 2 * kGuard + 64) {
    std::memset(store.data(), 0xA5, store.size());
    const auto address = reinterpret_cast<std::uintptr_t>(store.data()) + kGuard;
    memory = store.data() + kGuard + (64 - address % 64) % 64;
    frame = TileFrame(program, memory);
  }
  Program(const Program&) = delete;
  [[nodiscard]] bool guarded() const {
    const auto untouched = [](std::byte byte) { return byte == std::byte{0xA5}; };
    return std::all_of(store.data(), static_cast<const std::byte*>(memory), untouched) &&
           std::all_of(static_cast<const std::byte*>(memory) + bytes, store.data() + store.size(), untouched);
  }
  static constexpr std::size_t kGuard = 256;
  Formula formula;
  Over over;
  TileProgram program;
  std::size_t bytes;
  std::vector<std::byte> store;
  std::byte* memory;
  TileFrame frame;
};

Program mask(const Expr& expression, const Tables& tables = {}, const Box& box = kEverything) {
  return Program(Formula::mask(expression, tables), box);
}
Program score(const Expr& expression, const Tables& tables = {}, const Box& box = kEverything) {
  return Program(Formula::score(std::span(&expression, 1), tables), box);
}

std::vector<std::int64_t> positions(std::int64_t first, int count) {
  std::vector<std::int64_t> line(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) line[static_cast<std::size_t>(i)] = first + i;
  return line;
}

TEST(TileProgram, ExtentsFollowWhatAStepReads) {
  const Program program = mask((h + b + g > 1) & (q * 2 + h < 9) & (k % 3 == b) & (q < k));
  int seen[4] = {};
  for (std::size_t i = 0; i < program.formula.steps().size(); ++i) {
    const std::uint8_t depends = program.formula.steps()[i].depends;
    const bool query = depends & kOnQuery, key = depends & kOnKey;
    const Extent expected = query && key ? Extent::kTileWide : query ? Extent::kQueries : key ? Extent::kKeys : Extent::kOnce;
    EXPECT_EQ(program.program.extent(static_cast<int>(i)), expected);
    ++seen[static_cast<int>(expected)];
  }
  for (const int count : seen) EXPECT_GT(count, 0);
  EXPECT_EQ(program.program.tile_steps().size(), static_cast<std::size_t>(seen[3]));
  EXPECT_TRUE(std::is_sorted(program.program.tile_steps().begin(), program.program.tile_steps().end()));
  EXPECT_EQ(score(s * 2).program.tile_steps().size(), 2u);
}

TEST(TileProgram, WhatRunsPlaceByPlace) {
  const std::string wide = "an integer may exceed 32 bits", real = "a real number of q and k decides a condition";
  EXPECT_EQ(mask(k <= q).program.place_by_place(), "");
  EXPECT_EQ(mask(q * k * 1000 < 5).program.place_by_place(), wide);
  EXPECT_EQ(mask(q - k < (std::int64_t{1} << 40)).program.place_by_place(), wide);
  EXPECT_EQ(mask((q < std::int64_t{1} << 40) & (k > std::int64_t{-1} << 50)).program.place_by_place(), "");  // lines are exact
  EXPECT_EQ(mask(q * 0.1 < k * 0.3).program.place_by_place(), real);
  EXPECT_EQ(mask(floor((q - k) / 3.0) == 2).program.place_by_place(), real);
  EXPECT_EQ(mask((q * 0.1 < 3.0) & (floor(k / 2.0) == 3)).program.place_by_place(), "");
  EXPECT_EQ(score(s + (q * k + 0.5)).program.place_by_place(), "");
  EXPECT_EQ(score(select(s > 0.5, s, 0)).program.place_by_place(), "");  // the score may decide
  EXPECT_EQ(score(s + floor(q * 0.1 - k * 0.3)).program.place_by_place(), real);
  // % of reals holds a floor: 2.0 % 1.0 and 1.9999999 % 1.0 are far apart.
  EXPECT_EQ(score(s + (q * 0.1 - k * 0.3) % 0.7).program.place_by_place(), real);
  EXPECT_EQ(score(s % 2.0).program.place_by_place(), "");
}

TEST(TileProgram, ThirtyTwoBitsAreProvedForTheWholeProblem) {
  const Box small{.q = {0, 40000}, .k = {0, 40000}, .b = {}, .h = {}, .g = {}},
      large{.q = {0, 50000}, .k = {0, 50000}, .b = {}, .h = {}, .g = {}};
  EXPECT_EQ(mask(q * k < 5, {}, small).program.place_by_place(), "");
  EXPECT_NE(mask(q * k < 5, {}, large).program.place_by_place(), "");
  const std::int64_t edge = std::int64_t{1} << 31;
  EXPECT_EQ(mask(q + k < 5, {}, {.q = {0, edge - 2}, .k = {0, 1}, .b = {}, .h = {}, .g = {}}).program.place_by_place(), "");
  EXPECT_NE(mask(q + k < 5, {}, {.q = {0, edge - 1}, .k = {0, 1}, .b = {}, .h = {}, .g = {}}).program.place_by_place(), "");
  EXPECT_EQ(mask(q - k < 5, {}, {.q = {-edge, 0}, .k = {0, 0}, .b = {}, .h = {}, .g = {}}).program.place_by_place(), "");
  EXPECT_NE(mask(q - k < 5, {}, {.q = {-edge, 0}, .k = {0, 1}, .b = {}, .h = {}, .g = {}}).program.place_by_place(), "");
}

TEST(TileProgram, TablesOfWideIntegersRunPlaceByPlace) {
  Tensor table(DType::kI64, {4, 4});
  const Expr lookup = Table("t")(q % 4, k % 4) < 3;
  EXPECT_EQ(mask(lookup, {{"t", table.view()}}).program.place_by_place(), "");
  table.data<std::int64_t>()[7] = std::int64_t{1} << 31;
  EXPECT_NE(mask(lookup, {{"t", table.view()}}).program.place_by_place(), "");
}

/// Lanes of a step as the definition would have them.
std::uint32_t lane_of(Type type, const Value& value) {
  if (type == Type::kReal) return std::bit_cast<std::uint32_t>(static_cast<float>(value.real));
  return type == Type::kBoolean ? (value.integer ? ~std::uint32_t{0} : 0) : static_cast<std::uint32_t>(value.integer);
}

void expect_lines_exact(const Program& program, int count, const Tables& context) {
  const Formula& formula = program.formula;
  std::vector<Value> values(formula.steps().size());
  for (int i = 0; i < kTile; ++i) {
    (void)formula.at(program.frame.place(i, i, 0.5), values);
    for (int step = 0; step < static_cast<int>(formula.steps().size()); ++step) {
      const Extent extent = program.program.extent(step);
      const auto at = static_cast<std::size_t>(step);
      if (extent == Extent::kTileWide || values[at].broken >= 0) continue;
      const Operand operand = program.frame.operand(step, i, nullptr);
      const auto* const lanes = static_cast<const std::uint32_t*>(operand.lanes);
      EXPECT_EQ(operand.splat, extent != Extent::kQueries);
      const std::uint32_t got = lanes[operand.splat ? 0 : i], expected = lane_of(formula.steps()[at].type, values[at]);
      const bool both_nan = formula.steps()[at].type == Type::kReal && std::isnan(values[at].real) && std::isnan(std::bit_cast<float>(got));
      ASSERT_TRUE(got == expected || both_nan) << "step " << step << " lane " << i << " of " << count << ", tables " << context.size();
    }
  }
}

TEST(TileFrame, LinesAreTheDefinition) {
  Tensor whole(DType::kI32, {5, 7}), real(DType::kF64, {9}), bits(DType::kBool, {3, 3}), hollow(DType::kF32, {0});
  for (std::int64_t i = 0; i < whole.count(); ++i) whole.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 5 % 11 - 3);
  for (std::int64_t i = 0; i < real.count(); ++i) real.data<double>()[i] = 0.3 * static_cast<double>(i) - 1;
  for (std::int64_t i = 0; i < bits.count(); ++i) bits.data<bool>()[i] = i % 2 == 0;
  const Tables tables{{"whole", whole.view()}, {"real", real.view()}, {"bits", bits.view()}, {"hollow", hollow.view()}};
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    laws::RandomFormula random(seed, tables);
    Program program = seed % 2 ? mask(random.mask(), tables) : score(random.score(), tables);
    const int queries = 1 + static_cast<int>(seed * 7 % 64), keys = 1 + static_cast<int>(seed * 11 % 64);
    program.frame.bind_head(1, 3, 1);
    program.frame.bind_queries(positions(static_cast<std::int64_t>(seed % 90) - 9, queries));
    program.frame.bind_keys(positions(static_cast<std::int64_t>(seed % 40), keys));
    expect_lines_exact(program, queries, tables);
    ASSERT_TRUE(program.guarded()) << to_text(random.mask());
  }
}

TEST(TileFrame, PositionsBeyondTheLastRepeatIt) {
  Program program = mask(q < k);
  program.frame.bind_head(1, 2, 0);
  program.frame.bind_queries(positions(40, 3));
  program.frame.bind_keys(positions(7, 1));
  EXPECT_EQ(program.frame.place(2, 0, 0).q, 42);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).q, 42);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).k, 7);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).b, 1);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).h, 2);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).s, 0.25);
}

TEST(TileFrame, OffsetsOfLookupsAreClampedIntoTheTable) {
  const Tensor table(DType::kF32, {2, 10, 20});
  const TensorView view(table.view().data, DType::kF32, {2, 10, 20}, {200, -20, 1});
  Program program = score(s + Table("t")(h, q, k - 5), {{"t", view}});
  int lookup = -1;
  for (const int step : program.program.tile_steps()) {
    if (program.formula.steps()[static_cast<std::size_t>(step)].op == Op::kLookup) lookup = step;
  }
  program.frame.bind_head(0, 1, 0);
  program.frame.bind_queries(positions(-3, 64));
  program.frame.bind_keys(positions(0, 64));
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(program.frame.query_offsets(lookup)[i], 200 - 20 * std::clamp(i - 3, 0, 9));
    EXPECT_EQ(program.frame.key_offsets(lookup)[i], std::clamp(i - 5, 0, 19));
  }
}

TEST(TileFrame, OperandsSayWhereTheirLanesLie) {
  Program program = score(select(s > 0.0, s * q, s - k) + h);
  std::vector<float> scores(64 * 64);
  std::vector<const void*> strips;
  for (int step = 0; step < static_cast<int>(program.formula.steps().size()); ++step) {
    const Operand operand = program.frame.operand(step, 16, scores.data());
    const Step& what = program.formula.steps()[static_cast<std::size_t>(step)];
    const Extent extent = program.program.extent(step);
    if (what.op == Op::kScore && what.kind == Step::Kind::kOperation) {
      EXPECT_EQ(operand.lanes, scores.data() + 16 * 64);
    } else if (extent == Extent::kTileWide) {
      strips.push_back(operand.lanes);
      EXPECT_EQ(operand.lanes, program.frame.strip(step));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(operand.lanes) % 64, 0u);
    }
    EXPECT_EQ(operand.key_stride, extent == Extent::kTileWide ? 64 : extent == Extent::kKeys ? 1 : 0);
  }
  std::sort(strips.begin(), strips.end());
  for (std::size_t i = 1; i < strips.size(); ++i) {
    EXPECT_GE(static_cast<const std::byte*>(strips[i]) - static_cast<const std::byte*>(strips[i - 1]), TileFrame::kStrip * kTile * 4);
  }
}

TEST(TileFrame, UsesExactlyItsBytes) {
  for (const Expr& expression : {k <= q, (q * 2 < k) & (h > 0), Expr(true)}) {
    Program program = mask(expression);
    program.frame.bind_head(0, 0, 0);
    program.frame.bind_queries(positions(0, 64));
    program.frame.bind_keys(positions(0, 64));
    for (const int step : program.program.tile_steps()) std::memset(program.frame.strip(step), 0, TileFrame::kStrip * kTile * 4);
    for (Value& value : program.frame.values()) value = {};
    EXPECT_TRUE(program.guarded());
    const auto* const last = program.memory + program.bytes - 8;  // the last of the positions of keys
    EXPECT_EQ(*reinterpret_cast<const std::int64_t*>(last), 63) << to_text(expression);
  }
  const Program none(Formula{});
  EXPECT_EQ(none.bytes, 0u);
  EXPECT_TRUE(none.program.empty());
  EXPECT_TRUE(TileProgram().empty());
}

}  // namespace
}  // namespace heed::formula
