// Every table of Products against its meaning in products.hpp and words.hpp, computed in double from the exactly widened operands: the
// simd, dot and amx machines, for tiles and for few queries, in every dtype (amx emulated where there is no matrix unit).
//
//   scores, absorb + mix, merge, adopt, finish    shapes that are no multiple of anything, rows in every layout
//   unusual, suspects, overflown                  find what they are to find and nothing else; packed values count it as 0
//   phrase                                        the softmax of the scores that the words make, and when it calls Alter
//   lanes                                         a row depends on nothing but the row: not on NaN or huge numbers beside it
//
// All memory starts as NaN and is watched for writes behind its end; what surrounds rows, and lanes that do not exist, are NaN.
// O has an order of its own on each machine, so it is written by adopt and read by finish with l = 1.
// One long file: the operands and the double of all these words are the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <compare>
#include <cstring>
#include <deque>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.hpp"
#include "base/dtype.hpp"
#include "kernel/amx/amx.hpp"
#include "kernel/dot/dot.hpp"
#include "kernel/few.hpp"
#include "kernel/pairs/target.hpp"
#include "kernel/products.hpp"
#include "kernel/simd/simd.hpp"
#include "laws/support/matrix_unit.hpp"

namespace heed::kernel {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int kTileLanes[] = {1, 17, 33, 64}, kFewCounts[] = {1, 4, 7, kFewLanes}, kSomeKeys[] = {1, 5, 33, 64};

using Floats = std::vector<float>;
using Random = std::mt19937_64;

// ---- the machines ----

struct Machine {
  std::string name;
  const Products* products;
  DType dtype;
  int parts;  ///< of the weights, in bf16; 0: they are f32
  bool few = false;
};

void PrintTo(const Machine& machine, std::ostream* to) {
  *to << machine.name;
}

std::vector<Machine> machines() {
  std::vector<Machine> all;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const std::string suffix = "_" + std::string(name_of(dtype));
    all.push_back({"simd" + suffix, &simd::products(dtype), dtype, 0});
    all.push_back({"simd_few" + suffix, &simd::few_products(dtype), dtype, 0, true});
#if HEED_PAIRS
    if (!base::real_cpu().avx512_bf16) continue;
    const int parts = dtype == DType::kBF16 ? 1 : dtype == DType::kF16 ? 2 : 3;
    all.push_back({"dot" + suffix, &dot::products(dtype), dtype, parts});
    if (dtype == DType::kBF16) all.push_back({"dot_few" + suffix, &dot::few_products(), dtype, parts, true});
    if (laws::MatrixUnit::possible()) all.push_back({"amx" + suffix, &amx::products(dtype), dtype, parts});
#endif
  }
  return all;
}

template <class Condition>
std::vector<Machine> machines_where(const Condition& condition) {
  std::vector<Machine> all = machines();
  std::erase_if(all, [&](const Machine& machine) { return !condition(*machine.products); });
  return all;
}

// ---- operands ----

double wide(float x) {
  return static_cast<double>(x);
}
std::size_t at(int row, int lane) {
  return static_cast<std::size_t>(row * kTile + lane);
}
std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}
bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Memory as a walk hands it out: aligned, with anything in it. Nothing may be written behind its end.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : tensor_(DType::kU8, {static_cast<std::int64_t>(bytes + kGuard)}), bytes_(bytes) {
    std::memset(data(), 0xFF, bytes);
    std::memset(static_cast<std::byte*>(data()) + bytes, kMark, kGuard);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    const auto* const bytes = tensor_.data<std::uint8_t>();
    EXPECT_TRUE(std::all_of(bytes + bytes_, bytes + bytes_ + kGuard, [](std::uint8_t byte) { return byte == kMark; }));
  }
  [[nodiscard]] void* data() { return tensor_.data<std::byte>(); }
  [[nodiscard]] float* floats() { return tensor_.data<float>(); }
  [[nodiscard]] const void* data() const { return tensor_.data<std::byte>(); }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr std::uint8_t kMark = 0xA5;
  Tensor tensor_;
  std::size_t bytes_;
};

enum class Layout : std::uint8_t { kContiguous, kStridedColumns, kNegativeRows };
constexpr Layout kLayouts[] = {Layout::kContiguous, Layout::kStridedColumns, Layout::kNegativeRows};

