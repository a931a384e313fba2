// Choosing: of the kernels that accept, the one whose counted work costs least (cost.hpp); the first of the table among equals. Every
// refusal is kept. Nothing falls back in silence.
#include <heed/error.hpp>

#include <cstdio>

#include "kernel/table.hpp"
#include "plan/body.hpp"
#include "plan/cost.hpp"

namespace heed::plan {
namespace {

std::string listed(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const Refusal& refusal : refusals) text += (text.empty() ? "" : "; ") + refusal.kernel + ": " + refusal.reason;
  return text;
}

std::string kernel_names() {
  std::string names;
  for (const kernel::Kernel& kernel : kernel::table()) names += (names.empty() ? "" : ", ") + std::string(kernel.name);
  return names;
}

std::string reason_against(const kernel::Kernel& kernel, const Body& body) {
  if (!body.problem.kernel.empty() && kernel.name != body.problem.kernel) return "another kernel was asked for";
  if (body.problem.strict && !kernel.fused) return "is not fused, and the plan is strict";
  std::string missing = kernel.missing == nullptr ? "" : kernel.missing();
  return missing.empty() ? kernel.decline(body) : missing;
}

std::string dearer(double cost, double best, const std::string& than) {
  if (cost <= best) return "accepts, but " + than + ", which costs as much, comes first";
  char text[96];
  std::snprintf(text, sizeof text, "accepts, but costs %.1f times as much as %s", best > 0 ? cost / best : 1.0, than.c_str());
  return text;
}

}  // namespace

void choose_kernel(Body& body) {
  bool known = body.problem.kernel.empty();
  double best = 0;
  for (const kernel::Kernel& kernel : kernel::table()) {
    known |= kernel.name == body.problem.kernel;
    if (!reason_against(kernel, body).empty()) continue;
    const double cost = cost_of(body, kernel);
    if (body.kernel != nullptr && cost >= best) continue;
    body.kernel = &kernel;
    best = cost;
  }
  if (!known) throw Error({"unknown kernel", "problem, kernel", "one of " + kernel_names(), body.problem.kernel});
  if (body.kernel != nullptr) body.kernel_name = body.kernel->name;
  for (const kernel::Kernel& kernel : kernel::table()) {
    if (&kernel == body.kernel) continue;
    std::string reason = reason_against(kernel, body);
    if (reason.empty()) reason = dearer(cost_of(body, kernel), best, body.kernel_name);
    body.refusals.push_back({std::string(kernel.name), std::move(reason)});
  }
  if (body.kernel == nullptr) throw Error({"no kernel accepts the problem", "plan", "at least one", listed(body.refusals)});
  body.scratch_bytes = body.kernel->scratch(body);
}

}  // namespace heed::plan
