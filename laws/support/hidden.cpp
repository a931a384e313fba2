#include "laws/support/hidden.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "plan/choice.hpp"

namespace heed::laws {
namespace {

std::vector<double> bad_numbers(DType dtype) {
  const double infinity = std::numeric_limits<double>::infinity();
  const bool half = dtype == DType::kF16;
  return {std::nan(""), infinity, -infinity, half ? 65504.0 : 3e38, half ? 0x1p-23 : 1e-39};
}

bool sees(const problem::Question& question, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t key) {
  return question.formulas.mask.empty() || question.formulas.mask.at(question.layout.place(b, h, i, key)).integer != 0;
}

/// Whether row `row` of [rows, columns] has the same bits in both.
bool same_row(const Tensor& a, const Tensor& b, std::int64_t row, std::int64_t columns) {
  if (a.shape().rank() == 0) return true;
  const std::int64_t bytes = columns * size_of(a.dtype());
  return std::memcmp(static_cast<const std::byte*>(a.view().data) + row * bytes, static_cast<const std::byte*>(b.view().data) + row * bytes,
                     static_cast<std::size_t>(bytes)) == 0;
}

/// Element (key, c) of every key head becomes `bad`, for some c.
void put(const TensorView& where, Tensor& store, std::int64_t key, double bad) {
  TensorSpan span = store.span();
  for (std::int64_t b = 0; b < where.shape[0]; ++b) {
    for (std::int64_t g = 0; g < where.shape[1]; ++g) {
      for (std::int64_t c = key % 3; c < where.shape[3]; c += 7) {
        const std::int64_t first =
            (static_cast<const std::byte*>(where.data) - static_cast<const std::byte*>(span.data)) / size_of(where.dtype);
        store_real(span, first + b * where.strides[0] + g * where.strides[1] + key * where.strides[2] + c * where.strides[3], bad);
      }
    }
  }
}

}  // namespace

std::string hidden_violation(const Case& of, const std::string& kernel) {
  const Draw clean(of);
  const Plan plan(clean.problem());
  const problem::Question& question = inside(plan).question;
  const Result before = run(clean, kernel);
  for (const double bad : bad_numbers(of.dtype)) {
    for (const std::int64_t key : {std::int64_t{5}, of.keys / 2, of.keys - 1}) {
      for (const bool values : {true, false}) {
        Draw dirty(of);
        put(values ? dirty.v : dirty.k, values ? dirty.v_store : dirty.k_store, key, bad);
        const Result after = run(dirty, kernel);
        for (std::int64_t row = 0; row < of.batch * of.heads * of.queries; ++row) {
          const std::int64_t i = row % of.queries, h = row / of.queries % of.heads, b = row / of.queries / of.heads;
          if (sees(question, b, h, i, key)) continue;
          const std::string at = std::to_string(bad) + " in " + (values ? "V" : "K") + " of key " + std::to_string(key) + ", row " +
                                 std::to_string(i) + " of head " + std::to_string(h) + ": ";
          if (!same_row(before.o, after.o, row, of.value_dim)) return at + "O";
          if (!same_row(before.lse, after.lse, row, 1)) return at + "L";
          if (!same_row(before.maximum, after.maximum, row, 1)) return at + "maximum";
          if (!same_row(before.entropy, after.entropy, row, 1)) return at + "entropy";
          if (!same_row(before.effective, after.effective, row, 1)) return at + "effective keys";
          if (!same_row(before.visible, after.visible, row, 1)) return at + "how many keys it sees";
        }
      }
    }
  }
  return "";
}

std::string infinite_keys_violation(DType dtype, const std::string& kernel) {
  std::string found;
  for (const char* score : {"select(abs(s) > 1e30, -inf, s)", "select(abs(s) > 1e30, -inf, 0.5)", "select(abs(s) > 1e30, 0.5, -inf)"}) {
    const Case of{.queries = 30, .keys = 70, .dim = 16, .value_dim = 8, .dtype = dtype, .scores = {score}};
    Draw draw(of);
    for (const std::int64_t key : {3, 66, 70 + 5}) store_real(draw.k_store.span(), key * of.dim + 2, HUGE_VAL);
    if (const std::string one = violation(run(draw, kernel), truth(draw), naive(draw), dtype); !one.empty())
      found += kernel + " " + of.text() + ": " + one;
  }
  return found;
}

}  // namespace heed::laws
