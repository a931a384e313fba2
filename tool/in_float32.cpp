#include "in_float32.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <heed/check.hpp>
#include <heed/error.hpp>

#include "memory.hpp"
#include "report.hpp"

namespace heed::tool {

Problem as_float32(Problem problem) {
  problem.dtype = DType::kF32;
  problem.kernel.clear();
  problem.strict = problem.statistics = problem.weights = false;
  problem.wanted_scores = Scores::kNone;
  problem.wanted_scores = Scores::kNone;
  return problem;
}

std::string InFloat32::text() const {
  const std::string here = (definition ? "float64 runs the definition, in double: about " : "float64 is computed in double: about ") +
                           seconds_text(double_seconds) + " here";
  if (kernel.empty()) return here;
  return here + "; float32 inputs would take " + (seconds > 0 ? "about " + seconds_text(seconds) + " " : "") + "(kernel " + kernel + ")";
}

std::string InFloat32::beside() const {
  return seconds > 0 ? " (in float32 about " + seconds_text(seconds) + ")" : "";
}

namespace {
/// Of the definition, by the time of the row in the middle.
double definition_seconds(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const std::int64_t middle = p.queries / 2, heads = p.batch * p.heads;
  const Plan row(problem_of_query(plan, middle));
  Tensor o = make_tensor("a row of O", DType::kF64, {p.batch, p.heads, 1, p.value_dim});
  double best = INFINITY;
  for (int run = 0; run < 2; ++run) {
    const auto start = std::chrono::steady_clock::now();
    row.run({query_of(inputs.q, middle), inputs.k, inputs.v}, {.o = o.span()});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
  }
  const auto busy = [&](std::int64_t rows) { return static_cast<double>(std::clamp<std::int64_t>(rows, 1, plan.threads())); };
  return best * static_cast<double>(p.queries) * busy(heads) / busy(heads * p.queries);
}
}  // namespace

InFloat32 in_float32(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  InFloat32 costs;
  costs.definition = plan.kernel() == "reference";
  costs.double_seconds = costs.definition ? definition_seconds(plan, inputs) : plan.expected().seconds;
  try {
    const Plan narrow(as_float32(p));
    costs.kernel = narrow.kernel();
    costs.seconds = narrow.expected().seconds;
  } catch (const Error&) {
    costs.kernel.clear();  // said by text(): no way is named
  }
  return costs;
}

}  // namespace heed::tool
