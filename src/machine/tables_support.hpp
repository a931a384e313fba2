// What the tests of the tables of all machines share: the machines, operands in every layout, their meaning in double, the fixture.
//
// All memory starts as NaN and is watched for writes behind its end; what surrounds rows, and lanes that do not exist, are NaN.
// O has an order of its own on each machine, so it is written by adopt and read by finish with l = 1.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <heed/tensor.hpp>

#include "base/cpu.hpp"
#include "base/dtype.hpp"
#include "laws/support/matrix_unit.hpp"
#include "laws/support/rows.hpp"
#include "machine/amx/amx.hpp"
#include "machine/dot/dot.hpp"
#include "machine/few.hpp"
#include "machine/machine.hpp"
#include "machine/pairs/target.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr int kTileLanes[] = {1, 17, 33, 64}, kFewCounts[] = {1, 4, 7, kFewLanes}, kSomeKeys[] = {1, 5, 33, 64};

using laws::Floats;
using Random = std::mt19937_64;

// ---- the machines ----

/// The tables of a machine for one dtype.
struct Tables {
  const Similarity& similarity;
  const Mixing& mixing;
  const Phrase* phrase;
  void absorb(float* s, int keys, int lanes, float* state, float* rescale, void* weights) const {
    if (phrase != nullptr) return phrase->absorb(s, keys, lanes, state, rescale, weights);
    state::softmax().absorb(s, keys, lanes, state, rescale);
  }
  [[nodiscard]] bool folds() const { return phrase != nullptr && phrase->fold != nullptr; }
};

struct Subject {
  std::string name;
  Tables tables;
  DType dtype;
  int parts;  ///< of the weights, in bf16; 0: they are f32
  bool few = false;
};

inline void PrintTo(const Subject& subject, std::ostream* to) {
  *to << subject.name;
}

inline std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const std::string suffix = "_" + std::string(name_of(dtype));
    all.push_back({"simd" + suffix, {simd::similarities(dtype)[0], simd::mixing(dtype), nullptr}, dtype, 0});
    all.push_back(
        {"simd_few" + suffix, {simd::few_similarities(dtype)[0], simd::few_mixing(dtype), &simd::few_phrases(dtype)[0]}, dtype, 0, true});
#if HEED_PAIRS
    if (!base::real_cpu().avx512_bf16) continue;
    const int parts = dtype == DType::kBF16 ? 1 : dtype == DType::kF16 ? 2 : 3;
    const auto part = static_cast<std::size_t>(parts - 1);
    all.push_back({"dot" + suffix, {dot::kSimilarities[part], dot::kMixings[part], &dot::kPhrases[part]}, dtype, parts});
    if (dtype == DType::kBF16) all.push_back({"dot_few" + suffix, {dot::kFewDot, dot::kFewMixing, &dot::kFewPhrase}, dtype, parts, true});
    if (laws::MatrixUnit::possible())
      all.push_back({"amx" + suffix, {amx::kSimilarities[part], amx::kMixings[part], &amx::kPhrases[part][0]}, dtype, parts});
#endif
  }
  return all;
}

template <class Condition>
std::vector<Subject> subjects_where(const Condition& condition) {
  std::vector<Subject> some;
  for (const Subject& subject : subjects()) {
    if (condition(subject.tables)) some.push_back(subject);
  }
  return some;
}

// ---- operands ----

using laws::at;
using laws::same_bits;
using laws::wide;
inline std::size_t index(int i) {
  return static_cast<std::size_t>(i);
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
inline constexpr Layout kLayouts[] = {Layout::kContiguous, Layout::kStridedColumns, Layout::kNegativeRows};

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
  Queries(const Tables& tables, const Matrix& q, float scale) : Queries(tables, q, scale, q.rows()) {}
  Queries(const Tables& tables, const Matrix& q, float scale, int lanes) : Buffer(tables.similarity.sizes(q.columns()).queries) {
    Rows rows = q.view();
    std::vector<std::int64_t> slots;
    for (int i = 0; i < lanes; ++i) slots.push_back((q.rows() - 1 - i) * rows.row_stride);
    rows.row_stride = 1;
    tables.similarity.load(rows, slots.data(), lanes, q.columns(), scale, data());
  }
};

struct Keys : Buffer {
  Keys(const Tables& tables, const Matrix& k)
      : Buffer(tables.similarity.sizes(k.columns()).keys), operand(tables.similarity.keys(k.view(), k.rows(), k.columns(), data())) {}
  Operand operand;
};

