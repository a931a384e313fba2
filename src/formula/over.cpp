#include "formula/over.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace heed::formula {
namespace {

/// A value as the interval that holds it alone.
Interval exactly(const Step& step, const Value& value) {
  Interval result = step.type == Type::kReal && std::isnan(value.real)
                        ? Interval::any(Type::kReal)
                        : Interval{.low = value.integer, .high = value.integer, .real_low = value.real, .real_high = value.real};
  result.broken = value.broken >= 0;
  return result;
}

Interval leaf(const Step& step, const Box& box, const Interval& score) {
  const auto range = [](const Range& r) { return Interval::integers(r.first, r.last); };
  switch (step.op) {
    case Op::kScore:
      return score;
    case Op::kQuery:
      return range(box.q);
    case Op::kRow:
      return range(box.i);
    case Op::kKey:
      return range(box.k);
    case Op::kBatch:
      return range(box.b);
    case Op::kHead:
      return range(box.h);
    case Op::kKvHead:
      return range(box.g);
    case Op::kReal: {
      Interval result = Interval::reals(step.real, step.real);
      return std::isnan(step.real) ? Interval::any(Type::kReal) : result;
    }
    default:
      return Interval::integers(step.integer, step.integer);
  }
}

}  // namespace

// ---- tables ----

namespace {
constexpr std::int64_t kFan = 16;
}  // namespace

/// The element of a flattened index, whatever the strides.
Interval Pyramid::element(std::int64_t flat) const {
  std::int64_t offset = 0;
  for (int axis = table_.shape.rank() - 1; axis >= 0; --axis) {
    offset += flat % table_.shape[axis] * table_.strides[axis];
    flat /= table_.shape[axis];
  }
  if (type_ != Type::kReal) {
    const std::int64_t value = integer_at(table_, offset);
    return Interval::integers(value, value);
  }
  const double value = real_at(table_, offset);
  return std::isnan(value) ? Interval::any(Type::kReal) : Interval::reals(value, value);
}

Pyramid::Pyramid(const TensorView& table)
    : type_(is_real(table.dtype)          ? Type::kReal
            : table.dtype == DType::kBool ? Type::kBoolean
                                          : Type::kInteger),
      table_(table) {
  const std::int64_t count = count_of(table.shape);
  known_ = count <= kLimit;
  if (!known_ || count == 0) return;
  std::vector<Interval> level;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i % kFan == 0)
      level.push_back(element(i));
    else
      level.back() = join(level.back(), element(i));
  }
  levels_.push_back(std::move(level));
  while (levels_.back().size() > 1) {
    const std::vector<Interval>& below = levels_.back();
    std::vector<Interval> above;
    for (std::size_t i = 0; i < below.size(); ++i) {
      if (i % kFan == 0)
        above.push_back(below[i]);
      else
        above.back() = join(above.back(), below[i]);
    }
    levels_.push_back(std::move(above));
  }
}

Interval Pyramid::bounds(std::int64_t first, std::int64_t last) const {
  if (!known_) return Interval::any(type_);
  Interval result = element(first);
  const auto take = [&](std::size_t level, std::int64_t index) {
    result = join(result, level == 0 ? element(index) : levels_[level - 1][static_cast<std::size_t>(index)]);
  };
  for (std::size_t level = 0; first <= last; ++level) {
    while (first <= last && first % kFan != 0) take(level, first++);
    while (first <= last && (last + 1) % kFan != 0) take(level, last--);
    if (first > last) break;
    first /= kFan;
    last = (last + 1) / kFan - 1;
  }
  return result;
}

Over::Over(const Formula& formula) : formula_(&formula) {
  for (const BoundTable& table : formula.tables()) pyramids_.emplace_back(table.view);
}

namespace {

/// The bounds of every step of one evaluation: on the stack for most formulas. (Not thread_local: giving such a thing its destructor may
/// allocate where nothing may be thrown.)
class StepBounds {
 public:
  explicit StepBounds(std::size_t steps) : count_(steps) {
    if (steps > few_.size()) many_.resize(steps);
  }
  [[nodiscard]] std::span<Interval> all() { return {count_ > few_.size() ? many_.data() : few_.data(), count_}; }

 private:
  std::size_t count_;
  std::array<Interval, 24> few_;
  std::vector<Interval> many_;
};

}  // namespace

