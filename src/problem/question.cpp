#include "problem/question.hpp"

#include <cmath>

#include <heed/available.hpp>
#include <heed/error.hpp>

#include "base/check.hpp"
#include "formula/print.hpp"
#include "problem/checks.hpp"

namespace heed::problem {
namespace {

double scale_of(const Problem& problem) {
  if (!is_real(problem.dtype))
    throw Error(
        {"element type is not a floating-point one", "problem, dtype", "f32, bf16, f16 or f64", std::string(name_of(problem.dtype))});
  const double scale = problem.scale.value_or(1.0 / std::sqrt(static_cast<double>(problem.dim)));
  if (!std::isfinite(scale)) throw Error({"scale is not finite", "problem, scale", "a finite number", formula::real_text(scale)});
  if (problem.dtype != DType::kF64 && !std::isfinite(static_cast<float>(scale))) {
    throw Error({"scale is too large for float32", "problem, scale", "at most 3.4e38 in size, or f64 tensors", formula::real_text(scale)});
  }
  return scale;
}

int threads_of(const Problem& problem) {
  if (problem.threads < 0)
    throw Error({"negative number of threads", "problem, threads", "0 (all) or more", std::to_string(problem.threads)});
  constexpr int kMostThreads = 1024;
  if (problem.threads > kMostThreads)
    throw Error({"too many threads", "problem, threads", "at most 1024", std::to_string(problem.threads)});
  return problem.threads ? problem.threads : available_threads();
}

}  // namespace

Question::Question(Problem given) : problem(std::move(given)), formulas(problem) {
  check_sizes(problem);
  scale = scale_of(problem);
  if (problem.sink.given()) {
    base::check_tensor("sink", problem.sink, {problem.heads}, {DType::kF64, DType::kF32, DType::kF16, DType::kBF16});
    base::check_sinks(problem.sink);
  }
  threads = threads_of(problem);
  layout = layout_of(problem, formulas);
  check_fit(formulas, layout);
  if (!layout.hollow()) formulas.compile(layout.everything(), problem.dtype);
  check_lookups(formulas, layout);
  tiles = TileMap(layout, formulas);
}

}  // namespace heed::problem
