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
};
/// Throws Error when no kernel accepts.
[[nodiscard]] Choice choose(const problem::Question& question, const problem::Group& group);

/// Packed sequences with at most so many queries may have a kernel of their own.
inline constexpr std::int64_t kFewQueries = 8;

/// A group of sequences and the kernel that computes it.
struct Part {
  problem::Group group;
  Choice choice;
};
/// Dense problems are one part; packed sequences may be two, those with few queries and those with many.
[[nodiscard]] std::vector<Part> parts_of(const problem::Question& question);

struct Planned {
  explicit Planned(Problem problem);
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  problem::Question question;
  std::vector<Part> parts;  ///< one or more; the one with most work first
  std::string kernel_name;  ///< of the first
  std::int64_t scratch_bytes = 0;
  double planning_seconds = 0;
};

[[nodiscard]] std::string explain(const Plan& plan);

}  // namespace plan

/// For heed's own code and its tests; not part of the public interface.
[[nodiscard]] const plan::Planned& inside(const Plan& plan);

}  // namespace heed
