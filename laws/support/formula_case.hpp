// Random cases for the law of formulas: a mask, a chain of scores, tables of every dtype, a small problem, and tensors on which every
// kernel has the scaled similarity exactly: queries and keys are multiples of 1/4 up to 2 in size and the scale is a power of two, so
// that f32 and bf16 pairs round nothing, and what differs from double is the formulas' doing alone. In one of eight an element of q or k is
// NaN or infinite.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <heed/heed.hpp>

namespace heed::laws {

struct FormulaCase {
  /// The same seed gives the same case on every machine.
  explicit FormulaCase(std::uint64_t seed);
  FormulaCase(const FormulaCase&) = delete;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] Inputs inputs() const { return {q.view(), k.view(), v.view()}; }

  std::uint64_t seed;
  Problem problem;
  double scale = 1;
  std::vector<std::int64_t> offsets;  ///< of queries, one per batch entry
  std::map<std::string, Tensor> store;
  Tensor q, k, v, sink;

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  bool once_in(std::int64_t n) { return below(n) == 0; }
  void draw_shape();
  void draw_positions();
  void draw_tables();
  void draw_fitted_tables();
  Expr draw_named(std::vector<std::string> texts);
  void add_table(const std::string& name, DType dtype, const Dims& shape);
  Expr draw_mask();
  Expr draw_score();
  void draw_tensors();
  void fill(Tensor& tensor, double step, std::int64_t most);

  std::mt19937_64 random_;
};

}  // namespace heed::laws
