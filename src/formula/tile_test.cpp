// Tile programs and frames: extents, in which lanes a formula runs, exact lines and diagonals, clamped offsets, how much memory is used.
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

constexpr Box kEverything{.q = {-100, 5000}, .k = {0, 4000}, .b = {0, 1}, .h = {0, 3}, .g = {0, 1}, .i = {0, 200}};

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
  const Program program = mask((h + b + g > 1) & (q * 2 + h < 9) & (k % 3 == b) & (q * 2 < k));
  int seen[5] = {};
  for (std::size_t i = 0; i < program.formula.steps().size(); ++i) {
    const std::uint8_t depends = program.formula.steps()[i].depends;
    const bool query = depends & kOnQuery, key = depends & kOnKey;
    const Extent expected = query && key ? Extent::kTileWide : query ? Extent::kQueries : key ? Extent::kKeys : Extent::kOnce;
    for (const bool contiguous : {true, false}) EXPECT_EQ(program.program.code(contiguous).extents[i], expected);
    ++seen[static_cast<int>(expected)];
  }
  for (const Extent extent : {Extent::kOnce, Extent::kQueries, Extent::kKeys, Extent::kTileWide})
    EXPECT_GT(seen[static_cast<int>(extent)], 0);
}

/// The extent of the result where positions run on by one.
Extent extent_of(const Program& program) {
  return program.program.code(true).extents[static_cast<std::size_t>(program.formula.result())];
}

TEST(TileProgram, WhatIsOfTheDistanceAloneIsADiagonal) {
  const Tensor slope(DType::kF32, {4}), bias(DType::kF32, {4, 9}), bucket(DType::kI32, {5});
  const Tables tables{{"slope", slope.view()}, {"bias", bias.view()}, {"bucket", bucket.view()}};
  const Expr clipped = min(max(k - q, -2), 2) + 2;
  for (const Expr& distance : {k <= q, q - k<7, (k <= q) & (q - k < 7), abs(k - q) % 3 == 1, 2 * k - q * 2> h, q + 3 >= k - 1, -q < -k,
                               (q + h) - (k - b) == 3, 0.1 * (q - k) < 0.35}) {
    EXPECT_EQ(extent_of(mask(distance, tables)), Extent::kDiagonal) << to_text(distance);
    EXPECT_TRUE(mask(distance, tables).program.code(true).instructions.empty());
  }
  for (const Expr& other : {q + k < 9, 2 * k < q, 0.5 * k - 0.5 * q < 1.0, q * k < 3, Expr(k % 2 == q % 2), q / 2 == k / 2})
    EXPECT_EQ(extent_of(mask(other, tables)), Extent::kTileWide) << to_text(other);
  // A score reads its diagonal in one step.
  for (const Expr& added : {Table("slope")[h] * (k - q), Table("bias")(h, clipped), Table("bias")(h, Table("bucket")[clipped]),
                            log(1.0 + exp(0.1 * (q - k)))}) {
    const Program program = score(s + added, tables);
    EXPECT_EQ(program.program.code(true).instructions.size(), 1u) << to_text(added);
    EXPECT_GT(program.program.code(false).instructions.size(), 1u);
    EXPECT_EQ(program.program.wide_score(), "");
  }
  // Where a part may have no value, places of a diagonal may differ.
  EXPECT_EQ(extent_of(mask(q * (std::int64_t{1} << 52) < k, tables)), Extent::kTileWide);
  EXPECT_EQ(extent_of(mask(q + INT64_MAX - (k + INT64_MAX) < 3, tables)), Extent::kTileWide);
  EXPECT_EQ(extent_of(mask(k <= q, {}, {.q = {0, INT64_MAX - 3}, .k = {0, 9}, .b = {}, .h = {}, .g = {}})), Extent::kTileWide);
}

/// The instructions of wide lanes, and of all, for positions of any kind.
struct Lanes {
  int wide = 0, all = 0;
};
Lanes lanes_used(const Program& program) {
  Lanes lanes;
  for (const Instruction& instruction : program.program.code(false).instructions) {
    lanes.wide += instruction.wide;
    ++lanes.all;
  }
  return lanes;
}

