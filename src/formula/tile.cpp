#include "formula/tile.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "formula/arithmetic.hpp"

namespace heed::formula {
namespace {

Extent extent_of(const Step& step) {
  const bool query = step.depends & (kOnQuery | kOnScore), key = step.depends & (kOnKey | kOnScore);
  if (query && key) return Extent::kTileWide;
  return query ? Extent::kQueries : key ? Extent::kKeys : Extent::kOnce;
}

bool fits_lane(const Interval& interval) {
  return interval.low >= std::numeric_limits<std::int32_t>::min() && interval.high <= std::numeric_limits<std::int32_t>::max();
}

}  // namespace

TileProgram::TileProgram(const Formula& formula, const Over& over, const Box& everything) : formula_(&formula) {
  for (std::size_t i = 0; i < formula.steps().size(); ++i) {
    extents_.push_back(extent_of(formula.steps()[i]));
    if (extents_.back() == Extent::kTileWide) tile_steps_.push_back(static_cast<int>(i));
  }
  if (!formula.empty()) settle(over, everything);
}

/// Decides whether 32-bit lanes say the same as the definition.
void TileProgram::settle(const Over& over, const Box& everything) {
  const std::vector<Step>& steps = formula_->steps();
  std::vector<Interval> bounds(steps.size());
  over.intervals(everything, Interval::any(Type::kReal), bounds);
  const auto refuse = [&](const std::string& why) {
    if (place_by_place_.empty()) place_by_place_ = why;
  };
  for (const int index : tile_steps_) {
    const Step& step = steps[static_cast<std::size_t>(index)];
    const auto check_lane = [&](int operand) {
      const auto i = static_cast<std::size_t>(operand);
      if (steps[i].type == Type::kInteger && !fits_lane(bounds[i])) refuse("an integer may exceed 32 bits");
    };
    check_lane(index);
    for (const int argument : step.args) {
      if (argument >= 0) check_lane(argument);
    }
    for (const int argument : step.indices) {
      if (extent(argument) == Extent::kTileWide) check_lane(argument);
    }
    // A real that decides something discrete must be the definition's double, unless the score itself is what it reads.
    const bool decides = step.operand == Type::kReal && (is_comparison(step.op) || step.op == Op::kFloor || step.op == Op::kModulo);
    if (decides && !(step.depends & kOnScore)) refuse("a real number of q and k decides a condition");
  }
}

std::size_t TileFrame::bytes(const TileProgram& program) {
  if (program.empty()) return 0;
  const std::size_t steps = program.formula().steps().size();
  const auto round = [](std::size_t size) { return (size + 63) / 64 * 64; };
  return round(steps * sizeof(Line)) + round(steps * kTile * 4) + program.tile_steps().size() * kStrip * kTile * 4 +
         round(steps * sizeof(Value)) + round(steps * sizeof(int)) + 2 * kTile * sizeof(std::int64_t);
}

TileFrame::TileFrame(const TileProgram& program, std::byte* memory) : program_(&program) {
  if (program.empty()) return;
  const std::size_t steps = program.formula().steps().size();
  const auto take = [&memory](std::size_t size) {
    std::byte* const piece = memory;
    memory += (size + 63) / 64 * 64;
    return piece;
  };
  lines_ = reinterpret_cast<Line*>(take(steps * sizeof(Line)));
  lanes_ = reinterpret_cast<std::uint32_t*>(take(steps * kTile * 4));
  strips_ = take(program.tile_steps().size() * kStrip * kTile * 4);
  values_ = reinterpret_cast<Value*>(take(steps * sizeof(Value)));
  strip_of_ = reinterpret_cast<int*>(take(steps * sizeof(int)));
  queries_ = reinterpret_cast<std::int64_t*>(take(kTile * sizeof(std::int64_t)));
  keys_ = reinterpret_cast<std::int64_t*>(take(kTile * sizeof(std::int64_t)));
  int next = 0;
  for (const int step : program.tile_steps()) strip_of_[step] = next++;
}

void TileFrame::bind_head(std::int64_t b, std::int64_t h, std::int64_t g) {
  if (program_->empty()) return;
  b_ = b;
  h_ = h;
  g_ = g;
  evaluate(Extent::kOnce, 1);
}

void TileFrame::bind_queries(std::span<const std::int64_t> positions) {
  if (program_->empty()) return;
  for (int i = 0; i < kTile; ++i) queries_[i] = positions[std::min<std::size_t>(static_cast<std::size_t>(i), positions.size() - 1)];
  evaluate(Extent::kQueries, kTile);
  locate(Extent::kQueries);
}

void TileFrame::bind_keys(std::span<const std::int64_t> positions) {
  if (program_->empty()) return;
  for (int i = 0; i < kTile; ++i) keys_[i] = positions[std::min<std::size_t>(static_cast<std::size_t>(i), positions.size() - 1)];
  evaluate(Extent::kKeys, kTile);
  locate(Extent::kKeys);
}

void TileFrame::evaluate(Extent extent, int count) {
  const int steps = static_cast<int>(program_->formula().steps().size());
  for (int step = 0; step < steps; ++step) {
    if (program_->extent(step) != extent) continue;
    evaluate_line(step, count);
    narrow(step, count);
  }
}

template <class Get>
std::int64_t TileFrame::clamped(int step, std::size_t axis, const Get& get) const {
  const Step& lookup = program_->formula().steps()[static_cast<std::size_t>(step)];
  const TensorView& view = program_->formula().tables()[static_cast<std::size_t>(lookup.table)].view;
  const std::int64_t extent = view.shape[static_cast<int>(axis)];
  // An index out of range is in a hidden place (the plan has seen to that); any element does.
  return std::clamp<std::int64_t>(get(lookup.indices[axis]), 0, std::max<std::int64_t>(extent - 1, 0)) *
         view.strides[static_cast<int>(axis)];
}

void TileFrame::evaluate_line(int index, int count) {
  const Step& step = program_->formula().steps()[static_cast<std::size_t>(index)];
  Line& out = lines_[index];
  // Operands of extent kOnce have one value, at 0.
  const auto place_in = [&](int argument, int i) { return static_cast<std::size_t>(program_->extent(argument) == Extent::kOnce ? 0 : i); };
  const auto integer = [&](int argument, int i) { return lines_[argument].integers[place_in(argument, i)]; };
  const auto real = [&](int argument, int i) { return lines_[argument].reals[place_in(argument, i)]; };
  for (int i = 0; i < count; ++i) {
    std::int64_t& whole = out.integers[static_cast<std::size_t>(i)];
    double& fraction = out.reals[static_cast<std::size_t>(i)];
    const int a = step.args[0], b = step.args[1];
    if (step.kind == Step::Kind::kToReal) {
      fraction = static_cast<double>(integer(a, i));
    } else if (step.op == Op::kLookup) {
      const BoundTable& table = program_->formula().tables()[static_cast<std::size_t>(step.table)];
      std::int64_t offset = 0;
      for (std::size_t axis = 0; axis < step.indices.size(); ++axis)
        offset += clamped(index, axis, [&](int argument) { return integer(argument, i); });
      const bool hollow = count_of(table.view.shape) == 0;
      if (step.type == Type::kReal)
        fraction = hollow ? 0 : real_at(table.view, offset);
      else
        whole = hollow ? 0 : integer_at(table.view, offset);
    } else if (a < 0) {
      whole = step.integer;
      fraction = step.real;
      if (step.op == Op::kQuery) whole = queries_[i];
      if (step.op == Op::kKey) whole = keys_[i];
      if (step.op == Op::kBatch) whole = b_;
      if (step.op == Op::kHead) whole = h_;
      if (step.op == Op::kKvHead) whole = g_;
    } else if (step.op == Op::kSelect) {
      const int chosen = integer(a, i) ? b : step.args[2];
      whole = integer(chosen, i);
      fraction = real(chosen, i);
    } else if (step.op == Op::kNot) {
      whole = 1 - integer(a, i);
    } else if (step.op == Op::kAnd || step.op == Op::kOr) {
      whole = step.op == Op::kAnd ? (integer(a, i) & integer(b, i)) : (integer(a, i) | integer(b, i));
    } else if (is_comparison(step.op)) {
      whole = step.operand == Type::kReal ? compare(step.op, real(a, i), real(b, i)) : compare(step.op, integer(a, i), integer(b, i));
    } else if (step.operand == Type::kReal && step.op == Op::kFloor) {
      const double floor = std::floor(real(a, i));
      whole = floor >= -0x1p63 && floor < 0x1p63 ? static_cast<std::int64_t>(floor) : 0;
    } else if (step.operand == Type::kReal) {
      fraction = real_operation(step.op, real(a, i), b < 0 ? 0 : real(b, i));
    } else {
      integer_operation(step.op, integer(a, i), b < 0 ? 0 : integer(b, i), whole);
    }
  }
}

/// Lines as lanes: floats, 32-bit integers, or masks of all bits.
void TileFrame::narrow(int step, int count) {
  const Type type = program_->formula().steps()[static_cast<std::size_t>(step)].type;
  std::uint32_t* const lanes = lanes_ + static_cast<std::ptrdiff_t>(step) * kTile;
  const Line& line = lines_[step];
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    switch (type) {
      case Type::kReal:
        lanes[i] = std::bit_cast<std::uint32_t>(static_cast<float>(line.reals[at]));
        break;
      case Type::kInteger:
        lanes[i] = static_cast<std::uint32_t>(line.integers[at]);
        break;
      case Type::kBoolean:
        lanes[i] = line.integers[at] ? ~std::uint32_t{0} : 0;
        break;
    }
  }
}

