#include "formula/tile_program.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "formula/bounds.hpp"

namespace heed::formula {
namespace {

/// What a band of tiles meets: the tiles of a block of 2048 keys, half as many for the parts of a tile of queries, some rows on.
constexpr int kKeptDiagonals = 72;

Extent extent_of(const Step& step) {
  const bool query = step.depends & (kOnQuery | kOnScore), key = step.depends & (kOnKey | kOnScore);
  if (query && key) return Extent::kTileWide;
  return query ? Extent::kQueries : key ? Extent::kKeys : Extent::kOnce;
}

bool is_operation(const Step& step) {
  return step.kind == Step::Kind::kOperation;
}
bool is_function(Op op) {
  return op == Op::kExp || op == Op::kLog || op == Op::kTanh || op == Op::kSigmoid;
}

/// A step as q_factor q + k_factor k + something of the head alone, in integers without bound.
struct Affine {
  bool known = false;
  std::int64_t q = 0, k = 0;
};

Affine affine_of(const Step& step, std::span<const Step> steps, std::span<const Affine> before) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (step.type != Type::kInteger) return {};
  if (!(step.depends & (kOnQuery | kOnKey | kOnScore))) return {.known = true};
  if (step.op == Op::kQuery) return {.known = true, .q = 1};
  if (step.op == Op::kKey) return {.known = true, .k = 1};
  if (step.args[0] < 0 || step.operand != Type::kInteger) return {};
  const Affine& a = before[static_cast<std::size_t>(step.args[0])];
  if (!a.known) return {};
  Affine result;
  if (step.op == Op::kNegate) {
    result = {.known = true, .q = -a.q, .k = -a.k};
  } else if (step.op == Op::kAdd || step.op == Op::kSubtract) {
    const Affine& b = before[static_cast<std::size_t>(step.args[1])];
    const std::int64_t sign = step.op == Op::kAdd ? 1 : -1;
    result = {.known = b.known, .q = a.q + sign * b.q, .k = a.k + sign * b.k};
  } else if (step.op == Op::kMultiply) {
    const auto literal = [&](int argument) {
      const Step& other = steps[static_cast<std::size_t>(argument)];
      return other.op == Op::kInteger && std::llabs(other.integer) < kMost ? other.integer : 0;
    };
    const Affine& b = before[static_cast<std::size_t>(step.args[1])];
    if (const std::int64_t factor = literal(step.args[1]); factor != 0)
      result = {.known = true, .q = a.q * factor, .k = a.k * factor};
    else if (const std::int64_t left = literal(step.args[0]); left != 0)
      result = {.known = b.known, .q = b.q * left, .k = b.k * left};
  }
  if (std::llabs(result.q) > kMost || std::llabs(result.k) > kMost) return {};
  return result;
}

}  // namespace

TileProgram::TileProgram(const Formula& formula, const Over& over, const Box& everything, Scores scores)
    : formula_(&formula), scores_(scores) {
  if (formula.empty()) return;
  for (const Step& step : formula.steps()) scattered_.extents.push_back(extent_of(step));
  contiguous_.extents = scattered_.extents;
  settle_numbers(over, everything);
  find_diagonals(over, everything);
  emit(contiguous_);
  emit(scattered_);
  kept_ = everything.q.last - everything.q.first < kTile ? 1 : kKeptDiagonals;
}

/// Which integers fit 32 bits, which reals float32 holds, and in which lanes the steps that read s run.
void TileProgram::settle_numbers(const Over& over, const Box& everything) {
  const std::vector<Step>& steps = formula_->steps();
  std::vector<Interval> bounds(steps.size());
  over.intervals(everything, Interval::reals(-kMostScore, kMostScore), bounds);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    fits_.push_back(bounds[i].low >= std::numeric_limits<std::int32_t>::min() &&
                    bounds[i].high <= std::numeric_limits<std::int32_t>::max());
    const Step& step = steps[i];
    const bool whole =
        step.type == Type::kInteger && is_operation(step) && step.op != Op::kSelect && step.op != Op::kMin && step.op != Op::kMax;
    breaks_ |= whole && (step.depends & kOnScore);
  }
  exact_ = exact_in_float(*formula_, bounds);
  by_reciprocal_ = formula::by_reciprocal(*formula_, bounds);
  if (!(formula_->depends() & kOnScore) || in_double()) return;
  wide_score_ = float_fails(*formula_, bounds, exact_);
  if (!wide_score_.empty()) return;
  // A sum of float32 stays finite up to its largest and half a unit in the last place; other steps keep away from it.
  constexpr double kMost = std::numeric_limits<float>::max();
  over.intervals(everything, Interval::reals(-kMost, kMost), bounds);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!(steps[i].depends & kOnScore) || steps[i].type != Type::kReal) continue;
    overflows_ |= bounds[i].nan || bounds[i].real_low < -kMost - 0x1p102 || bounds[i].real_high > kMost + 0x1p102;
  }
}

