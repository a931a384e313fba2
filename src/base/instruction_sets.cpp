#include "base/instruction_sets.hpp"

#include <heed/error.hpp>

#include "base/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "base/instruction_sets.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#if HWY_ONCE
namespace heed::base {
namespace {

std::vector<std::string> names_of(std::int64_t targets) {
  std::vector<std::string> names;
  for (std::int64_t left = targets; left != 0; left &= left - 1)
    names.emplace_back(hwy::TargetName(left & -left));  // lower bits are better
  return names;
}

/// What the processor has, asked before anything is pretended.
std::int64_t whole() {
  static const std::int64_t targets = HWY_TARGETS & hwy::SupportedTargets();
  return targets;
}

/// What of it may be used.
std::int64_t& available() {
  static std::int64_t targets = whole();
  return targets;
}

/// The target of this name among `targets`; 0 for "".
std::int64_t target_of(const std::string& name, std::int64_t targets) {
  if (name.empty()) return 0;
  for (std::int64_t left = targets; left != 0; left &= left - 1) {
    if (name == hwy::TargetName(left & -left)) return left & -left;
  }
  throw Error({"instruction set not available", "simd kernel", "one that is compiled in and runs here", name});
}

void dispatch_to(std::int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets == whole() ? 0 : targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::string> compiled() {
  return names_of(HWY_TARGETS);
}
std::vector<std::string> runnable() {
  return names_of(available());
}

void pretend(const std::string& name) {
  const std::int64_t chosen = target_of(name, available());
  dispatch_to(chosen != 0 ? chosen : available());
}

void limit(const std::string& best) {
  const std::int64_t most = target_of(best, whole());
  available() = most != 0 ? whole() & -most : whole();  // lower bits are better
  dispatch_to(available());
}

}  // namespace heed::base
#endif
