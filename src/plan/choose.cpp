// Choosing: of the kernels that accept, the one whose counted work costs least (cost.hpp); the first of the table among equals. Every
// refusal is kept. Nothing falls back in silence.
#include <heed/error.hpp>

#include <algorithm>
#include <cstdio>

#include "plan/choice.hpp"
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
  for (const Kernel& kernel : kernels()) names += (names.empty() ? "" : ", ") + std::string(kernel.name);
  return names;
}

std::string reason_against(const Kernel& kernel, const problem::Question& question, const problem::Group& group) {
  if (!question.problem.kernel.empty() && kernel.name != question.problem.kernel) return "another kernel was asked for";
  if (question.problem.strict && !kernel.fused()) return "is not fused, and the plan is strict";
  std::string missing = kernel.missing();
  return missing.empty() ? kernel.decline(question, group) : missing;
}

std::string dearer(double cost, double best, const std::string& than) {
  if (cost <= best) return "accepts, but " + than + ", which costs as much, comes first";
  char text[96];
  std::snprintf(text, sizeof text, "accepts, but costs %.1f times as much as %s", best > 0 ? cost / best : 1.0, than.c_str());
  return text;
}

}  // namespace

Choice choose(const problem::Question& question, const problem::Group& group) {
  const std::string& wanted = question.problem.kernel;
  Choice choice;
  bool known = wanted.empty();
  double best = 0;
  for (const Kernel& kernel : kernels()) {
    known |= kernel.name == wanted;
    if (!reason_against(kernel, question, group).empty()) continue;
    const double cost = cost_of(question, group, kernel);
    if (choice.kernel != nullptr && cost >= best) continue;
    choice.kernel = &kernel;
    best = cost;
  }
  if (!known) throw Error({"unknown kernel", "problem, kernel", "one of " + kernel_names(), wanted});
  for (const Kernel& kernel : kernels()) {
    if (&kernel == choice.kernel) continue;
    std::string reason = reason_against(kernel, question, group);
    if (reason.empty()) reason = dearer(cost_of(question, group, kernel), best, std::string(choice.kernel->name));
    choice.refusals.push_back({std::string(kernel.name), std::move(reason)});
  }
  if (choice.kernel == nullptr) throw Error({"no kernel accepts the problem", "plan", "at least one", listed(choice.refusals)});
  return choice;
}

std::vector<Part> parts_of(const problem::Question& question) {
  const auto part_of = [&](std::vector<std::int64_t> sequences) {
    problem::Group group(question, std::move(sequences));
    Choice choice = choose(question, group);
    return Part{std::move(group), std::move(choice)};
  };
  std::vector<std::int64_t> few, many;
  for (std::int64_t b = 0; question.layout.ragged() && b < question.layout.batch; ++b)
    (question.layout.queries_of(b) <= kFewQueries ? few : many).push_back(b);
  std::vector<Part> parts;
  if (few.empty() || many.empty()) {
    parts.push_back(part_of(problem::every_sequence(question.layout)));
    return parts;
  }
  parts.push_back(part_of(std::move(many)));
  parts.push_back(part_of(std::move(few)));
  // One kernel for all needs no parts: threads are shared out better.
  if (parts[0].choice.kernel == parts[1].choice.kernel) return {part_of(problem::every_sequence(question.layout))};
  if (parts[0].group.visited.pairs < parts[1].group.visited.pairs) std::swap(parts[0], parts[1]);
  return parts;
}

}  // namespace heed::plan