/// Rows of some dtype with NaN around and between them, and the same numbers in double.
class Matrix {
 public:
  Matrix(DType dtype, int rows, int columns, Layout layout)
      : store_(dtype, {(rows + 2) * (2 * columns + 3)}),
        numbers_(index(rows * columns)),
        rows_(rows),
        columns_(columns),
        row_stride_(layout == Layout::kContiguous       ? columns
                    : layout == Layout::kStridedColumns ? 2 * columns + 1
                                                        : -(columns + 3)),
        column_stride_(layout == Layout::kStridedColumns ? 2 : 1),
        first_(1 + (row_stride_ < 0 ? (1 - rows) * row_stride_ : 0)) {
    std::memset(store_.data<std::byte>(), 0xFF, static_cast<std::size_t>(store_.count() * size_of(dtype)));
  }
  void set(int row, int column, double number) {
    const std::int64_t place = first_ + row * row_stride_ + column * column_stride_;
    store_real(store_.span(), place, number);
    numbers_[index(row * columns_ + column)] = real_at(store_.view(), place);
  }
  [[nodiscard]] double at(int row, int column) const { return numbers_[index(row * columns_ + column)]; }
  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int columns() const { return columns_; }
  [[nodiscard]] Rows view() const {
    return {store_.data<std::byte>() + first_ * size_of(store_.dtype()), store_.dtype(), row_stride_, column_stride_};
  }

 private:
  Tensor store_;
  std::vector<double> numbers_;
  int rows_, columns_;
  std::int64_t row_stride_, column_stride_, first_;
};

/// Queries as the products read them: lane i is row rows - 1 - i.
struct Queries : Buffer {
  Queries(const Products& products, const Matrix& q, float scale) : Queries(products, q, scale, q.rows()) {}
  Queries(const Products& products, const Matrix& q, float scale, int lanes) : Buffer(products.sizes(q.columns(), 1).queries) {
    Rows rows = q.view();
    std::vector<std::int64_t> slots;
    for (int i = 0; i < lanes; ++i) slots.push_back((q.rows() - 1 - i) * rows.row_stride);
    rows.row_stride = 1;
    products.load_queries(rows, slots.data(), lanes, q.columns(), scale, data());
  }
};

struct Keys : Buffer {
  Keys(const Products& products, const Matrix& k)
      : Buffer(products.sizes(k.columns(), 1).keys), operand(products.keys(k.view(), k.rows(), k.columns(), data())) {}
  Operand operand;
};

struct Values : Buffer {
  Values(const Products& products, const Matrix& v)
      : Buffer(products.sizes(1, v.columns()).values), operand(products.values(v.view(), v.rows(), v.columns(), data())) {}
  Operand operand;
};

/// m, l and a machine's O of rows that have seen nothing; lanes that do not exist hold NaN.
struct State {
  State(const Products& products_, int value_dim_, int lanes_)
      : products(products_), value_dim(value_dim_), lanes(lanes_), m(kTile, kNaN), l(kTile, kNaN), o(products.sizes(1, value_dim).output) {
    std::memset(o.data(), 0, products.sizes(1, value_dim).output);
    std::fill_n(m.begin(), lanes, -kInf);
    std::fill_n(l.begin(), lanes, 0.0F);
  }
  SoftmaxRows rows() { return {m.data(), l.data(), o.floats()}; }
  /// O as [lanes, Dv].
  Floats outputs() {
    Floats ones(kTile, 1), out(index(lanes * value_dim), kNaN);
    products.finish({m.data(), ones.data(), o.floats()}, value_dim, 0, lanes, {out.data(), DType::kF32, value_dim, 1});
    return out;
  }

  const Products& products;
  int value_dim, lanes;
  Floats m, l;
  Buffer o;
};

/// The same in double, of one row; `size` is the sum of p |v|, against which errors of O are judged.
struct Truth {
  explicit Truth(int value_dim) : o(index(value_dim)), size(index(value_dim)) {}

  void absorb(const float* s, int lane, const Matrix& v) {
    double top = m;
    for (int j = 0; j < v.rows(); ++j) top = std::max(top, wide(s[at(j, lane)]));
    if (top == -kInf) return;
    rescale(std::exp(m - top));
    m = top;
    for (int j = 0; j < v.rows(); ++j) add(std::exp(wide(s[at(j, lane)]) - m), v, j);
  }
  void rescale(double factor) {
    l *= factor;
    for (double& x : o) x *= factor;
    for (double& x : size) x *= factor;
  }
  void add(double p, const Matrix& v, int j) {
    l += p;
    for (int c = 0; c < v.columns(); ++c) {
      o[index(c)] += p * v.at(j, c);
      size[index(c)] += p * std::fabs(v.at(j, c));
    }
  }

  double m = -HUGE_VAL, l = 0;
  std::vector<double> o, size;
};

// ---- the fixture ----

class EveryProducts : public testing::TestWithParam<Machine> {
 protected:
  [[nodiscard]] std::span<const int> some_lanes() const {
    return machine_.few ? std::span<const int>(kFewCounts) : std::span<const int>(kTileLanes);
  }
  [[nodiscard]] int most_lanes() const { return machine_.few ? kFewLanes : kTile; }
  /// Relative to the sum of p |v|. One part: weights are rounded by 2^-8, and exp errs by 1e-4. Two: weights are rounded by 2^-17, and the
  /// smallest of four products, at most 2^-16, is left out. Else sums in f32, whose roundings are many and of either sign.
  [[nodiscard]] double mix_tolerance() const { return machine_.parts == 1 ? 0x1.08p-8 : machine_.parts == 2 ? 0x1p-15 : 0x1p-20; }
  [[nodiscard]] double sum_tolerance() const { return machine_.parts == 1 && !machine_.few ? 0x1p-13 : 0x1p-20; }

