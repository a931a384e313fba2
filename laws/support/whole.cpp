#include "laws/support/whole.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace heed::laws {
namespace {

/// Weights and L of the definition, in double.
struct Exact {
  Tensor weights, lse;
};

Exact exact_of(const Draw& draw) {
  Problem problem = draw.problem();
  problem.dtype = DType::kF64;
  problem.kernel = "reference";
  problem.weights = true;
  const Case& of = draw.of;
  Exact exact{Tensor(DType::kF64, {of.batch, of.heads, of.queries, of.keys}), Tensor(DType::kF64, {of.batch, of.heads, of.queries})};
  const Tensor q = converted(draw.q, DType::kF64), k = converted(draw.k, DType::kF64), v = converted(draw.v, DType::kF64);
  Plan(problem).run({q.view(), k.view(), v.view()}, {.lse = exact.lse.span(), .weights = exact.weights.span()});
  return exact;
}

/// One row: its weights against the definition's; `sum` becomes what they sum to.
std::string row_violation(const float* weights, const double* exact, std::int64_t keys, double lse, DType dtype, double& sum) {
  sum = std::accumulate(weights, weights + keys, 0.0);
  const double expected = std::accumulate(exact, exact + keys, 0.0);
  if (std::isnan(expected)) {
    for (std::int64_t j = 0; j < keys; ++j) {
      if (std::isnan(weights[j]) != std::isnan(exact[j])) return "key " + std::to_string(j) + " of a row with NaN";
    }
    return "";
  }
  // Where a sink takes a share, that is known as well as the scores are.
  const double known = reference::statistic_tolerance(dtype) * std::max(1.0, std::fabs(lse));
  const double bound = 0x1p-22 * std::max(1.0, std::fabs(lse)) + (expected > 1e-9 && expected < 1 - 1e-9 ? known : 0);
  if (!(std::fabs(sum - expected) <= bound))
    return "sum " + std::to_string(sum) + ", not " + std::to_string(expected) + " within " + std::to_string(bound);
  for (std::int64_t j = 0; j < keys; ++j) {
    if (!(std::fabs(static_cast<double>(weights[j]) - exact[j]) <= std::min(1 + 1e-6, 2 * known)))
      return "weight of key " + std::to_string(j) + ": " + std::to_string(weights[j]) + ", not " + std::to_string(exact[j]);
  }
  return "";
}

}  // namespace

std::string census_violation(const Draw& draw, const std::string& kernel) {
  const Case& of = draw.of;
  const Exact exact = exact_of(draw);
  Problem problem = draw.problem();
  problem.kernel = kernel;
  const Plan plan(problem);
  Tensor o = poisoned(of.dtype, {of.batch, of.heads, of.queries, of.value_dim}),
         lse = poisoned(DType::kF32, {of.batch, of.heads, of.queries});
  plan.run({draw.q, draw.k, draw.v}, {.o = o.span(), .lse = lse.span()});
  Tensor received = poisoned(DType::kF32, {of.batch, of.heads, of.keys});
  Tensor weights = poisoned(DType::kF32, {of.batch, of.heads, of.queries, of.keys});
  CensusOutputs outputs{.received = received.span(), .weights = weights.span()};
  outputs.rows.resize(static_cast<std::size_t>(of.queries));
  std::iota(outputs.rows.begin(), outputs.rows.end(), 0);
  census(plan, draw.q, draw.k, lse.view(), outputs);
  for (std::int64_t head = 0; head < of.batch * of.heads; ++head) {
    double given = 0, largest = 1;
    for (std::int64_t i = 0; i < of.queries; ++i) {
      const std::int64_t row = head * of.queries + i;
      double sum = 0;
      const std::string what = row_violation(weights.data<float>() + row * of.keys, exact.weights.data<double>() + row * of.keys, of.keys,
                                             exact.lse.data<double>()[row], of.dtype, sum);
      if (!what.empty()) return "head " + std::to_string(head) + " row " + std::to_string(i) + ": " + what;
      given += sum;
      largest = std::max(largest, std::fabs(exact.lse.data<double>()[row]));
    }
    const float* const keys = received.data<float>() + head * of.keys;
    const double all = std::accumulate(keys, keys + of.keys, 0.0);
    if (std::isfinite(given) && !(std::fabs(all - given) <= 0x1p-22 * static_cast<double>(of.queries) * largest))
      return "head " + std::to_string(head) + ": keys receive " + std::to_string(all) + " of " + std::to_string(given);
  }
  return "";
}

std::string norms_violation(const Draw& draw, const std::string& kernel, std::int64_t& known) {
  const Case& of = draw.of;
  Problem problem = draw.problem();
  problem.kernel = kernel;
  problem.statistics = true;
  const Plan plan(problem);
  Tensor norms = poisoned(DType::kF32, {of.batch, of.heads, of.queries, 2}),
         o = poisoned(of.dtype, {of.batch, of.heads, of.queries, of.value_dim});
  plan.run({draw.q, draw.k, draw.v}, {.o = o.span(), .norms = norms.span()});
  known = 0;
  for (std::int64_t row = 0; row < norms.count() / 2; ++row) known += norms.data<float>()[2 * row + 1] != 0;
  struct Found {
    Tensor received, map, weights;
  };
  const auto census_with = [&](const TensorView& given) {
    Found found{poisoned(DType::kF32, {of.batch, of.heads, of.keys}), poisoned(DType::kF32, {of.batch, of.heads, 5, 7}),
                poisoned(DType::kF32, {of.batch, of.heads, of.queries, of.keys})};
    CensusOutputs outputs{.received = found.received.span(), .map = found.map.span(), .weights = found.weights.span(), .norms = given};
    for (std::int64_t i = 0; i < of.queries; ++i) outputs.rows.push_back(i);
    census(plan, draw.q, draw.k, {}, outputs);
    return found;
  };
  const Found with = census_with(norms.view()), without = census_with({});
  if (!same_bits(with.weights, without.weights)) return "weights differ by norms";
  if (!same_bits(with.received, without.received)) return "received differs by norms";
  return same_bits(with.map, without.map) ? "" : "maps differ by norms";
}

std::vector<Case> census_cases(const Case& of) {
  std::vector<Case> cases;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const double logits : {1.0, 700.0, 3e4, 1e6}) {
      if (dtype == DType::kF16 && logits > 1e4) continue;
      for (const char* mask : {"causal", "window(40)", "k % 3 != h % 2 & q > 1"}) {
        Case one = of;
        one.dtype = dtype;
        one.logits = logits;
        one.mask = mask;
        one.seed = cases.size() + 1;
        if (one.seed % 2 == 0) one.scores = {"alibi(slope)"};
        one.sink = one.seed % 5 == 0;
        cases.push_back(one);
      }
    }
  }
  return cases;
}

}  // namespace heed::laws
