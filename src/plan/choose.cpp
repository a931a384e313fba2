// Choosing: the table of kernels in order, every refusal kept. Nothing falls back in silence.
#include <heed/error.hpp>

#include "kernel/table.hpp"
#include "plan/body.hpp"

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
  return kernel.decline(body);
}

}  // namespace

void choose_kernel(Body& body) {
  bool known = body.problem.kernel.empty();
  for (const kernel::Kernel& kernel : kernel::table()) {
    known |= kernel.name == body.problem.kernel;
    std::string reason = reason_against(kernel, body);
    if (!reason.empty()) {
      body.refusals.push_back({std::string(kernel.name), std::move(reason)});
    } else if (body.kernel == nullptr) {
      body.kernel = &kernel;
      body.kernel_name = kernel.name;
    } else {
      body.refusals.push_back({std::string(kernel.name), "accepts, but " + body.kernel_name + " comes first"});
    }
  }
  if (!known) throw Error({"unknown kernel", "problem, kernel", "one of " + kernel_names(), body.problem.kernel});
  if (body.kernel == nullptr) throw Error({"no kernel accepts the problem", "plan", "at least one", listed(body.refusals)});
  body.scratch_bytes = body.kernel->scratch(body);
}

}  // namespace heed::plan