  float normal(float spread = 1) { return std::normal_distribution<float>(0, spread)(random_); }
  Layout layout() { return kLayouts[random_() % std::size(kLayouts)]; }
  Matrix draw(int rows, int columns, double spread = 1) {
    Matrix matrix(machine_.dtype, rows, columns, layout());
    for (int row = 0; row < rows; ++row) {
      for (int c = 0; c < columns; ++c) matrix.set(row, c, spread * wide(normal()));
    }
    return matrix;
  }

  /// absorb and mix of a tile of scores; returns rescale.
  Floats fold(const float* scores, const Matrix& v, State& state) {
    const Values values(products_, v);
    Buffer s(kTile * kTile * sizeof(float)), weights(products_.sizes(1, v.columns()).weights);
    for (int j = 0; j < v.rows(); ++j) std::copy_n(scores + at(j, 0), state.lanes, s.floats() + at(j, 0));
    void* const p = products_.sizes(1, v.columns()).weights == 0 ? s.data() : weights.data();
    Floats rescale(kTile, kNaN);
    products_.absorb(s.floats(), v.rows(), state.lanes, state.rows(), rescale.data(), p);
    products_.mix(p, values.operand, v.columns(), v.rows(), state.lanes, rescale.data(), state.o.floats());
    return rescale;
  }

  /// l and O of a row whose reference may lie below the maximum. `error` is that of the scores beyond their rounding.
  void expect_row(State& state, const Floats& outputs, int lane, const Truth& truth, double error = 0) const {
    const double factor = truth.l == 0 ? 1 : std::exp(wide(state.m[index(lane)]) - truth.m);
    EXPECT_NEAR(wide(state.l[index(lane)]) * factor, truth.l, (sum_tolerance() + error) * truth.l) << "lane " << lane;
    for (int c = 0; c < state.value_dim; ++c) {
      const double o = wide(outputs[index(lane * state.value_dim + c)]) * factor;
      ASSERT_NEAR(o, truth.o[index(c)], (mix_tolerance() + error) * truth.size[index(c)]) << "lane " << lane << " column " << c;
    }
  }

  laws::MatrixUnit unit_;
  const Machine& machine_ = GetParam();
  const Products& products_ = *machine_.products;
  Random random_{42};
};

// ---- scores ----

/// Error 2^-22 of the sum of |q k|: of the scale and the result at most 2^-23; of rounding to f32 after each term about 2^-25, as signs are
/// random and so partial sums stay near the root of their length. Of three parts, products of 2^-24 and less are left out, those of 2^-16
/// and 2^-8 are added before the others, where they round by as much less.
void expect_scores(const Matrix& q, const Matrix& k, float scale, const float* s) {
  for (int j = 0; j < k.rows(); ++j) {
    for (int i = 0; i < q.rows(); ++i) {
      double sum = 0, size = 0;
      for (int c = 0; c < q.columns(); ++c) {
        const double term = wide(scale) * q.at(q.rows() - 1 - i, c) * k.at(j, c);
        sum += term;
        size += std::fabs(term);
      }
      ASSERT_NEAR(wide(s[at(j, i)]), sum, 0x1p-22 * size) << "key " << j << " lane " << i << " dim " << q.columns();
    }
  }
}

TEST_P(EveryProducts, ScoresAreScaledDotProducts) {
  for (const int dim : {1, 16, 30, 64, 100}) {
    for (const int keys : kSomeKeys) {
      for (const int lanes : some_lanes()) {
        const Matrix q = draw(lanes, dim), k = draw(keys, dim);
        const float scale = lanes == 4 || lanes == 33 ? -0.7F : 0.3F;
        const Queries queries(products_, q, scale);
        const Keys rows(products_, k);
        Buffer s(kTile * kTile * sizeof(float));
        products_.scores(queries.data(), rows.operand, dim, keys, lanes, s.floats());
        expect_scores(q, k, scale, s.floats());
      }
    }
  }
}

TEST_P(EveryProducts, QueriesThatDoNotExistAreZero) {
  for (const int lanes : {0, 1, most_lanes() - 1}) {
    const Queries queries(products_, draw(lanes, 30), 0.3F);
    const Matrix k = draw(33, 30);
    const Keys rows(products_, k);
    Buffer s(kTile * kTile * sizeof(float));
    products_.scores(queries.data(), rows.operand, 30, 33, most_lanes(), s.floats());
    for (int j = 0; j < 33; ++j) {
      for (int i = lanes; i < most_lanes(); ++i) EXPECT_EQ(s.floats()[at(j, i)], 0) << j << " " << i;
    }
  }
}

// ---- absorb and mix ----