struct Values : Buffer {
  Values(const Tables& tables, const Matrix& v)
      : Buffer(tables.mixing.sizes(v.columns()).values), operand(tables.mixing.values(v.view(), v.rows(), v.columns(), data())) {}
  Operand operand;
};

/// m, l and a machine's O of rows that have seen nothing; lanes that do not exist hold NaN.
struct State {
  State(const Tables& tables_, int value_dim_, int lanes_)
      : tables(tables_), value_dim(value_dim_), lanes(lanes_), lines(at(2, 0), kNaN), o(tables.mixing.sizes(value_dim).output) {
    std::memset(o.data(), 0, tables.mixing.sizes(value_dim).output);
    std::fill_n(m.begin(), lanes, -kInf);
    std::fill_n(l.begin(), lanes, 0.0F);
  }
  /// O as [lanes, Dv].
  Floats outputs() {
    Floats ones(kTile, 1), out(index(lanes * value_dim), kNaN);
    tables.mixing.finish(o.floats(), ones.data(), value_dim, 0, lanes, {out.data(), DType::kF32, value_dim, 1});
    return out;
  }
  [[nodiscard]] std::uint64_t begun() const { return state::softmax().begun(lines.data(), lanes); }

  const Tables& tables;
  int value_dim, lanes;
  Floats lines;
  std::span<float> m{lines.data(), kTile}, l{lines.data() + kTile, kTile};
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

class EveryTable : public testing::TestWithParam<Subject> {
 protected:
  [[nodiscard]] std::span<const int> some_lanes() const {
    return subject_.few ? std::span<const int>(kFewCounts) : std::span<const int>(kTileLanes);
  }
  [[nodiscard]] int most_lanes() const { return subject_.few ? kFewLanes : kTile; }
  /// Relative to the sum of p |v|. One part: weights are rounded by 2^-8, and exp errs by 1e-4. Two: weights are rounded by 2^-17, and the
  /// smallest of four products, at most 2^-16, is left out. Else sums in f32, whose roundings are many and of either sign.
  [[nodiscard]] double mix_tolerance() const { return subject_.parts == 1 ? 0x1.08p-8 : subject_.parts == 2 ? 0x1p-15 : 0x1p-20; }
  [[nodiscard]] double sum_tolerance() const { return subject_.parts == 1 && !subject_.few ? 0x1p-13 : 0x1p-20; }

  float normal(float spread = 1) { return std::normal_distribution<float>(0, spread)(random_); }
  Layout layout() { return kLayouts[random_() % std::size(kLayouts)]; }
  Matrix draw(int rows, int columns, double spread = 1) {
    Matrix matrix(subject_.dtype, rows, columns, layout());
    for (int row = 0; row < rows; ++row) {
      for (int c = 0; c < columns; ++c) matrix.set(row, c, spread * wide(normal()));
    }
    return matrix;
  }

  /// absorb and mix of a tile of scores; returns rescale.
  Floats fold(const float* scores, const Matrix& v, State& state) {
    const Values values(tables_, v);
    Buffer s(kTile * kTile * sizeof(float)), weights(tables_.mixing.sizes(v.columns()).weights);
    for (int j = 0; j < v.rows(); ++j) std::copy_n(scores + at(j, 0), state.lanes, s.floats() + at(j, 0));
    void* const p = tables_.mixing.sizes(v.columns()).weights == 0 ? s.data() : weights.data();
    Floats rescale(kTile, kNaN);
    tables_.absorb(s.floats(), v.rows(), state.lanes, state.lines.data(), rescale.data(), p);
    tables_.mixing.mix(p, values.operand, {v.columns(), v.rows(), state.lanes}, rescale.data(), state.o.floats());
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
  const Subject& subject_ = GetParam();
  const Tables& tables_ = subject_.tables;
  Random random_{42};
};

// ---- states with numbers of their own ----

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
    for (int i = 0; i < kTile; ++i) {
      if (!(lanes >> i & 1)) continue;
      state.m[index(i)] = m[index(i)];
      state.l[index(i)] = l[index(i)];
    }
    state.tables.mixing.adopt(state.o.floats(), o.data(), lanes, state.value_dim);
  }
  Floats m, l, o;
};

inline constexpr int kSomeValueDims[] = {5, 48, 70};

inline std::string name_of_subject(const testing::TestParamInfo<Subject>& subject) {
  return subject.param.name;
}

}  // namespace heed::machine