Operand TileFrame::operand(int step, int key, const float* scores) const {
  const std::uint32_t* const lanes = lanes_ + static_cast<std::ptrdiff_t>(step) * kTile;
  switch (program_->extent(step)) {
    case Extent::kOnce:
      return {.lanes = lanes, .key_stride = 0, .splat = true};
    case Extent::kQueries:
      return {.lanes = lanes, .key_stride = 0, .splat = false};
    case Extent::kKeys:
      return {.lanes = lanes + key, .key_stride = 1, .splat = true};
    case Extent::kTileWide:
      break;
  }
  const Step& what = program_->formula().steps()[static_cast<std::size_t>(step)];
  if (what.op == Op::kScore && what.kind == Step::Kind::kOperation)
    return {.lanes = scores + static_cast<std::ptrdiff_t>(key) * kTile, .key_stride = kTile, .splat = false};
  return {.lanes = strip(step), .key_stride = kTile, .splat = false};
}

/// Offsets of tile-wide lookups, the part that changes with the tile of queries or of keys.
void TileFrame::locate(Extent extent) {
  for (const int step : program_->tile_steps()) {
    const Step& lookup = program_->formula().steps()[static_cast<std::size_t>(step)];
    if (lookup.op != Op::kLookup || lookup.kind != Step::Kind::kOperation) continue;
    auto& offsets = extent == Extent::kKeys ? lines_[step].key_offsets : lines_[step].integers;
    offsets.fill(0);
    for (std::size_t axis = 0; axis < lookup.indices.size(); ++axis) {
      const Extent of_index = program_->extent(lookup.indices[axis]);
      if (of_index != extent && !(of_index == Extent::kOnce && extent == Extent::kQueries)) continue;
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        offsets[i] += clamped(step, axis, [&](int argument) { return lines_[argument].integers[of_index == Extent::kOnce ? 0 : i]; });
      }
    }
  }
}

Place TileFrame::place(int query, int key, double s) const {
  return {.q = queries_[query], .k = keys_[key], .b = b_, .h = h_, .g = g_, .s = s};
}

}  // namespace heed::formula