/// The first of two tiles: lane 3 never sees anything, lane 2 only later, others three of four keys.
Floats some_scores(Random& random, int keys, int lanes, bool first) {
  std::normal_distribution<float> normal(0, 4);
  Floats s(kTile * kTile, kNaN);
  for (int j = 0; j < keys; ++j) {
    for (int i = 0; i < lanes; ++i) {
      const bool nothing = i % 16 == 3 || (i % 16 == 2 && first) || random() % 4 == 0;
      const float shift = first ? 0.0F : i % 2 == 0 ? 12.0F : -12.0F;  // larger maxima, and such that change nothing
      s[at(j, i)] = nothing ? -kInf : normal(random) + shift;
    }
  }
  return s;
}

void expect_rescale(float rescale, float before, float after) {
  const double step = wide(before) - wide(after);
  if (before == after)
    EXPECT_EQ(rescale, 1);
  else if (before == -kInf)
    EXPECT_EQ(rescale, 0);
  else
    EXPECT_NEAR(wide(rescale), std::exp(step), (0x1p-22 - 0x1p-24 * step) * std::exp(step));  // the step is rounded, too
}

TEST_P(EveryProducts, AbsorbAndMixAreTheOnlineSoftmax) {
  std::size_t turn = 0;
  for (const int value_dim : {3, 16, 48, 70}) {
    for (const int keys : kSomeKeys) {
      const int lanes = some_lanes()[(turn + turn / 4) % some_lanes().size()];
      ++turn;
      State state(products_, value_dim, lanes);
      std::vector<Truth> truth(index(lanes), Truth(value_dim));
      for (const bool first : {true, false}) {
        const Matrix v = draw(keys, value_dim);
        const Floats s = some_scores(random_, keys, lanes, first), before = state.m, rescale = fold(s.data(), v, state);
        for (int i = 0; i < lanes; ++i) {
          truth[index(i)].absorb(s.data(), i, v);
          EXPECT_EQ(wide(state.m[index(i)]), truth[index(i)].m);
          expect_rescale(rescale[index(i)], before[index(i)], state.m[index(i)]);
        }
      }
      const Floats outputs = state.outputs();
      for (int i = 0; i < lanes; ++i) expect_row(state, outputs, i, truth[index(i)]);
    }
  }
}

TEST_P(EveryProducts, ARowThatSeesNothingStaysEmpty) {
  State state(products_, 16, 1);
  EXPECT_EQ(fold(Floats(kTile * kTile, -kInf).data(), draw(5, 16), state)[0], 1);
  EXPECT_EQ(state.m[0], -kInf);
  EXPECT_EQ(state.l[0], 0);
  EXPECT_EQ(state.outputs(), Floats(16, 0));
}

// ---- merge, adopt, finish ----

/// Random rows of all lanes: l > 0, O as [Dv, 64].
struct Exact {
  Exact(Random& random, int value_dim) : m(kTile), l(kTile), o(at(value_dim, 0)) {
    std::normal_distribution<float> normal;
    for (float& x : m) x = 3 * normal(random);
    for (float& x : l) x = 1 + std::fabs(normal(random));
    for (float& x : o) x = normal(random);
  }
  void set(int lane, float m_, float l_, float o_) {
    m[index(lane)] = m_;
    l[index(lane)] = l_;
    for (std::size_t place = index(lane); place < o.size(); place += kTile) o[place] = o_;
  }
  void adopted_by(State& state, std::uint64_t lanes = ~std::uint64_t{0}) {
    if (state.lanes < kTile) lanes &= (std::uint64_t{1} << state.lanes) - 1;
    state.products.adopt(state.rows(), {m.data(), l.data(), o.data()}, lanes, state.value_dim);
  }
  Floats m, l, o;
};

constexpr int kSomeValueDims[] = {5, 48, 70};

TEST_P(EveryProducts, AdoptTakesTheLanesAndNoOthers) {
  for (const int value_dim : kSomeValueDims) {
    State state(products_, value_dim, most_lanes());
    Exact before(random_, value_dim), exact(random_, value_dim);
    before.adopted_by(state);
    const std::uint64_t lanes = 0x8001'0000'F00F'5A5AU;
    exact.adopted_by(state, lanes);
    const Floats outputs = state.outputs();
    for (int i = 0; i < most_lanes(); ++i) {
      const Exact& expected = lanes >> i & 1 ? exact : before;
      EXPECT_TRUE(same_bits(state.m[index(i)], expected.m[index(i)]) && same_bits(state.l[index(i)], expected.l[index(i)])) << i;
      for (int c = 0; c < value_dim; ++c) EXPECT_TRUE(same_bits(outputs[index(i * value_dim + c)], expected.o[at(c, i)])) << i << " " << c;
    }
  }
}

/// Lane i has seen nothing in state (i % 5 = 1), in part (2), in both (3).
void forget(Exact& state, Exact& part) {
  for (int i = 0; i < kTile; ++i) {
    if (i % 5 == 1 || i % 5 == 3) state.set(i, -kInf, 0, 0);
    if (i % 5 == 2 || i % 5 == 3) part.set(i, -kInf, 0, kNaN);
  }
}

