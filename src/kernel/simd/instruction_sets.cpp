#include "kernel/simd/instruction_sets.hpp"

#include <heed/error.hpp>

#include "kernel/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/simd/instruction_sets.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#if HWY_ONCE
namespace heed::kernel::simd {
namespace {

std::vector<std::string> names_of(std::int64_t targets) {
  std::vector<std::string> names;
  for (std::int64_t left = targets; left != 0; left &= left - 1)
    names.emplace_back(hwy::TargetName(left & -left));  // lower bits are better
  return names;
}

/// What the processor has, asked before anything is pretended.
std::int64_t available() {
  static const std::int64_t targets = HWY_TARGETS & hwy::SupportedTargets();
  return targets;
}

}  // namespace

std::vector<std::string> compiled() {
  return names_of(HWY_TARGETS);
}
std::vector<std::string> runnable() {
  return names_of(available());
}

void pretend(const std::string& name) {
  std::int64_t chosen = 0;
  for (std::int64_t left = available(); left != 0 && !name.empty(); left &= left - 1) {
    if (name == hwy::TargetName(left & -left)) chosen = left & -left;
  }
  if (!name.empty() && chosen == 0)
    throw Error({"instruction set not available", "simd kernel", "one that is compiled in and runs here", name});
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace heed::kernel::simd
#endif