TEST(TileProgram, WhatRunsInWideLanes) {
  const Tensor bias(DType::kF32, {100, 100}), fine(DType::kF64, {100, 100});
  const Tables tables{{"t", bias.view()}, {"u", fine.view()}};
  const auto wide = [&](const Expr& expression) { return lanes_used(mask(expression, tables)).wide; };
  EXPECT_EQ(wide(k <= q), 0);
  EXPECT_GT(wide(q * k * 1000 < 5), 0);
  EXPECT_GT(wide(q - k < (std::int64_t{1} << 40)), 0);
  EXPECT_EQ(wide((q < std::int64_t{1} << 40) & (k > std::int64_t{-1} << 50)), 0);  // lines are exact
  EXPECT_GT(wide(q * 0.1 < k * 0.3), 0);
  EXPECT_GT(wide(floor((q - k) / 3.0) == 2), 0);
  EXPECT_EQ(wide((q * 0.1 < 3.0) & (floor(k / 2.0) == 3)), 0);
  EXPECT_EQ(wide(Table("t")(q, k) > 0.5), 0);  // both sides are exact
  EXPECT_GT(wide(Table("t")(q, k) > 0.1), 0);
  EXPECT_GT(wide(Table("u")(q, k) > 0.5), 0);
  // A score: what does not read s is double, rounded once; what reads it is float32 where that is proved.
  const auto of_score = [&](const Expr& expression) { return lanes_used(score(expression, tables)); };
  EXPECT_EQ(of_score(s * 2).wide, 0);
  EXPECT_EQ(of_score(s + Table("t")(q, k)).wide, 0);
  EXPECT_EQ(of_score(s + Table("u")(q, k)).wide, 0);
  EXPECT_EQ(of_score(s + (q * k + 0.5)).wide, 3);  // toReal and + of double, and q k: it may exceed 24 bits, not 32
  EXPECT_EQ(of_score(select(s > 0.5, s, 0)).wide, 0);
  EXPECT_NE(score(select(s > 0.1, s, 0)).program.wide_score(), "");
  EXPECT_NE(score(s % 2.0).program.wide_score(), "");
  EXPECT_NE(score(s + floor(s)).program.wide_score(), "");
  EXPECT_TRUE(score(s + floor(s)).program.breaks());
  EXPECT_FALSE(score(s + (s % 2.0)).program.breaks());
}

TEST(TileProgram, ThirtyTwoBitsAreProvedForTheWholeProblem) {
  const auto wide = [](const Expr& expression, const Range& queries, const Range& keys) {
    return lanes_used(mask(expression, {}, {.q = queries, .k = keys, .b = {}, .h = {}, .g = {}})).wide > 0;
  };
  EXPECT_FALSE(wide(q * k < 5, {0, 40000}, {0, 40000}));
  EXPECT_TRUE(wide(q * k < 5, {0, 50000}, {0, 50000}));
  const std::int64_t edge = std::int64_t{1} << 31;
  EXPECT_FALSE(wide(q + k < 5, {0, edge - 2}, {0, 1}));
  EXPECT_TRUE(wide(q + k < 5, {0, edge - 1}, {0, 1}));
  EXPECT_FALSE(wide(q - k < 5, {-edge, 0}, {0, 0}));
  EXPECT_TRUE(wide(q - k < 5, {-edge, 0}, {0, 1}));
}