void expect_merged(const Exact& state, const Exact& part, int lane, State& merged, const Floats& outputs) {
  const double m_state = wide(state.m[index(lane)]), m_part = wide(part.m[index(lane)]), m = std::max(m_state, m_part);
  EXPECT_EQ(wide(merged.m[index(lane)]), m);
  const bool keeps = m_part == -kInf;
  const double a = keeps ? 1 : std::exp(m_state - m), b = keeps ? 0 : std::exp(m_part - m), tolerance = keeps ? 0 : 0x1p-20;
  const auto expect = [&](float got, float x, float y) {
    const double kept = a * wide(x), added = keeps ? 0 : b * wide(y);
    EXPECT_NEAR(wide(got), kept + added, tolerance * (std::fabs(kept) + std::fabs(added))) << "lane " << lane;
  };
  expect(merged.l[index(lane)], state.l[index(lane)], part.l[index(lane)]);
  for (int c = 0; c < merged.value_dim; ++c) expect(outputs[index(lane * merged.value_dim + c)], state.o[at(c, lane)], part.o[at(c, lane)]);
}

TEST_P(EveryProducts, MergeIsTheSoftmaxOfBoth) {
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      Exact state(random_, value_dim), part(random_, value_dim);
      forget(state, part);
      State merged(products_, value_dim, lanes), other(products_, value_dim, lanes);
      state.adopted_by(merged);
      part.adopted_by(other);
      products_.merge(merged.rows(), other.rows(), value_dim, lanes);
      const Floats outputs = merged.outputs();
      for (int i = 0; i < lanes; ++i) expect_merged(state, part, i, merged, outputs);
    }
  }
}

/// finish of lanes [first, first + lanes) writes quotients, rounded once more where narrower, and nothing else.
void expect_finished(State& state, const Exact& exact, int first, int lanes, DType dtype, std::int64_t column_stride) {
  const std::int64_t row_stride = state.value_dim * column_stride + (column_stride == 1 ? 0 : 3), count = 1 + lanes * row_stride;
  Tensor got(dtype, {count}), expected(dtype, {count});
  for (Tensor* tensor : {&got, &expected}) std::memset(tensor->data<std::byte>(), 0xFF, static_cast<std::size_t>(count * size_of(dtype)));
  state.products.finish(state.rows(), state.value_dim, first, lanes, {got.data<std::byte>(), dtype, row_stride, column_stride});
  for (int i = 0; i < lanes; ++i) {
    for (int c = 0; c < state.value_dim; ++c) {
      const float l = exact.l[index(first + i)], quotient = l == 0 ? 0 : exact.o[at(c, first + i)] / l;
      store_real(expected.span(), i * row_stride + c * column_stride, wide(quotient));
    }
  }
  EXPECT_EQ(std::memcmp(got.data<std::byte>(), expected.data<std::byte>(), static_cast<std::size_t>(count * size_of(dtype))), 0)
      << name_of(dtype) << " lanes " << first << " + " << lanes << " columns " << state.value_dim << " x " << column_stride;
}

TEST_P(EveryProducts, FinishDividesRoundsAndPlaces) {
  const std::vector<std::pair<int, int>> some{{0, 1}, {0, 8}, {3, 2}, {7, 1}, {0, 64}, {17, 33}, {40, 24}};
  for (const int value_dim : kSomeValueDims) {
    State state(products_, value_dim, most_lanes());
    Exact exact(random_, value_dim);
    for (int i = 0; i < kTile; i += 4) exact.set(i, -kInf, 0, 0);
    exact.adopted_by(state);
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      for (const std::int64_t column_stride : {1, 2}) {
        for (const auto& [first, lanes] : some) {
          if (first + lanes <= most_lanes()) expect_finished(state, exact, first, lanes, dtype, column_stride);
        }
      }
    }
  }
}

// ---- numbers that the products do not take ----

struct Numbers {
  std::vector<double> usual, unusual;
};

/// Both sides of every border of pairs.hpp; `large`: where too large numbers begin.
Numbers numbers_of(DType dtype, double large) {
  const double nan = std::nan(""), inf = HUGE_VAL;
  if (dtype == DType::kBF16)
    return {{0, -0.0, 0x1p-126, -0x1.02p-126, 1, -large * 0x1.fep-1}, {nan, inf, -inf, 0x1p-133, -0x1.fcp-127, large, -0x1.fep127}};
  if (dtype == DType::kF16) return {{0, -0.0, 0x1p-24, -0x1p-14, 0x1.004p0, 65504}, {nan, inf, -inf}};
  return {{0, -0.0, 0x1p-100, -0x1.fffffep-100, 0x1.234568p0, -large * 0x1.fffffep-1},
          {nan, inf, -inf, 0x1p-149, -0x1.fffffep-101, large, -0x1.fffffep127}};
}
constexpr double kLargeKey = 0x1p45, kLargeValue = 0x1p80;

using Finder = std::uint64_t (*)(const Rows&, int, int);

