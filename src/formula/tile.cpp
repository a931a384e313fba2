#include "formula/tile.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "formula/arithmetic.hpp"

namespace heed::formula {
namespace {

/// out = function(a, b), element by element, of 64 bits as what they hold; the loops of lines.
template <class From, class To, class Function>
void map(int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out, const Function& function) {
  for (int i = 0; i < count; ++i) {
    const To value = function(std::bit_cast<From>(a[i]), std::bit_cast<From>(b[i]));
    out[i] = std::bit_cast<std::uint64_t>(value);
  }
}

/// The same with the operation known to the compiler.
template <Op op>
void real_map(int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  map<double, double>(count, a, b, out, [](double x, double y) { return real_operation(op, x, y); });
}
template <Op op, class T>
void compare_map(int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  map<T, std::int64_t>(count, a, b, out, [](T x, T y) { return -static_cast<std::int64_t>(compare(op, x, y)); });
}
template <Op op>
void integer_map(int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  map<std::int64_t, std::int64_t>(count, a, b, out, [](std::int64_t x, std::int64_t y) {
    std::int64_t value = 0;
    integer_operation(op, x, y, value);  // without a value: 0, in a hidden place
    return value;
  });
}

template <class T>
void comparison_line(Op op, int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  switch (op) {
    case Op::kLess:
      return compare_map<Op::kLess, T>(count, a, b, out);
    case Op::kLessEqual:
      return compare_map<Op::kLessEqual, T>(count, a, b, out);
    case Op::kGreater:
      return compare_map<Op::kGreater, T>(count, a, b, out);
    case Op::kGreaterEqual:
      return compare_map<Op::kGreaterEqual, T>(count, a, b, out);
    case Op::kEqual:
      return compare_map<Op::kEqual, T>(count, a, b, out);
    default:
      return compare_map<Op::kNotEqual, T>(count, a, b, out);
  }
}

void integer_line(Op op, int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  switch (op) {
    case Op::kNegate:
      return integer_map<Op::kNegate>(count, a, b, out);
    case Op::kAdd:
      return integer_map<Op::kAdd>(count, a, b, out);
    case Op::kSubtract:
      return integer_map<Op::kSubtract>(count, a, b, out);
    case Op::kMultiply:
      return integer_map<Op::kMultiply>(count, a, b, out);
    case Op::kDivide:
      return integer_map<Op::kDivide>(count, a, b, out);
    case Op::kModulo:
      return integer_map<Op::kModulo>(count, a, b, out);
    case Op::kMin:
      return integer_map<Op::kMin>(count, a, b, out);
    case Op::kMax:
      return integer_map<Op::kMax>(count, a, b, out);
    case Op::kAbs:
      return integer_map<Op::kAbs>(count, a, b, out);
    default:
      return integer_map<Op::kFloor>(count, a, b, out);
  }
}

void real_line(Op op, int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  switch (op) {
    case Op::kNegate:
      return real_map<Op::kNegate>(count, a, b, out);
    case Op::kAdd:
      return real_map<Op::kAdd>(count, a, b, out);
    case Op::kSubtract:
      return real_map<Op::kSubtract>(count, a, b, out);
    case Op::kMultiply:
      return real_map<Op::kMultiply>(count, a, b, out);
    case Op::kDivide:
      return real_map<Op::kDivide>(count, a, b, out);
    case Op::kModulo:
      return real_map<Op::kModulo>(count, a, b, out);
    case Op::kMin:
      return real_map<Op::kMin>(count, a, b, out);
    case Op::kMax:
      return real_map<Op::kMax>(count, a, b, out);
    case Op::kAbs:
      return real_map<Op::kAbs>(count, a, b, out);
    case Op::kExp:
      return real_map<Op::kExp>(count, a, b, out);
    case Op::kLog:
      return real_map<Op::kLog>(count, a, b, out);
    case Op::kTanh:
      return real_map<Op::kTanh>(count, a, b, out);
    default:
      return real_map<Op::kSigmoid>(count, a, b, out);
  }
}

/// Of conditions, masks of all bits.
void logic_line(Op op, int count, const std::uint64_t* a, const std::uint64_t* b, std::uint64_t* out) {
  const auto each = [&](const auto& function) { map<std::uint64_t, std::uint64_t>(count, a, b, out, function); };
  switch (op) {
    case Op::kNot:
      return each([](std::uint64_t x, std::uint64_t) { return ~x; });
    case Op::kAnd:
      return each([](std::uint64_t x, std::uint64_t y) { return x & y; });
    case Op::kOr:
      return each([](std::uint64_t x, std::uint64_t y) { return x | y; });
    case Op::kEqual:
      return each([](std::uint64_t x, std::uint64_t y) { return ~(x ^ y); });
    default:
      return each([](std::uint64_t x, std::uint64_t y) { return x ^ y; });
  }
}

}  // namespace

// ---- memory ----

/// Hands out pieces of 64-byte multiples, or only counts them.
class TileFrame::Memory {
 public:
  explicit Memory(std::byte* from) : next_(from) {}
  template <class T>
  T* take(std::size_t count) {
    const std::size_t size = (count * sizeof(T) + 63) / 64 * 64;
    bytes_ += size;
    if (next_ == nullptr) return nullptr;
    std::byte* const piece = next_;
    next_ += size;
    return reinterpret_cast<T*>(piece);
  }
  [[nodiscard]] bool counting() const { return next_ == nullptr; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::byte* next_;
  std::size_t bytes_ = 0;
};

void TileFrame::lay_out(Memory& memory) {
  const Formula& formula = program_->formula();
  const std::size_t steps = formula.steps().size();
  const auto kept = static_cast<std::size_t>(program_->diagonals_kept());
  lines_ = memory.take<std::uint64_t>(steps * kLine);
  lanes_ = memory.take<std::uint32_t>(steps * kTile);
  spread_ = memory.take<std::uint64_t>(3 * kLine);
  narrow_strips_ = memory.take<void*>(steps);
  wide_strips_ = memory.take<void*>(steps);
  offsets_ = memory.take<std::int64_t*>(steps);
  const auto reads = [&](bool wide, std::size_t i) {
    const auto by = [&](const Code& code) { return wide ? code.wide[i] : code.narrow[i]; };
    return by(program_->code(true)) || by(program_->code(false));
  };
  const auto strip = [&](bool wide, std::size_t i) -> void* {
    if (!reads(wide, i) || program_->code(false).extents[i] != Extent::kTileWide) return nullptr;
    const std::size_t lanes = std::max<std::size_t>(kStrip * kTile, extent(static_cast<int>(i)) == Extent::kDiagonal ? kept * kLine : 0);
    return wide ? static_cast<void*>(memory.take<std::uint64_t>(lanes)) : memory.take<std::uint32_t>(lanes);
  };
  for (std::size_t i = 0; i < steps; ++i) {
    void* const in_narrow = strip(false, i);
    void* const in_wide = strip(true, i);
    const bool looks_up = formula.steps()[i].op == Op::kLookup && program_->code(false).extents[i] == Extent::kTileWide;
    std::int64_t* const offsets = looks_up ? memory.take<std::int64_t>(2 * kTile) : nullptr;
    if (memory.counting()) continue;
    narrow_strips_[i] = in_narrow;
    wide_strips_[i] = in_wide;
    offsets_[i] = offsets;
  }
  values_ = memory.take<Value>(steps);
  kept_ = memory.take<std::int64_t>(kept);
  doubtful_ = memory.take<std::uint8_t>(kStrip * kTile);
  queries_ = memory.take<std::int64_t>(kTile);
  rows_ = memory.take<std::int64_t>(kTile);
  keys_ = memory.take<std::int64_t>(kTile);
}

std::size_t TileFrame::bytes(const TileProgram& program) {
  if (program.empty()) return 0;
  TileFrame frame;
  frame.program_ = &program;
  Memory counted(nullptr);
  frame.lay_out(counted);
  return counted.bytes();
}

TileFrame::TileFrame(const TileProgram& program, base::Arena& arena) : program_(&program) {
  std::byte* const memory = arena.take<std::byte>(bytes(program));
  if (!arena.is_dry()) *this = TileFrame(program, memory);
}

TileFrame::TileFrame(const TileProgram& program, std::byte* memory) : program_(&program) {
  if (program.empty()) return;
  Memory taken(memory);
  lay_out(taken);
  std::fill_n(doubtful_, kStrip * kTile, std::uint8_t{0});
}

// ---- binding ----

void TileFrame::bind_head(std::int64_t b, std::int64_t h, std::int64_t g) {
  if (program_->empty()) return;
  if (head_bound_ && b == b_ && h == h_ && g == g_) return;  // and its diagonals stay
  head_bound_ = true;
  b_ = b;
  h_ = h;
  g_ = g;
  kept_count_ = next_kept_ = 0;
  evaluate(Extent::kOnce, 1);
  for (int step = 0; step < static_cast<int>(program_->formula().steps().size()); ++step) {
    if (!program_->by_reciprocal(step)) continue;
    const double divisor = std::bit_cast<double>(*line(program_->formula().steps()[static_cast<std::size_t>(step)].args[1]));
    lanes_[static_cast<std::ptrdiff_t>(step) * kTile] = std::bit_cast<std::uint32_t>(static_cast<float>(1 / divisor));
  }
}

/// Fills 64 positions; true where they run on by one.
bool TileFrame::bind(std::span<const std::int64_t> positions, std::int64_t* to) const {
  bool runs = positions[0] <= std::numeric_limits<std::int64_t>::max() - kTile;
  for (std::size_t i = 1; i < positions.size() && runs; ++i) runs = positions[i] == positions[0] + static_cast<std::int64_t>(i);
  for (int i = 0; i < kTile; ++i) {
    to[i] = runs ? positions[0] + i : positions[std::min<std::size_t>(static_cast<std::size_t>(i), positions.size() - 1)];
  }
  return runs;
}

void TileFrame::bind_queries(std::span<const std::int64_t> positions, std::span<const std::int64_t> rows) {
  if (program_->empty()) return;
  runs_[0] = bind(positions, queries_);
  queries_bound_ = static_cast<int>(positions.size());
  for (int i = 0; i < kTile; ++i) rows_[i] = rows[std::min<std::size_t>(static_cast<std::size_t>(i), rows.size() - 1)];
  evaluate(Extent::kQueries, kTile);
  locate(Extent::kQueries);
}

void TileFrame::bind_keys(std::span<const std::int64_t> positions) {
  if (program_->empty()) return;
  runs_[1] = bind(positions, keys_);
  evaluate(Extent::kKeys, kTile);
  locate(Extent::kKeys);
  if (contiguous() && !code().diagonals.empty()) bind_diagonals();
}

/// Finds the diagonal of k0 - q0 among those kept, or evaluates it in the place of the oldest.
void TileFrame::bind_diagonals() {
  const auto apart = static_cast<std::int64_t>(static_cast<std::uint64_t>(keys_[0]) - static_cast<std::uint64_t>(queries_[0]));
  const std::int64_t* const end = kept_ + kept_count_;
  const int most = program_->diagonals_kept();
  if (const std::int64_t* const found = std::find(static_cast<const std::int64_t*>(kept_), end, apart); most > 1 && found != end) {
    diagonal_ = static_cast<int>(found - kept_);
    return;
  }
  diagonal_ = next_kept_;
  next_kept_ = (next_kept_ + 1) % most;
  kept_count_ = std::min(kept_count_ + 1, most);
  kept_[diagonal_] = apart;
  // One that is not kept needs only what its queries read.
  const int count = most > 1 ? kLine : kTile - 1 + queries_bound_;
  const Code& code = program_->code(true);
  for (const int step : code.diagonals) {
    evaluate_step(step, Extent::kDiagonal, count);
    const auto i = static_cast<std::size_t>(step);
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(diagonal_) * kLine;
    if (code.narrow[i]) narrow(step, line(step), count, static_cast<std::uint32_t*>(narrow_strips_[step]) + at);
    if (code.wide[i]) std::copy_n(line(step), count, static_cast<std::uint64_t*>(wide_strips_[step]) + at);
  }
}

// ---- lines ----

void TileFrame::evaluate(Extent which, int count) {
  const int steps = static_cast<int>(program_->formula().steps().size());
  for (int step = 0; step < steps; ++step) {
    if (extent(step) != which) continue;
    evaluate_step(step, which, count);
    narrow(step, line(step), count, lanes_ + static_cast<std::ptrdiff_t>(step) * kTile);
  }
}

/// The values of an operand along a line of that extent.
const std::uint64_t* TileFrame::spread(int argument, Extent along, int count, int slot) const {
  const std::uint64_t* const from = line(argument);
  const Extent own = extent(argument);
  if (own == along) return from;
  std::uint64_t* const to = spread_ + static_cast<std::ptrdiff_t>(slot) * kLine;
  if (own == Extent::kOnce) {
    std::fill_n(to, count, from[0]);
  } else {
    // Of a diagonal: u = i - j + 63 at i = 0 for u up to 63, then at j = 0.
    for (int u = 0; u < count; ++u) {
      to[u] = from[own == Extent::kQueries ? std::clamp(u - (kTile - 1), 0, kTile - 1) : std::max(kTile - 1 - u, 0)];
    }
  }
  return to;
}

void TileFrame::lookup_line(int index, Extent along, int count) {
  const Step& step = program_->formula().steps()[static_cast<std::size_t>(index)];
  const TensorView& view = program_->formula().tables()[static_cast<std::size_t>(step.table)].view;
  std::uint64_t* const out = line(index);
  std::fill_n(out, count, std::uint64_t{0});
  if (count_of(view.shape) == 0) return;
  std::array<std::int64_t, kLine> offsets{};
  for (std::size_t axis = 0; axis < step.indices.size(); ++axis) {
    const std::uint64_t* const at = spread(step.indices[axis], along, count, 0);
    const std::int64_t last = view.shape[static_cast<int>(axis)] - 1, stride = view.strides[static_cast<int>(axis)];
    // An index out of range is in a hidden place (the plan has seen to that); any element does.
    for (int i = 0; i < count; ++i)
      offsets[static_cast<std::size_t>(i)] += std::clamp<std::int64_t>(static_cast<std::int64_t>(at[i]), 0, last) * stride;
  }
  for (int i = 0; i < count; ++i) {
    const std::int64_t offset = offsets[static_cast<std::size_t>(i)];
    if (step.type == Type::kReal)
      out[i] = std::bit_cast<std::uint64_t>(real_at(view, offset));
    else
      out[i] = static_cast<std::uint64_t>(step.type == Type::kBoolean ? -integer_at(view, offset) : integer_at(view, offset));
  }
}

/// A literal, or a symbol of the head.
std::uint64_t TileFrame::literal(const Step& step) const {
  switch (step.op) {
    case Op::kReal:
      return std::bit_cast<std::uint64_t>(step.real);
    case Op::kBatch:
      return static_cast<std::uint64_t>(b_);
    case Op::kHead:
      return static_cast<std::uint64_t>(h_);
    case Op::kKvHead:
      return static_cast<std::uint64_t>(g_);
    case Op::kBoolean:
      return static_cast<std::uint64_t>(-step.integer);
    default:
      return static_cast<std::uint64_t>(step.integer);
  }
}

void TileFrame::evaluate_step(int index, Extent along, int count) {
  const Step& step = program_->formula().steps()[static_cast<std::size_t>(index)];
  std::uint64_t* const out = line(index);
  if (step.op == Op::kLookup && step.kind == Step::Kind::kOperation) return lookup_line(index, along, count);
  if (step.args[0] < 0) {
    const std::int64_t* const line = step.op == Op::kQuery ? queries_ : step.op == Op::kRow ? rows_ : step.op == Op::kKey ? keys_ : nullptr;
    if (line != nullptr)
      std::copy_n(line, count, out);
    else
      std::fill_n(out, count, literal(step));
    return;
  }
  const std::uint64_t* const a = spread(step.args[0], along, count, 0);
  const std::uint64_t* const b = step.args[1] < 0 ? a : spread(step.args[1], along, count, 1);
  if (step.kind == Step::Kind::kToReal) {
    return map<std::int64_t, double>(count, a, a, out, [](std::int64_t x, std::int64_t) { return static_cast<double>(x); });
  }
  if (step.op == Op::kSelect) {
    const std::uint64_t* const c = spread(step.args[2], along, count, 2);
    for (int i = 0; i < count; ++i) out[i] = (a[i] & b[i]) | (~a[i] & c[i]);
    return;
  }
  if (step.operand == Type::kBoolean) return logic_line(step.op, count, a, b, out);
  if (is_comparison(step.op)) {
    return step.operand == Type::kReal ? comparison_line<double>(step.op, count, a, b, out)
                                       : comparison_line<std::int64_t>(step.op, count, a, b, out);
  }
  if (step.operand == Type::kInteger) return integer_line(step.op, count, a, b, out);
  if (step.op == Op::kFloor) {
    return map<double, std::int64_t>(count, a, a, out, [](double x, double) {
      const double floor = std::floor(x);
      return floor >= -0x1p63 && floor < 0x1p63 ? static_cast<std::int64_t>(floor) : 0;
    });
  }
  real_line(step.op, count, a, b, out);
}

/// 64-bit lanes as 32-bit ones: floats, integers, masks of all bits.
void TileFrame::narrow(int step, const std::uint64_t* from, int count, std::uint32_t* to) const {
  if (program_->formula().steps()[static_cast<std::size_t>(step)].type == Type::kReal) {
    for (int i = 0; i < count; ++i) to[i] = std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(from[i])));
  } else {
    for (int i = 0; i < count; ++i) to[i] = static_cast<std::uint32_t>(from[i]);
  }
}