TEST(TileProgram, TablesOfWideIntegersRunInWideLanes) {
  Tensor table(DType::kI64, {4, 4});
  const Expr lookup = Table("t")(q % 4, k % 4) < 3;
  EXPECT_EQ(lanes_used(mask(lookup, {{"t", table.view()}})).wide, 0);
  table.data<std::int64_t>()[7] = std::int64_t{1} << 31;
  EXPECT_GT(lanes_used(mask(lookup, {{"t", table.view()}})).wide, 0);
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
      const auto at = static_cast<std::size_t>(step);
      const Extent extent = program.frame.code().extents[at];
      if (extent == Extent::kTileWide || values[at].broken >= 0) continue;
      if (extent == Extent::kDiagonal && (!program.frame.code().narrow[at] || i >= count)) continue;
      const Operand operand = program.frame.operand(step, false, i, nullptr);
      const auto* const lanes = static_cast<const std::uint32_t*>(operand.lanes);
      EXPECT_EQ(operand.splat, extent != Extent::kQueries && extent != Extent::kDiagonal);
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
    program.frame.bind_queries(positions(static_cast<std::int64_t>(seed % 90) - 9, queries),
                               positions(static_cast<std::int64_t>(seed % 7), queries));
    program.frame.bind_keys(positions(static_cast<std::int64_t>(seed % 40), keys));
    expect_lines_exact(program, std::min(queries, keys), tables);
    ASSERT_TRUE(program.guarded()) << to_text(random.mask());
  }
}

TEST(TileFrame, PositionsBeyondTheLastGoOnOrRepeatIt) {
  Program program = mask(q < k);
  program.frame.bind_head(1, 2, 0);
  program.frame.bind_queries(positions(40, 3), positions(5, 3));
  program.frame.bind_keys(positions(7, 1));
  EXPECT_TRUE(program.frame.contiguous());
  EXPECT_EQ(program.frame.place(2, 0, 0).q, 42);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).q, 103);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).k, 70);
  EXPECT_EQ(program.frame.place(2, 0, 0).i, 7);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).i, 7);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).b, 1);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).h, 2);
  EXPECT_EQ(program.frame.place(63, 63, 0.25).s, 0.25);
  program.frame.bind_keys(std::array<std::int64_t, 3>{7, 5, 6});
  EXPECT_FALSE(program.frame.contiguous());
  EXPECT_EQ(program.frame.place(0, 63, 0).k, 6);
  program.frame.bind_keys(std::array<std::int64_t, 2>{INT64_MAX - 1, INT64_MAX});
  EXPECT_FALSE(program.frame.contiguous());
  EXPECT_EQ(program.frame.place(0, 63, 0).k, INT64_MAX);
}

/// Walks bands of tiles, back and forth and over two heads, so that kept diagonals come again and are replaced.
TEST(TileFrame, DiagonalsAreTheDefinitionWhateverIsKept) {
  Tensor slope(DType::kF64, {4});
  for (int i = 0; i < 4; ++i) slope.data<double>()[i] = 0.1 * i - 0.3;
  const Tables tables{{"slope", slope.view()}};
  Program program = score(s + Table("slope")[h] * (k - q) * 1.5, tables, {.q = {0, 20000}, .k = {0, 20000}, .b = {}, .h = {0, 3}, .g = {}});
  ASSERT_GT(program.program.diagonals_kept(), 1);
  const int step = program.program.code(true).diagonals.back();
  for (const int head : {1, 2, 1}) {
    program.frame.bind_head(0, head, 0);
    for (std::int64_t row = 0; row < 6; ++row) {
      program.frame.bind_queries(positions(row * 64, row == 5 ? 9 : 64), positions(row * 64, row == 5 ? 9 : 64));
      for (std::int64_t tile = 0; tile < 90; ++tile) {
        program.frame.bind_keys(positions(tile % 2 ? tile * 64 : 6000 - tile * 64, 64));
        for (int j = 0; j < 64; j += 9) {
          const Operand operand = program.frame.operand(step, false, j, nullptr);
          for (int i = 0; i < 64; i += 7) {
            const Place place = program.frame.place(i, j, 0);
            const double expected = slope.data<double>()[head] * static_cast<double>(place.k - place.q) * 1.5;
            ASSERT_EQ(static_cast<const float*>(operand.lanes)[i], static_cast<float>(expected)) << head << " " << row << " " << tile;
          }
        }
      }
    }
  }
}