/// A number at one place of [64, 70], between ones; rows beyond `count` do not matter.
std::uint64_t found(Finder find, DType dtype, Layout layout, double number, int row, int column, int count = kTile) {
  Matrix matrix(dtype, kTile, 70, layout);
  for (int r = 0; r < kTile; ++r) {
    for (int c = 0; c < 70; ++c) matrix.set(r, c, r == row && c == column ? number : r < count ? 1 : std::nan(""));
  }
  return find(matrix.view(), count, 70);
}

void expect_finds(Finder find, DType dtype, const Numbers& numbers) {
  int row = 0;
  for (const Layout layout : kLayouts) {
    for (const int column : {0, 15, 16, 31, 37, 69}) {
      row = (row + 23) % kTile;
      for (const double number : numbers.usual) EXPECT_EQ(found(find, dtype, layout, number, row, column), 0U) << number;
      for (const double number : numbers.unusual)
        EXPECT_EQ(found(find, dtype, layout, number, row, column), std::uint64_t{1} << row) << number;
    }
    EXPECT_EQ(found(find, dtype, layout, 1, 0, 0, 5), 0U);
  }
}

using UnusualNumbers = EveryProducts;

TEST_P(UnusualNumbers, AreFound) {
  expect_finds(products_.unusual_keys, machine_.dtype, numbers_of(machine_.dtype, kLargeKey));
  expect_finds(products_.unusual_queries, machine_.dtype, numbers_of(machine_.dtype, kLargeKey));
  expect_finds(products_.unusual_values, machine_.dtype, numbers_of(machine_.dtype, kLargeValue));
}

TEST_P(UnusualNumbers, CountAsZeroInPackedValues) {
  const Numbers numbers = numbers_of(machine_.dtype, kLargeValue);
  std::vector<double> all = numbers.usual, expected = all;
  all.insert(all.end(), numbers.unusual.begin(), numbers.unusual.end());
  expected.resize(all.size(), 0);
  const int columns = static_cast<int>(all.size()) + 40;
  for (const Layout layout : kLayouts) {
    for (const int shift : {0, 40}) {
      Matrix v(machine_.dtype, 1, columns, layout);
      for (int c = 0; c < columns; ++c) v.set(0, c, c < shift || c >= shift + columns - 40 ? 1 : all[index(c - shift)]);
      State state(products_, columns, 1);
      fold(Floats(kTile * kTile, 0.0F).data(), v, state);  // one key, of weight 1
      const Floats outputs = state.outputs();
      for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(wide(outputs[i + index(shift)]), expected[i]) << all[i];
    }
  }
}

#if HEED_PAIRS
TEST(FewQueriesInPairs, AreUnusualWhereDenormalsOfKeysCouldBeFelt) {
  if (!base::real_cpu().avx512_bf16) GTEST_SKIP() << "no AVX-512 with bf16 products";
  expect_finds(dot::few_products().unusual_queries, DType::kBF16,
               {{0, -0.0, 0x1p-133, 1, -0x1.fep63}, {0x1p64, -0x1.02p64, HUGE_VAL, -HUGE_VAL, std::nan("")}});
}
#endif

using Suspects = EveryProducts;

TEST_P(Suspects, AreRowsOfNaN) {
  const bool flushes = machine_.parts != 0;  // denormals are lost: rows of tiny numbers are suspect as well
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      State state(products_, value_dim, lanes);
      Exact exact(random_, value_dim);
      std::uint64_t expected = 0;
      for (int i = 0; i < lanes; ++i) {
        if (i % 3 == 0) exact.o[at(i * 7 % value_dim, i)] = i % 2 == 0 ? kNaN : -kNaN;
        if (i % 3 == 1) exact.set(i, 0, 1, 1e-39F);
        if (i % 6 == 1) exact.o[at(i * 7 % value_dim, i)] = -1e-3F;
        if (i % 3 == 0 || (flushes && i % 6 == 4)) expected |= std::uint64_t{1} << i;
      }
      exact.adopted_by(state);
      EXPECT_EQ(products_.suspects(state.rows(), value_dim, lanes), expected) << lanes << " x " << value_dim;
    }
  }
}

using Overflown = EveryProducts;

TEST_P(Overflown, AreRowsOfNaNAndInfinity) {
  for (const int value_dim : kSomeValueDims) {
    for (const int lanes : some_lanes()) {
      State state(products_, value_dim, lanes);
      Exact exact(random_, value_dim);
      std::uint64_t expected = 0;
      for (int i = 0; i < lanes; ++i) {
        exact.o[at(i * 5 % value_dim, i)] = 3.4e38F;
        if (i % 3 != 0) continue;
        exact.o[at(i * 7 % value_dim, i)] = i % 2 == 0 ? kNaN : i % 4 == 1 ? HUGE_VALF : -HUGE_VALF;
        expected |= std::uint64_t{1} << i;
      }
      exact.adopted_by(state);
      EXPECT_EQ(products_.overflown(state.rows(), value_dim, lanes), expected) << lanes << " x " << value_dim;
    }
  }
}

// ---- several tiles ----