// ---- reading ----

Operand TileFrame::operand(int step, bool wide, int key, const void* scores) const {
  const auto lanes = [&](const void* from, std::ptrdiff_t at) -> const void* {
    return static_cast<const std::byte*>(from) + at * (wide ? 8 : 4);
  };
  const void* const own = wide ? static_cast<const void*>(line(step)) : lanes_ + static_cast<std::ptrdiff_t>(step) * kTile;
  switch (code().extents[static_cast<std::size_t>(step)]) {
    case Extent::kOnce:
      return {.lanes = own, .key_stride = 0, .splat = true};
    case Extent::kQueries:
      return {.lanes = own, .key_stride = 0, .splat = false};
    case Extent::kKeys:
      return {.lanes = lanes(own, key), .key_stride = 1, .splat = true};
    case Extent::kDiagonal:
      return {.lanes = lanes(strip(step, wide), static_cast<std::ptrdiff_t>(diagonal_) * kLine + kTile - 1 - key), .key_stride = -1};
    case Extent::kTileWide:
      break;
  }
  const Step& what = program_->formula().steps()[static_cast<std::size_t>(step)];
  if (wide == program_->in_double() && what.op == Op::kScore && what.kind == Step::Kind::kOperation)
    return {.lanes = lanes(scores, static_cast<std::ptrdiff_t>(key) * kTile), .key_stride = kTile, .splat = false};
  return {.lanes = strip(step, wide), .key_stride = kTile, .splat = false};
}