TEST(TileFrame, OffsetsOfLookupsAreClampedIntoTheTable) {
  Tensor table(DType::kF32, {2, 10, 20});
  const TensorView view(table.data<float>() + 180, DType::kF32, {2, 10, 20}, {200, -20, 1});  // rows stored backwards
  Program program = score(s + Table("t")(h, q, k - 5), {{"t", view}});
  int lookup = -1;
  for (int step = 0; step < static_cast<int>(program.formula.steps().size()); ++step) {
    if (program.formula.steps()[static_cast<std::size_t>(step)].op == Op::kLookup) lookup = step;
  }
  program.frame.bind_head(0, 1, 0);
  program.frame.bind_queries(positions(-3, 64), positions(0, 64));
  program.frame.bind_keys(positions(0, 64));
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(program.frame.query_offsets(lookup)[i], 200 - 20 * std::clamp(i - 3, 0, 9));
    EXPECT_EQ(program.frame.key_offsets(lookup)[i], std::clamp(i - 5, 0, 19));
  }
}

TEST(TileFrame, OperandsSayWhereTheirLanesLie) {
  for (const Expr& expression : {select(s > 0.0, s * q, s - k) + h, select(s > 0.1, s * q, s - k) + (k - q)}) {
    Program program = score(expression);
    program.frame.bind_head(0, 0, 0);
    program.frame.bind_queries(positions(0, 64), positions(0, 64));
    program.frame.bind_keys(positions(0, 64));
    std::vector<float> scores(64 * 64);
    std::vector<std::pair<const std::byte*, int>> strips;
    const Code& code = program.frame.code();
    for (int step = 0; step < static_cast<int>(program.formula.steps().size()); ++step) {
      for (const bool wide : {false, true}) {
        const auto at = static_cast<std::size_t>(step);
        if (!(wide ? code.wide : code.narrow)[at]) continue;
        const Operand operand = program.frame.operand(step, wide, 16, scores.data());
        const Step& what = program.formula.steps()[at];
        const Extent extent = code.extents[at];
        if (what.op == Op::kScore && what.kind == Step::Kind::kOperation && !wide) {
          EXPECT_EQ(operand.lanes, scores.data() + 16 * 64);
        } else if (extent == Extent::kTileWide) {
          strips.emplace_back(static_cast<const std::byte*>(operand.lanes), TileFrame::kStrip * kTile * (wide ? 8 : 4));
          EXPECT_EQ(operand.lanes, program.frame.strip(step, wide));
          EXPECT_EQ(reinterpret_cast<std::uintptr_t>(operand.lanes) % 64, 0u);
        }
        EXPECT_EQ(operand.key_stride, extent == Extent::kTileWide   ? 64
                                      : extent == Extent::kKeys     ? 1
                                      : extent == Extent::kDiagonal ? -1
                                                                    : 0);
      }
    }
    std::sort(strips.begin(), strips.end());
    ASSERT_GT(strips.size(), 3u);
    for (std::size_t i = 1; i < strips.size(); ++i) EXPECT_GE(strips[i].first - strips[i - 1].first, strips[i - 1].second);
  }
}

TEST(TileFrame, UsesExactlyItsBytes) {
  for (const Expr& expression : {k <= q, (q * 2 < k) & (h > 0), q * 0.1 < k * 0.3, Expr(true)}) {
    Program program = mask(expression);
    program.frame.bind_head(0, 0, 0);
    program.frame.bind_queries(positions(0, 64), positions(0, 64));
    program.frame.bind_keys(positions(0, 64));
    for (const bool contiguous : {true, false}) {
      for (const Instruction& instruction : program.program.code(contiguous).instructions)
        std::memset(program.frame.strip(instruction.step, instruction.wide), 0, TileFrame::kStrip * kTile * (instruction.wide ? 8 : 4));
    }
    for (Value& value : program.frame.values()) value = {};
    std::fill_n(program.frame.doubtful(), TileFrame::kStrip * kTile, std::uint8_t{0});
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
