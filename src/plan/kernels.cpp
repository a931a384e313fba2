#include "plan/kernels.hpp"

#include <vector>

#include "reference/softmax.hpp"

namespace heed::plan {
namespace {

/// The definition as a kernel: it needs no words.
constexpr walk::Walk kReference{.name = "reference",
                                .what = "the definition, one place at a time in double; any dtype",
                                .every_tile = true,
                                .slowness = 1000,
                                .lane_step = 1,
                                .decline = [](const problem::Question&) { return std::string(); },
                                .run =
                                    [](const walk::Job& job, base::Arena& arena) {
                                      reference::run(job.question, job.group, job.in, job.out, {arena, job.progress});
                                    }};

std::string what_of(const walk::Walk& walk, const machine::Machine& machine) {
  std::string text(walk.what);
  if (const std::size_t at = text.find("{}"); at != std::string::npos) text.replace(at, 2, machine.what);
  return text;
}

std::vector<Kernel> product() {
  std::vector<Kernel> kernels;
  const machine::Machine& last = machine::machines().back();
  const auto add = [&](const walk::Walk& walk, const machine::Machine& machine) {
    kernels.push_back({walk.any_machine ? machine.name : walk.name, what_of(walk, machine), &machine, &walk});
  };
  for (const walk::Walk& walk : walk::walks()) {
    for (const machine::Machine& machine : machine::machines()) {
      if (walk.any_machine || &machine == &last) add(walk, machine);
    }
  }
  add(kReference, last);
  return kernels;
}

}  // namespace

std::string Kernel::decline(const problem::Question& question, const problem::Group& group) const {
  if (machine->most_queries != 0 && walk->any_machine && group.queries > machine->most_queries) {
    return "is for at most " + std::to_string(machine->most_queries) + " queries; here " + std::to_string(group.queries);
  }
  std::string reason = walk->decline(question);
  if (!reason.empty() || machine->decline == nullptr) return reason;
  return machine->decline({.dtype = question.problem.dtype, .scale = question.scale});
}

std::int64_t Kernel::scratch(const problem::Question& question, const problem::Group& group) const {
  const Watch nobody;
  base::Progress progress(nobody);
  return static_cast<std::int64_t>(
      base::bytes_taken([&](base::Arena& arena) { run(question, group, {}, {}, {.arena = arena, .progress = progress}); }));
}

void Kernel::run(const problem::Question& question, const problem::Group& group, const Inputs& inputs, const Outputs& outputs,
                 const Means& means) const {
  const machine::Words spoken = words(question.problem.dtype);
  walk->run({question, group, spoken, inputs, outputs, means.progress}, means.arena);
}

std::span<const Kernel> kernels() {
  static const std::vector<Kernel> kKernels = product();
  return kKernels;
}

}  // namespace heed::plan