Interval Over::lookup(const Step& step, std::span<const Interval> steps) const {
  const BoundTable& table = formula_->tables()[static_cast<std::size_t>(step.table)];
  const Pyramid& pyramid = pyramids_[static_cast<std::size_t>(step.table)];
  bool broken = false;
  std::array<Range, Dims::kMaxRank> index{};
  std::int64_t rows = 1;  // combinations of all indices but the last
  const std::size_t rank = step.indices.size();
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Interval& wanted = steps[static_cast<std::size_t>(step.indices[axis])];
    const std::int64_t extent = table.view.shape[static_cast<int>(axis)];
    broken |= wanted.broken || wanted.low < 0 || wanted.high >= extent;
    index[axis] = {std::max<std::int64_t>(wanted.low, 0), std::min(wanted.high, extent - 1)};
    if (index[axis].first > index[axis].last) return {.high = 0, .broken = true};  // no value anywhere
    if (axis + 1 < rank) rows *= std::min<std::int64_t>(index[axis].last - index[axis].first + 1, 1 << 10);
  }
  constexpr std::int64_t kRows = 256;  // beyond so many, the answer would cost more than it saves
  Interval result = Interval::any(pyramid.type());
  if (rows <= kRows && pyramid.known()) {
    std::array<std::int64_t, Dims::kMaxRank> at{};
    for (std::size_t axis = 0; axis < rank; ++axis) at[axis] = index[axis].first;
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t flat = 0;
      for (std::size_t axis = 0; axis < rank; ++axis)
        flat = flat * table.view.shape[static_cast<int>(axis)] + (axis + 1 < rank ? at[axis] : 0);
      const Interval bounds = pyramid.bounds(flat + index[rank - 1].first, flat + index[rank - 1].last);
      result = row ? join(result, bounds) : bounds;
      for (std::size_t axis = rank - 1; axis-- > 0;) {
        if (++at[axis] <= index[axis].last) break;
        at[axis] = index[axis].first;
      }
    }
  }
  result.broken = broken;
  return result;
}

void Over::intervals(const Box& box, const Interval& score, std::span<Interval> steps, Conditions conditions) const {
  for (std::size_t i = 0; i < formula_->steps().size(); ++i) {
    const Step& step = formula_->steps()[i];
    if (step.op == Op::kLookup && step.kind == Step::Kind::kOperation) {
      steps[i] = lookup(step, steps);
    } else if (step.args[0] < 0) {
      steps[i] = leaf(step, box, score);
    } else {
      steps[i] = bounds_of(step, steps, conditions);
    }
  }
}

Interval Over::interval(const Box& box, const Interval& score) const {
  if (formula_->empty()) return {.low = 1, .high = 1, .real_low = score.real_low, .real_high = score.real_high, .nan = score.nan};
  StepBounds bounds(formula_->steps().size());
  const std::span<Interval> steps = bounds.all();
  intervals(box, score, steps);
  return steps[static_cast<std::size_t>(formula_->result())];
}

std::optional<std::uint8_t> Over::broken_for_some_score(const Box& box) const {
  if (formula_->empty()) return {};
  StepBounds bounds(formula_->steps().size());
  const std::span<Interval> steps = bounds.all();
  intervals(box, Interval::any(Type::kReal), steps, Conditions::kOpenWithScore);
  if (!steps[static_cast<std::size_t>(formula_->result())].broken) return {};
  std::uint8_t doubts = kOnNothing;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].broken && !reads_score(formula_->steps()[i])) doubts |= formula_->steps()[i].depends;
  }
  return doubts;
}

int Over::broken_for_some_score(const Place& place, std::span<Value> values) const {
  if (formula_->empty()) return -1;
  (void)formula_->at(place, values);
  StepBounds bounds(formula_->steps().size());
  const std::span<Interval> steps = bounds.all();
  for (std::size_t i = 0; i < formula_->steps().size(); ++i) {
    const Step& step = formula_->steps()[i];
    if (!reads_score(step)) {
      steps[i] = exactly(step, values[i]);
    } else {
      steps[i] = step.args[0] < 0 ? Interval::any(Type::kReal) : bounds_of(step, steps, Conditions::kOpenWithScore);
    }
  }
  const auto broken = [&](int index) { return index >= 0 && steps[static_cast<std::size_t>(index)].broken; };
  int index = formula_->result();
  if (!broken(index)) return -1;
  // Down to what is broken without the score; a branch that is not taken is not to blame.
  while (reads_score(formula_->steps()[static_cast<std::size_t>(index)])) {
    const Step& step = formula_->steps()[static_cast<std::size_t>(index)];
    const Interval& condition = steps[static_cast<std::size_t>(step.args[0])];
    std::array<int, 3> arguments = step.args;
    if (step.op == Op::kSelect && condition.low == 1) arguments[2] = -1;
    if (step.op == Op::kSelect && condition.high == 0) arguments[1] = -1;
    index = *std::find_if(arguments.begin(), arguments.end(), broken);
  }
  return values[static_cast<std::size_t>(index)].broken;
}

Verdict Over::verdict(const Box& box) const {
  const Interval answer = interval(box);
  if (answer.never()) return Verdict::kEmpty;
  if (answer.always()) return Verdict::kFull;
  return Verdict::kPartial;
}

}  // namespace heed::formula