struct Tiles {
  void add(const Products& products, Matrix k_rows, Matrix v_rows, bool altered) {
    k.push_back(std::move(k_rows));
    v.push_back(std::move(v_rows));
    list.push_back({.k = keys.emplace_back(products, k.back()).operand,
                    .v = values.emplace_back(products, v.back()).operand,
                    .keys = k.back().rows(),
                    .altered = altered,
                    .tile = static_cast<std::int64_t>(list.size())});
  }
  std::vector<Matrix> k, v;
  std::deque<Keys> keys;
  std::deque<Values> values;
  std::vector<KeyTile> list;
};

/// Hides a third of the places and all of lane 5, and raises every other lane from tile to tile.
void alter_scores(const KeyTile& tile, float* s, int first, int lanes) {
  for (int j = 0; j < tile.keys; ++j) {
    for (int i = first; i < first + lanes; ++i) {
      float& score = s[at(j, i - first)];
      if (i == 5 || (i + j + tile.tile) % 3 == 0)
        score = -kInf;
      else
        score += i % 2 == 0 ? 7 * static_cast<float>(tile.tile) : 0.5F * static_cast<float>(j % 4);
    }
  }
}

struct Call {
  std::int64_t tile;
  int first, lanes;
  friend auto operator<=>(const Call&, const Call&) = default;
};

/// Queries on some tiles of keys, of which the scores grow.
class Folding : public EveryProducts {
 protected:
  static constexpr float kScale = 0.15F;

  Tiles draw_tiles(int count, int dim, int value_dim, int last_keys, unsigned altered) {
    Tiles tiles;
    for (int n = 0; n < count; ++n) {
      const int keys = n + 1 < count ? kTile : last_keys;
      tiles.add(products_, draw(keys, dim, 1 + n), draw(keys, value_dim), altered >> n & 1);
    }
    return tiles;
  }
  /// The scores of one tile by the word, altered.
  Floats scores_of(const Queries& q, const KeyTile& tile, int dim, int lanes, bool alter = true) {
    Floats s(kTile * kTile, kNaN);
    products_.scores(q.data(), tile.k, dim, tile.keys, lanes, s.data());
    if (alter && tile.altered) alter_scores(tile, s.data(), 0, lanes);
    return s;
  }
  void by_words(const Queries& q, const Tiles& tiles, int dim, State& state) {
    for (const KeyTile& tile : tiles.list)
      fold(scores_of(q, tile, dim, state.lanes).data(), tiles.v[static_cast<std::size_t>(tile.tile)], state);
  }
  void by_phrase(const Queries& q, const Tiles& tiles, int dim, State& state, const Alter& alter) {
    Buffer scratch(products_.phrase_bytes(dim, state.value_dim));
    products_.phrase({q.data(), tiles.list, state.lanes, dim, state.value_dim, state.rows(), alter, scratch.data()});
  }
  void by_phrase(const Queries& q, const Tiles& tiles, int dim, State& state) {
    const auto alter = [](const KeyTile& tile, float* s, int first, int lanes) { alter_scores(tile, s, first, lanes); };
    by_phrase(q, tiles, dim, state, Alter(alter));
  }
  void expect_phrase(int turn, int count, int lanes);
};

void expect_same_lanes(State& a, State& b, const std::vector<int>& except) {
  const Floats x = a.outputs(), y = b.outputs();
  for (int i = 0; i < std::min(a.lanes, b.lanes); ++i) {
    if (std::find(except.begin(), except.end(), i) != except.end()) continue;
    EXPECT_TRUE(same_bits(a.m[index(i)], b.m[index(i)]) && same_bits(a.l[index(i)], b.l[index(i)])) << "lane " << i;
    const std::size_t row = index(i * a.value_dim);
    EXPECT_EQ(std::memcmp(&x[row], &y[row], index(a.value_dim) * sizeof(float)), 0) << "lane " << i;
  }
}

TEST_P(Folding, LanesDoNotTouchEachOther) {
  const int dim = 30, value_dim = 48, lanes = most_lanes();
  const Tiles tiles = draw_tiles(3, dim, value_dim, 33, 2);
  Matrix q = draw(lanes, dim);
  const Queries clean(products_, q, kScale);
  q.set(lanes - 2, 3, std::nan(""));  // lane 1
  q.set(lanes - 7, 29, HUGE_VAL);     // lane 6
  for (int c = 0; c < dim; ++c) q.set(0, c, 50 * q.at(0, c));
  const Queries dirty(products_, q, kScale);
  for (const bool phrase : {false, true}) {
    if (phrase && products_.phrase == nullptr) break;
    State before(products_, value_dim, lanes), after(products_, value_dim, lanes);
    for (const auto& [queries, state] : {std::pair{&clean, &before}, {&dirty, &after}}) {
      if (phrase)
        by_phrase(*queries, tiles, dim, *state);
      else
        by_words(*queries, tiles, dim, *state);
    }
    expect_same_lanes(before, after, {1, 6, lanes - 1});
  }
}

