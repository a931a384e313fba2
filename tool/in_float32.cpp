#include "in_float32.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <heed/check.hpp>
#include <heed/error.hpp>

#include "memory.hpp"
#include "packed.hpp"
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
/// A query, and how many such rows cost as much as the problem.
struct Sample {
  std::int64_t query;
  double rows;
};

/// The one in the middle; of packed sequences in the middle of the one with most keys.
Sample sample_of(const Problem& p) {
  if (!is_packed(p)) return {p.queries / 2, static_cast<double>(p.queries)};
  Sample sample{0, 0};
  double pairs = 0, most = 1;
  for (std::size_t b = 0; b + 1 < p.query_offsets.size(); ++b) {
    const std::int64_t queries = p.query_offsets[b + 1] - p.query_offsets[b];
    const auto keys = static_cast<double>(p.key_offsets[b + 1] - p.key_offsets[b]);
    pairs += static_cast<double>(queries) * keys;
    if (queries == 0 || keys < most) continue;
    most = keys;
    sample.query = p.query_offsets[b] + queries / 2;
  }
  sample.rows = pairs / most;
  return sample;
}

/// Of the definition, by the time of a row.
double definition_seconds(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const Sample sample = sample_of(p);
  const std::int64_t heads = is_packed(p) ? p.heads : p.batch * p.heads;
  const Plan row(problem_of_query(plan, sample.query));
  Tensor o = make_tensor("a row of O", DType::kF64, rows_shape(row.problem(), p.value_dim));
  double best = INFINITY;
  for (int run = 0; run < 2; ++run) {
    const auto start = std::chrono::steady_clock::now();
    row.run({query_of(p, inputs.q, sample.query), inputs.k, inputs.v}, {.o = o.span()});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
  }
  const auto busy = [&](double rows) { return std::clamp<double>(rows, 1, plan.threads()); };
  const auto at_once = static_cast<double>(heads);
  return best * sample.rows * busy(at_once) / busy(at_once * sample.rows);
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