/// Offsets of tile-wide lookups, the part that changes with the tile of queries or of keys.
void TileFrame::locate(Extent which) {
  const std::vector<Step>& steps = program_->formula().steps();
  for (std::size_t step = 0; step < steps.size(); ++step) {
    if (offsets_[step] == nullptr) continue;
    const TensorView& view = program_->formula().tables()[static_cast<std::size_t>(steps[step].table)].view;
    std::int64_t* const offsets = offsets_[step] + (which == Extent::kKeys ? kTile : 0);
    std::fill_n(offsets, kTile, std::int64_t{0});
    for (std::size_t axis = 0; axis < steps[step].indices.size(); ++axis) {
      const int argument = steps[step].indices[axis];
      const Extent own = extent(argument);
      if (own != which && !(own == Extent::kOnce && which == Extent::kQueries)) continue;
      const std::uint64_t* const at = line(argument);
      const std::int64_t last = std::max<std::int64_t>(view.shape[static_cast<int>(axis)] - 1, 0);
      for (int i = 0; i < kTile; ++i) {
        offsets[i] += std::clamp<std::int64_t>(static_cast<std::int64_t>(at[own == Extent::kOnce ? 0 : i]), 0, last) *
                      view.strides[static_cast<int>(axis)];
      }
    }
  }
}

Place TileFrame::place(int query, int key, double s) const {
  return {.q = queries_[query], .k = keys_[key], .b = b_, .h = h_, .g = g_, .i = rows_[query], .s = s};
}

}  // namespace heed::formula
