#include "heed/plan.hpp"

#include <algorithm>
#include <chrono>

#include "kernel/table.hpp"
#include "plan/body.hpp"
#include "plan/cost.hpp"

namespace heed {
namespace plan {
Body::Body(Problem given) : problem(std::move(given)) {
  const auto begin = std::chrono::steady_clock::now();
  mask = formula::Formula::mask(problem.mask, problem.tables);
  score = formula::Formula::score(problem.scores, problem.tables);
  check_problem(*this);
  mask_over = std::make_unique<formula::Over>(mask);
  score_over = std::make_unique<formula::Over>(score);
  check_fit(*this);
  if (!layout.hollow()) {
    mask_program = formula::TileProgram(mask, *mask_over, layout.everything());
    score_program = formula::TileProgram(score, *score_over, layout.everything());
  }
  check_lookups(*this);
  tiles = TileMap(layout, *mask_over, *score_over, mask_program);
  choose_kernel(*this);
  planning_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace plan

Plan::Plan(Problem problem) : body_(std::make_shared<const plan::Body>(std::move(problem))) {}

const Problem& Plan::problem() const {
  return body_->problem;
}
const std::string& Plan::kernel() const {
  return body_->kernel_name;
}
const std::vector<Refusal>& Plan::refusals() const {
  return body_->refusals;
}
const TileCounts& Plan::tiles() const {
  return body_->tiles.counts();
}
int Plan::threads() const {
  return body_->threads;
}
double Plan::planning_seconds() const {
  return body_->planning_seconds;
}
std::int64_t Plan::scratch_bytes() const {
  return body_->scratch_bytes;
}

std::int64_t Plan::square_bytes() const {
  const Problem& p = body_->problem;
  const double bytes =
      4.0 * static_cast<double>(p.batch) * static_cast<double>(p.heads) * static_cast<double>(p.queries) * static_cast<double>(p.keys);
  return bytes < 0x1p62 ? static_cast<std::int64_t>(bytes) : INT64_MAX;
}

double Plan::flops() const {
  const Problem& p = body_->problem;
  return 2.0 * static_cast<double>(p.dim + p.value_dim) * body_->tiles.pairs();
}

Expected Plan::expected() const {
  return plan::expected(*body_, plan::quick_limits(threads()));
}
std::string Plan::explain() const {
  return plan::explain(*this);
}

void Plan::run(const Inputs& inputs, const Outputs& outputs) const {
  plan::check_tensors(*body_, inputs, outputs);
  body_->kernel->run(*body_, inputs, outputs);
}

}  // namespace heed