/// Steps of k - q alone become diagonals: integers whose factors of q and k cancel, comparisons of such, and what is made of them.
/// Their parts have a value even at the positions that complete a tile: then the value of a diagonal is the same at all its places.
void TileProgram::find_diagonals(const Over& over, const Box& everything) {
  if (everything.q.last > std::numeric_limits<std::int64_t>::max() - kTile) return;
  if (everything.k.last > std::numeric_limits<std::int64_t>::max() - kTile) return;
  const std::vector<Step>& steps = formula_->steps();
  std::vector<Extent>& extents = contiguous_.extents;
  Box whole = everything;
  whole.q.last += kTile;
  whole.k.last += kTile;
  std::vector<Interval> bounds(steps.size());
  over.intervals(whole, Interval::any(Type::kReal), bounds);
  std::vector<Affine> affine(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    affine[i] = is_operation(step) ? affine_of(step, steps, affine) : Affine{};
    if (extents[i] != Extent::kTileWide || (step.depends & kOnScore)) continue;
    const auto every = [&](const auto& test) {
      const auto given = [&](int argument) { return argument < 0 || test(static_cast<std::size_t>(argument)); };
      return std::all_of(step.args.begin(), step.args.end(), given) && std::all_of(step.indices.begin(), step.indices.end(), given);
    };
    const bool of_diagonals = every([&](std::size_t j) { return extents[j] == Extent::kDiagonal || extents[j] == Extent::kOnce; });
    const bool of_lines = every([&](std::size_t j) { return extents[j] != Extent::kTileWide && !bounds[j].broken; });
    Affine difference = affine[i];
    if (is_comparison(step.op) && is_operation(step) && step.operand == Type::kInteger) {
      const Affine &a = affine[static_cast<std::size_t>(step.args[0])], &b = affine[static_cast<std::size_t>(step.args[1])];
      difference = {.known = a.known && b.known, .q = a.q - b.q, .k = a.k - b.k};
    }
    const bool cancels = difference.known && difference.q + difference.k == 0;
    if (of_diagonals || (of_lines && cancels)) extents[i] = Extent::kDiagonal;
  }
}

/// Whether a step runs in narrow lanes as well as in any.
bool TileProgram::native(const Code& code, int index, const std::vector<bool>& natives) const {
  const auto i = static_cast<std::size_t>(index);
  const Step& step = formula_->steps()[i];
  if (step.type == Type::kInteger && !fits_[i]) return false;
  if (code.extents[i] != Extent::kTileWide) return true;
  if (in_double()) return false;
  if (step.depends & kOnScore) return wide_score_.empty() || (is_operation(step) && step.op == Op::kScore);
  if (is_operation(step) && step.op == Op::kLookup) return true;  // indices are read in the lanes that hold them
  for (const int argument : step.args) {
    if (argument >= 0 && !natives[static_cast<std::size_t>(argument)]) return false;
  }
  if (!is_operation(step)) return true;
  if (is_comparison(step.op) && step.operand == Type::kReal)
    return exact_[static_cast<std::size_t>(step.args[0])] && exact_[static_cast<std::size_t>(step.args[1])];
  if (step.operand == Type::kReal && step.op == Op::kFloor) return false;
  // Of reals only what commutes with rounding.
  return step.type != Type::kReal || step.op == Op::kNegate || step.op == Op::kAbs || step.op == Op::kMin || step.op == Op::kMax ||
         step.op == Op::kSelect;
}

