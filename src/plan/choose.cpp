// Choosing: of the kernels that accept, the one whose counted work costs least (cost.hpp); the first of the table among equals. Every
// refusal is kept. Nothing falls back in silence.
#include <heed/error.hpp>

#include <algorithm>
#include <cstdio>

#include "kernel/products.hpp"
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

/// As many heads of a key head as fill a tile, when queries are so few that one head would leave most of it empty: of tiles for few
/// rows, several may then share the group.
std::int64_t heads_that_share(const Layout& layout, bool mask_by_head, std::int64_t most_lanes) {
  constexpr std::int64_t kFewQueries = 16;
  if (layout.hollow() || mask_by_head || layout.queries > kFewQueries) return 1;
  const std::int64_t group = layout.heads / layout.kv_heads;
  std::int64_t heads = std::clamp<std::int64_t>(most_lanes / layout.queries, 1, group);
  while (group % heads != 0) --heads;
  return heads;
}

/// The layout as this kernel has it.
void lay_out(const kernel::Kernel& kernel, Body& body) {
  body.layout.heads_per_tile = heads_that_share(body.layout, body.tiles.by_head(), kernel.products(body.problem.dtype).most_lanes);
}

std::string reason_against(const kernel::Kernel& kernel, Body& body) {
  if (!body.problem.kernel.empty() && kernel.name != body.problem.kernel) return "another kernel was asked for";
  if (body.problem.strict && !kernel.fused) return "is not fused, and the plan is strict";
  std::string missing = kernel.missing == nullptr ? "" : kernel.missing();
  if (!missing.empty()) return missing;
  lay_out(kernel, body);
  return kernel.decline(body);
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
  lay_out(*body.kernel, body);
  body.scratch_bytes = body.kernel->scratch(body);
}

}  // namespace heed::plan
