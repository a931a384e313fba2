#include "compute.hpp"

#include <unistd.h>

#include <chrono>

#include "in_float32.hpp"
#include "interrupt.hpp"
#include "memory.hpp"
#include "packed.hpp"
#include "progress.hpp"

namespace heed::tool {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// An f64 tensor of three or four axes, rounded to f32.
Tensor narrowed(const TensorView& wide, const char* name) {
  Tensor narrow = make_tensor(std::string(name) + " in float32", DType::kF32, wide.shape);
  float* to = narrow.data<float>();
  const int outer = 4 - wide.shape.rank();
  const auto extent = [&](int axis) { return axis < outer ? 1 : wide.shape[axis - outer]; };
  const auto stride = [&](int axis) { return axis < outer ? 0 : wide.strides[axis - outer]; };
  for (std::int64_t b = 0; b < extent(0); ++b) {
    for (std::int64_t h = 0; h < extent(1); ++h) {
      for (std::int64_t t = 0; t < extent(2); ++t) {
        for (std::int64_t c = 0; c < extent(3); ++c)
          *to++ = static_cast<float>(real_at(wide, b * stride(0) + h * stride(1) + t * stride(2) + c * stride(3)));
      }
    }
  }
  return narrow;
}

TensorSpan made(Tensor& tensor, bool wanted, const char* what, DType dtype, const Dims& shape) {
  if (!wanted) return {};
  tensor = make_tensor(what, dtype, shape);
  return tensor.span();
}

/// The census of a plan that has one.
void take_census(const Plan& plan, const Inputs& inputs, const Wanted& wanted, const Watch& watch, Results& results) {
  const Problem& p = plan.problem();
  const std::int64_t heads = wanted.heads.empty() ? p.heads : static_cast<std::int64_t>(wanted.heads.size());
  const Dims keys = keys_shape(p, heads);
  const auto rows = [&](const std::vector<std::int64_t>& of, std::int64_t last) {
    return Dims{p.batch, heads, static_cast<std::int64_t>(of.size()), last};
  };
  const bool together = wanted.rows.empty() || wanted.rows == wanted.top_rows;
  const auto take_top = [&](CensusOutputs& to) {
    const Dims shape = rows(wanted.top_rows, wanted.top);
    to.rows = wanted.top_rows;
    to.top_keys = made(results.top_keys, !wanted.top_rows.empty(), "the strongest keys", DType::kI64, shape);
    to.top_weights = made(results.top_weights, !wanted.top_rows.empty(), "their weights", DType::kF32, shape);
  };
  const TensorView norms = results.norms.shape().rank() > 0 ? results.norms.view() : TensorView();
  CensusOutputs outputs{.rows = wanted.rows, .heads = wanted.heads, .norms = norms};
  outputs.received = made(results.received, wanted.received, "received mass", DType::kF32, keys);
  outputs.seen_by = made(results.seen_by, wanted.seen_by, "the counts of queries", DType::kI64, keys);
  outputs.map = made(results.map, wanted.map_rows > 0, "maps", DType::kF32, {p.batch, heads, wanted.map_rows, wanted.map_columns});
  outputs.weights = made(results.weights, !wanted.rows.empty(), "chosen rows", DType::kF32, rows(wanted.rows, p.keys));
  if (together) take_top(outputs);
  census(plan, inputs.q, inputs.k, {}, outputs, watch);
  if (together || wanted.top_rows.empty()) return;
  CensusOutputs top{.heads = wanted.heads, .norms = norms};
  take_top(top);
  census(plan, inputs.q, inputs.k, {}, top, watch);
}

}  // namespace

Plan make_plan(const Problem& problem) {
  asking_for("the plan");
  const Progress progress("planning", 0);
  return Plan(problem);
}

double seconds_for_bar(const Plan& plan) {
  return ::isatty(STDERR_FILENO) != 0 ? plan.expected().seconds : 0;
}

void require_scratch(const Plan& plan) {
  require_memory("scratch of kernel " + plan.kernel(), static_cast<double>(plan.scratch_bytes()));
}

std::string note_of(const Problem& problem, const Wanted& wanted) {
  if (!wanted.census() || problem.dtype != DType::kF64) return "";
  return "what keys receive, maps, chosen rows and top keys are computed in float32, of q and k rounded to it";
}

Results compute(const Plan& plan, const Inputs& inputs, const Wanted& wanted, const Bar& bar) {
  const Problem& p = plan.problem();
  Results results;
  const Dims rows = lines_shape(p);
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const DType written = wanted.o && p.dtype == DType::kBF16 ? DType::kF32 : p.dtype;
  const Outputs outputs{
      .o = made(results.o, true, "O", written, rows_shape(p, p.value_dim)),
      .lse = made(results.lse, true, "L", statistic, rows),
      .maximum = made(results.maximum, wanted.maximum, "largest scores", statistic, rows),
      .entropy = made(results.entropy, wanted.statistics, "entropy", statistic, rows),
      .effective = made(results.effective, wanted.statistics, "effective keys", statistic, rows),
      .visible = made(results.visible, wanted.visible, "counts of keys", DType::kI64, rows),
      .weights = made(results.square, wanted.square, "the S x S weights", statistic, {p.batch, p.heads, p.queries, p.keys}),
      .scores = made(results.scores, wanted.scores != Scores::kNone, "the S x S scores", statistic, {p.batch, p.heads, p.queries, p.keys}),
      .norms =
          made(results.norms, p.statistics && wanted.census() && p.dtype != DType::kF64, "norms of rows", DType::kF32, rows_shape(p, 2))};
  {
    require_scratch(plan);
    Progress progress(bar.what, bar.seconds > 0 ? bar.seconds : seconds_for_bar(plan));
    const Interruptible interruptible;
    const auto start = Clock::now();
    plan.run(inputs, outputs, interruptible.watch(progress));
    results.seconds = seconds_since(start);
  }
  results.nan = nan_rows(results.o.view(), results.lse.view());
  if (!wanted.o) results.o = {};
  if (!wanted.census()) return results;
  Progress progress("looking where it went", results.seconds);
  const Interruptible interruptible;
  const Watch watch = interruptible.watch(progress);
  const auto start = Clock::now();
  if (p.dtype == DType::kF64) {
    const Tensor q = narrowed(inputs.q, "q"), k = narrowed(inputs.k, "k");
    take_census(Plan(as_float32(p)), {q.view(), k.view(), {}}, wanted, watch, results);
  } else {
    take_census(plan, inputs, wanted, watch, results);
  }
  results.census_seconds = seconds_since(start);
  return results;
}

}  // namespace heed::tool
