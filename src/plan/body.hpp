// What a Plan holds: the checked problem, its formulas ready for every evaluator, the tiles, the kernel. Built once, then constant.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/plan.hpp>

#include "formula/formula.hpp"
#include "formula/over.hpp"
#include "formula/tile.hpp"
#include "plan/tiles.hpp"

namespace heed::kernel {
struct Kernel;
}

namespace heed::plan {

struct Body {
  explicit Body(Problem given);
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  Problem problem;
  double scale = 0;
  int threads = 1;
  Layout layout;
  formula::Formula mask, score;
  std::unique_ptr<formula::Over> mask_over, score_over;
  formula::TileProgram mask_program, score_program;
  TileMap tiles;
  const kernel::Kernel* kernel = nullptr;
  std::string kernel_name;
  std::vector<Refusal> refusals;
  std::int64_t scratch_bytes = 0;
  double planning_seconds = 0;

  [[nodiscard]] bool has_sink() const { return problem.sink.given() && !problem.partial; }
  [[nodiscard]] double sink(std::int64_t h) const { return real_at(problem.sink, h * problem.sink.strides[0]); }
};

/// Shapes, sizes, scale, alignment, sink: throws Error for a problem without meaning. Fills layout, scale and threads.
void check_problem(Body& body);
/// Throws Error where a table of a named form (dense(m, b, k)) is not as large as the problem.
void check_fit(const Body& body);
/// Throws Error when a lookup is out of range, or an integer operation has no value, in a visible place.
void check_lookups(const Body& body);
/// Throws Error before anything is written where tensors do not fit.
void check_tensors(const Body& body, const Inputs& inputs, const Outputs& outputs);
/// Shape and dtype of one tensor; throws Error naming it.
void check_tensor(const char* name, const TensorView& tensor, const Dims& shape, std::initializer_list<DType> dtypes);
/// Throws Error unless all of sink [Hq] are finite or -inf.
void check_sinks(const TensorView& sink);
/// A tensor that an output may lie exactly over (same pointer, dtype, shape, strides) names that output; any other overlap is refused.
struct NamedTensor {
  std::string_view name;
  TensorView view;
  std::string_view replaced_by{};
};
/// Throws Error where two places of one output coincide, or outputs share memory with each other. What is not given shares nothing.
void check_apart(std::span<const NamedTensor> outputs);
/// Throws Error where an output shares memory with an input.
void check_apart(std::span<const NamedTensor> outputs, const NamedTensor& input);
/// Fills kernel and refusals; throws Error when no kernel accepts.
void choose_kernel(Body& body);
[[nodiscard]] std::string explain(const Plan& plan);

}  // namespace heed::plan
