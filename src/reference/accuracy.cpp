#include "reference/accuracy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/dtype.hpp"
#include "memory/memory.hpp"

namespace heed::reference {
namespace {

template <class F>
F rounded(F value, DType dtype) {
  if (dtype == DType::kBF16) return f32_from(bf16_from(static_cast<float>(value)));
  if (dtype == DType::kF16) return f32_from(f16_from(static_cast<float>(value)));
  return value;
}

double epsilon_of(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return 0x1p-8;
    case DType::kF16:
      return 0x1p-11;
    case DType::kF64:
      return 0x1p-53;
    default:
      return 0x1p-24;
  }
}

struct Row {
  std::int64_t b, h, i;
};

/// One row, the textbook way in F: scores, softmax, P rounded, mix.
template <class F>
void naive_row(const problem::Question& question, const memory::Held& in, F* o, const problem::Places& places, const Row& row,
               std::vector<F>& p) {
  const auto [b, h, i] = row;
  const std::int64_t g = question.layout.kv_head(h), keys = question.layout.keys_of(b);
  const F hidden = -std::numeric_limits<F>::infinity();
  F m = question.has_sink() ? static_cast<F>(question.sink(h)) : hidden;
  p.assign(static_cast<std::size_t>(keys), hidden);
  for (std::int64_t j = 0; j < keys; ++j) {
    formula::Place place = question.layout.place(b, h, i, j);
    if (!question.formulas.mask.at(place).integer) continue;
    F dot = 0;
    for (std::int64_t c = 0; c < question.problem.dim; ++c)
      dot += static_cast<F>(in.q.real(b, h, i, c)) * static_cast<F>(in.k.real(b, g, j, c));
    place.s = static_cast<double>(dot * static_cast<F>(question.scale));
    const formula::Value altered = question.formulas.score.at(place);
    F& score = p[static_cast<std::size_t>(j)];
    score = altered.broken < 0 ? static_cast<F>(altered.real) : std::numeric_limits<F>::quiet_NaN();
    m = std::max(m, score);
  }
  const F base = m == hidden ? F{0} : m;
  F l = question.has_sink() ? std::exp(static_cast<F>(question.sink(h)) - base) : F{0};
  for (F& value : p) l += value = std::exp(value - base);
  for (F& value : p) value = rounded(l == 0 ? F{0} : value / l, question.problem.dtype);
  for (std::int64_t c = 0; c < question.problem.value_dim; ++c) {
    F sum = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      if (p[static_cast<std::size_t>(j)] != 0) sum += p[static_cast<std::size_t>(j)] * static_cast<F>(in.v.real(b, g, j, c));
    }
    o[places.at(b, h, i, c)] = rounded(sum, question.problem.dtype);
  }
}

template <class F>
void naive_in(const problem::Question& question, const Inputs& inputs, const TensorSpan& o) {
  const memory::Held in(inputs, question.layout);
  const problem::Places places(o, question.layout, problem::Side::kQueries);
  std::vector<F> p;
  for (std::int64_t b = 0; b < question.layout.batch; ++b) {
    for (std::int64_t h = 0; h < question.layout.heads; ++h) {
      for (std::int64_t i = 0; i < question.layout.queries_of(b); ++i)
        naive_row(question, in, static_cast<F*>(o.data), places, {b, h, i}, p);
    }
  }
}

struct Place {
  std::int64_t b, h, i, c;
};

double element(const TensorView& tensor, const Place& at) {
  return base::element(tensor, at.b, at.h, at.i, at.c);
}

template <class Function>
void each_place(const Dims& shape, const Function& function) {
  const auto extent = [&](int axis) { return axis < shape.rank() ? shape[axis] : 1; };
  for (std::int64_t b = 0; b < extent(0); ++b) {
    for (std::int64_t h = 0; h < extent(1); ++h) {
      for (std::int64_t i = 0; i < extent(2); ++i) {
        for (std::int64_t c = 0; c < extent(3); ++c) function(Place{b, h, i, c});
      }
    }
  }
}

}  // namespace

void naive(const problem::Question& question, const Inputs& inputs, const TensorSpan& o) {
  question.problem.dtype == DType::kF64 ? naive_in<double>(question, inputs, o) : naive_in<float>(question, inputs, o);
}

Accuracy judge(const TensorView& result, const TensorView& reference, const Yardstick& yardstick, DType dtype) {
  Accuracy accuracy;
  double naive_max = 0, naive_squares = 0, squares = 0, rounding_max = 0, rounding_squares = 0, largest = 0, count = 0;
  each_place(reference.shape, [&](const Place& at) {
    const double truth = element(reference, at), value = element(result, at);
    if (std::isnan(truth) && std::isnan(value)) return;
    const double nearest = dtype == DType::kF64 ? truth : static_cast<double>(rounded(static_cast<float>(truth), dtype));
    double error = std::isinf(nearest) && value == nearest ? 0 : std::fabs(value - truth);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    double allowed = std::fabs(element(yardstick.naive, at) - truth);
    if (!std::isfinite(allowed)) allowed = 0;  // naive fails here and allows nothing
    const double moved = yardstick.rounding.given() ? element(yardstick.rounding, at) : 0;
    accuracy.max_error = std::max(accuracy.max_error, error);
    squares += error * error;
    naive_max = std::max(naive_max, allowed);
    naive_squares += allowed * allowed;
    rounding_max = std::max(rounding_max, moved);
    rounding_squares += moved * moved;
    if (std::isfinite(nearest)) largest = std::max(largest, std::fabs(truth));
    ++count;
  });
  // Half an ulp of a number in [2^e, 2^(e+1)) is 2^e epsilon.
  const double floor = largest > 0 ? std::exp2(std::floor(std::log2(largest))) * epsilon_of(dtype) : 0;
  const auto mean_root = [count](double sum) { return count > 0 ? std::sqrt(sum / count) : 0; };
  accuracy.rms_error = mean_root(squares);
  accuracy.max_bound = 2 * naive_max + floor + rounding_max;
  accuracy.rms_bound = 2 * mean_root(naive_squares) + floor + mean_root(rounding_squares);
  return accuracy;
}

double statistic_tolerance(DType dtype) {
  return dtype == DType::kF64 ? 0x1p-40 : std::max(epsilon_of(dtype), 0x1p-20);
}

namespace {
double largest_finite(const TensorView& tensor) {
  double largest = 1;
  each_place(tensor.shape, [&](const Place& at) {
    const double value = element(tensor, at);
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  });
  return largest;
}
}  // namespace

double statistic_error(const TensorView& result, const TensorView& reference, const TensorView& lse, const TensorView& rounding) {
  double worst = 0;
  each_place(reference.shape, [&](const Place& at) {
    const double truth = element(reference, at), value = element(result, at);
    if (truth == value || (std::isnan(truth) && std::isnan(value))) return;
    const double error = std::fabs(value - truth) - (rounding.given() ? element(rounding, at) : 0);
    worst = std::max(worst, std::isnan(error) ? std::numeric_limits<double>::infinity() : error);
  });
  return worst / std::max(largest_finite(reference), largest_finite(lse));
}

}  // namespace heed::reference