TEST_P(Folding, LanesDoNotCountEachOther) {
  const int dim = 30, value_dim = 48;
  const Tiles tiles = draw_tiles(2, dim, value_dim, 33, 2);
  const Matrix q = draw(most_lanes(), dim);
  for (const int lanes : some_lanes()) {
    const int most = most_lanes();
    State some(products_, value_dim, lanes), all(products_, value_dim, most);
    by_words(Queries(products_, q, kScale, lanes), tiles, dim, some);
    by_words(Queries(products_, q, kScale, most), tiles, dim, all);
    expect_same_lanes(some, all, {});
  }
}

// ---- the phrase ----

using PhraseOfTiles = Folding;

void Folding::expect_phrase(int turn, int count, int lanes) {
  const int dim = turn % 5 < 3 ? 64 : 30, value_dim = std::array{16, 48, 64}[index((turn + count) % 3)];
  const float scale = turn % 8 == 5 ? 0 : turn % 4 == 3 ? -kScale : kScale;
  const Tiles tiles = draw_tiles(count, dim, value_dim, turn % 3 == 0 ? kTile : 37, static_cast<unsigned>(turn * 7));
  const Queries q(products_, draw(lanes, dim), scale);
  State state(products_, value_dim, lanes);
  std::vector<Floats> raw;  // before: words end what a phrase has begun
  for (const KeyTile& tile : tiles.list) raw.push_back(scores_of(q, tile, dim, lanes, false));
  std::vector<Call> calls, expected;
  const auto alter = [&](const KeyTile& tile, float* s, int first, int some) {
    calls.push_back({tile.tile, first, some});
    for (int j = 0; j < tile.keys; ++j) {
      for (int i = 0; i < some; ++i)
        EXPECT_NEAR(wide(s[at(j, i)]), wide(raw[static_cast<std::size_t>(tile.tile)][at(j, first + i)]), 0x1p-17) << j << " " << i;
    }
    alter_scores(tile, s, first, some);
  };
  by_phrase(q, tiles, dim, state, Alter(alter));

  std::vector<Truth> truth(index(lanes), Truth(value_dim));
  for (const KeyTile& tile : tiles.list) {
    const Floats s = scores_of(q, tile, dim, lanes);
    for (int i = 0; i < lanes; ++i) truth[index(i)].absorb(s.data(), i, tiles.v[static_cast<std::size_t>(tile.tile)]);
    for (int first = 0; tile.altered && first < lanes; first += 32) expected.push_back({tile.tile, first, std::min(32, lanes - first)});
  }
  std::sort(calls.begin(), calls.end());
  EXPECT_EQ(calls, expected);
  const Floats outputs = state.outputs();
  for (int i = 0; i < lanes; ++i) {
    // The reference may stay up to 5.5 below the maximum.
    EXPECT_TRUE(wide(state.m[index(i)]) <= truth[index(i)].m + 1e-5 && wide(state.m[index(i)]) >= truth[index(i)].m - 5.5001)
        << "lane " << i;
    expect_row(state, outputs, i, truth[index(i)], 0x1p-19);  // scores below 32 are scaled in exp: not rounded, as words do
  }
}

TEST_P(PhraseOfTiles, IsTheSoftmaxOfTheirScores) {
  int turn = 0;
  for (const int count : {1, 2, 3, 5}) {
    for (const int lanes : {1, 16, 17, 32, 33, 64}) {
      SCOPED_TRACE(testing::Message() << count << " tiles, " << lanes << " lanes, turn " << turn);
      expect_phrase(turn++, count, lanes);
    }
  }
}

// ---- which machine has what ----

std::string name_of_machine(const testing::TestParamInfo<Machine>& machine) {
  return machine.param.name;
}
const auto kHasUnusual = [](const Products& products) { return products.unusual_keys != nullptr; };
const auto kHasSuspects = [](const Products& products) { return products.suspects != nullptr; };
const auto kHasPhrase = [](const Products& products) { return products.phrase != nullptr; };

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UnusualNumbers);  // where the processor has no products of pairs
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PhraseOfTiles);
INSTANTIATE_TEST_SUITE_P(Machines, EveryProducts, testing::ValuesIn(machines()), name_of_machine);
INSTANTIATE_TEST_SUITE_P(Machines, Folding, testing::ValuesIn(machines()), name_of_machine);
INSTANTIATE_TEST_SUITE_P(Machines, UnusualNumbers, testing::ValuesIn(machines_where(kHasUnusual)), name_of_machine);
INSTANTIATE_TEST_SUITE_P(Machines, Suspects, testing::ValuesIn(machines_where(kHasSuspects)), name_of_machine);
INSTANTIATE_TEST_SUITE_P(Machines, Overflown, testing::ValuesIn(machines()), name_of_machine);
INSTANTIATE_TEST_SUITE_P(Machines, PhraseOfTiles, testing::ValuesIn(machines_where(kHasPhrase)), name_of_machine);

}  // namespace
}  // namespace heed::kernel
