#include <heed/plan.hpp>

#include <algorithm>
#include <optional>
#include <string>

#include <heed/error.hpp>

#include "base/arena.hpp"
#include "base/progress.hpp"
#include "plan/choice.hpp"
#include "plan/cost.hpp"
#include "problem/outputs.hpp"

namespace heed {
namespace plan {
namespace {

/// Parts run one after the other, in the same memory.
std::int64_t scratch_of(const problem::Question& question, const std::vector<Part>& parts) {
  std::int64_t most = 0;
  for (const Part& part : parts) most = std::max(most, part.choice.kernel->scratch(question, part.group));
  return most;
}

void check_scratch(std::span<const std::byte> scratch, std::size_t needed) {
  if (scratch.size() < needed) {
    throw Error(
        {"scratch is too small", "watch, scratch", std::to_string(needed) + " bytes, as the plan says", std::to_string(scratch.size())});
  }
  if (reinterpret_cast<std::uintptr_t>(scratch.data()) % base::kAlignment != 0)
    throw Error({"scratch is not aligned", "watch, scratch", "an address that is a multiple of 64", "one that is not"});
}

}  // namespace

Planned::Planned(Problem problem)
    : question(std::move(problem)),
      parts(parts_of(question)),
      kernel_name(parts[0].choice.kernel->name),
      scratch_bytes(scratch_of(question, parts)),
      planning_seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()) {}

}  // namespace plan

Plan::Plan(Problem problem) : planned_(std::make_shared<const plan::Planned>(std::move(problem))) {}

const plan::Planned& inside(const Plan& plan) {
  return *plan.planned_;
}

const Problem& Plan::problem() const {
  return planned_->question.problem;
}
const std::string& Plan::kernel() const {
  return planned_->kernel_name;
}
const std::vector<Refusal>& Plan::refusals() const {
  return planned_->parts[0].choice.refusals;
}
std::vector<SequenceClass> Plan::classes() const {
  std::vector<SequenceClass> classes;
  for (const plan::Part& part : planned_->parts)
    classes.push_back({std::string(part.choice.kernel->name), part.group.sequences, part.choice.refusals});
  return classes;
}
const TileCounts& Plan::tiles() const {
  return planned_->question.tiles.visited().tiles;
}
int Plan::threads() const {
  return planned_->question.threads;
}
double Plan::planning_seconds() const {
  return planned_->planning_seconds;
}
std::int64_t Plan::scratch_bytes() const {
  return planned_->scratch_bytes;
}

std::int64_t Plan::square_bytes() const {
  const Problem& p = planned_->question.problem;
  const problem::Layout& layout = planned_->question.layout;
  double pairs = layout.ragged() ? 0 : static_cast<double>(p.batch) * static_cast<double>(p.queries) * static_cast<double>(p.keys);
  for (std::int64_t b = 0; layout.ragged() && b < layout.batch; ++b)
    pairs += static_cast<double>(layout.queries_of(b)) * static_cast<double>(layout.keys_of(b));
  const double bytes = 4.0 * static_cast<double>(p.heads) * pairs;
  return bytes < 0x1p62 ? static_cast<std::int64_t>(bytes) : INT64_MAX;
}

double Plan::flops() const {
  const Problem& p = planned_->question.problem;
  return 2.0 * static_cast<double>(p.dim + p.value_dim) * planned_->question.tiles.visited().pairs;
}

Work Plan::work() const {
  return plan::work_of(*planned_);
}
Expected Plan::expected() const {
  return plan::expected(*planned_, quick_limits(threads()));
}
std::string Plan::explain() const {
  return plan::explain(*this);
}

void Plan::run(const Inputs& inputs, const Outputs& outputs, const Watch& watch) const {
  problem::check_tensors(planned_->question, inputs, outputs);
  const auto needed = static_cast<std::size_t>(planned_->scratch_bytes);
  if (!watch.scratch.empty()) plan::check_scratch(watch.scratch, needed);
  std::optional<base::Scratch> own;
  if (watch.scratch.empty()) own.emplace(needed);
  const std::span<std::byte> memory = own ? own->memory() : watch.scratch.first(needed);
  base::Progress progress(watch);
  double begin = 0;
  const double all = std::max(planned_->question.tiles.visited().pairs, 1.0);
  for (const plan::Part& part : planned_->parts) {
    const double share = planned_->parts.size() == 1 ? 1 : part.group.visited.pairs / all;
    progress.enter(begin, share);
    begin += share;
    base::Arena arena(memory);
    part.choice.kernel->run(planned_->question, part.group, inputs, outputs, {arena, progress});
  }
}

}  // namespace heed