/// From the result down: which steps are needed, and in which lanes.
void TileProgram::emit(Code& code) const {
  const std::vector<Step>& steps = formula_->steps();
  const std::size_t count = steps.size();
  std::vector<bool> natives(count), needed(count);
  for (std::size_t i = 0; i < count; ++i) natives[i] = native(code, static_cast<int>(i), natives);
  code.narrow.assign(count, false);
  code.wide.assign(count, false);
  (in_double() ? code.wide : code.narrow)[static_cast<std::size_t>(formula_->result())] = true;
  for (std::size_t i = count; i-- > 0;) {
    if (code.extents[i] != Extent::kTileWide || (!code.narrow[i] && !code.wide[i])) continue;
    const Step& step = steps[i];
    const auto want = [&](int argument, bool wide) { (wide ? code.wide : code.narrow)[static_cast<std::size_t>(argument)] = true; };
    // Lanes that only a conversion reads are noted as read as well.
    const bool whole = natives[i] && (step.type != Type::kReal || exact_[i] || (is_operation(step) && step.op == Op::kScore));
    const bool promoted = code.wide[i] && whole, demoted = code.narrow[i] && !natives[i];
    const bool in_narrow = (code.narrow[i] && natives[i]) || promoted, in_wide = (code.wide[i] && !whole) || demoted;
    std::vector<Instruction> own;
    const bool is_score = is_operation(step) && step.op == Op::kScore;
    if (in_narrow && !is_score) own.push_back({.kind = Instruction::Kind::kStep, .wide = false, .step = static_cast<int>(i)});
    if (promoted) own.push_back({.kind = Instruction::Kind::kPromote, .wide = true, .step = static_cast<int>(i)});
    if (in_wide && !(is_score && in_double())) own.push_back({.kind = Instruction::Kind::kStep, .wide = true, .step = static_cast<int>(i)});
    if (demoted) own.push_back({.kind = Instruction::Kind::kDemote, .wide = false, .step = static_cast<int>(i)});
    code.instructions.insert(code.instructions.end(), own.rbegin(), own.rend());
    code.narrow[i] = in_narrow || demoted;
    code.wide[i] = in_wide || promoted;
    for (const int argument : step.args) {
      if (argument < 0) continue;
      if (in_narrow) want(argument, false);
      if (in_wide) want(argument, true);
    }
    for (const int index : step.indices) {
      const auto at = static_cast<std::size_t>(index);
      if (code.extents[at] == Extent::kDiagonal || code.extents[at] == Extent::kTileWide) want(index, !natives[at]);
    }
  }
  std::reverse(code.instructions.begin(), code.instructions.end());
  for (std::size_t i = count; i-- > 0;) {
    if (code.extents[i] != Extent::kDiagonal || !(needed[i] || code.narrow[i] || code.wide[i])) continue;
    code.diagonals.push_back(static_cast<int>(i));
    for (const int argument : steps[i].args) {
      if (argument >= 0) needed[static_cast<std::size_t>(argument)] = true;
    }
    for (const int index : steps[i].indices) needed[static_cast<std::size_t>(index)] = true;
  }
  std::reverse(code.diagonals.begin(), code.diagonals.end());
}

PlaceWork TileProgram::work() const {
  PlaceWork work;
  if (empty()) return work;
  for (const Instruction& instruction : contiguous_.instructions) {
    const Step& step = formula_->steps()[static_cast<std::size_t>(instruction.step)];
    const bool runs = instruction.kind == Instruction::Kind::kStep && is_operation(step);
    const bool divides = (step.op == Op::kDivide || step.op == Op::kModulo) && step.operand == Type::kInteger;
    if (runs && step.op == Op::kLookup)
      ++work.lookups;
    else if (runs && divides)
      ++work.whole_divisions;
    else if (runs && is_function(step.op))
      ++(instruction.wide ? work.by_libm : work.functions);
    else
      ++(instruction.wide || instruction.kind == Instruction::Kind::kDemote ? work.wide : work.narrow);
  }
  return work;
}

}  // namespace heed::formula
