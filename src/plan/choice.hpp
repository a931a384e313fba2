// What a Plan holds: the question, and the kernel that was chosen for it. Built once, then constant.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <heed/plan.hpp>

#include "plan/kernels.hpp"
#include "problem/question.hpp"

namespace heed {
namespace plan {

struct Choice {
  const Kernel* kernel = nullptr;
  std::vector<Refusal> refusals{};  ///< of the other kernels
  std::int64_t scratch_bytes = 0;
};
/// Throws Error when no kernel accepts.
[[nodiscard]] Choice choose(const problem::Question& question);

struct Planned {
  explicit Planned(Problem problem);
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  problem::Question question;
  Choice choice;
  std::string kernel_name;
  double planning_seconds = 0;
};

[[nodiscard]] std::string explain(const Plan& plan);

}  // namespace plan

/// For heed's own code and its tests; not part of the public interface.
[[nodiscard]] const plan::Planned& inside(const Plan& plan);

}  // namespace heed
