#include "laws/support/levels.hpp"

#include <heed/error.hpp>

#include <algorithm>
#include <iostream>

#include "base/instruction_sets.hpp"
#include "laws/support/options.hpp"

namespace heed::laws {
namespace {

/// Asked before anything is lowered.
const std::vector<Level>& all_below() {
  static const std::vector<Level> levels = [] {
    const base::Cpu whole = base::real_cpu();
    std::vector<Level> found;
    for (const std::string& simd : base::runnable()) {
      const bool best = simd == base::runnable().front();
      if (best && whole.avx512_bf16 && whole.amx_bf16) found.push_back({simd + "+BF16", simd, {.avx512_bf16 = true}});
      if (!best || whole.avx512_bf16 || whole.amx_bf16) found.push_back({simd, simd, {}});
    }
    return found;
  }();
  return levels;
}

const Option kLevel("level", "NAME: run as on an older processor; --levels lists those below this one",
                    [](const std::string& name) { lower_to(name); });
const Option kLevels("levels", "list the levels below this machine's own, and end", [](const std::string&) {
  for (const Level& level : all_below()) std::cout << level.name << '\n';
  std::exit(0);
});

}  // namespace

std::vector<Level> levels_below() {
  return all_below();
}

void lower_to(const std::string& name) {
  const auto& levels = all_below();
  const auto level = std::find_if(levels.begin(), levels.end(), [&](const Level& one) { return one.name == name; });
  if (level == levels.end()) {
    std::string names;
    for (const Level& one : levels) names += (names.empty() ? "" : ", ") + one.name;
    throw Error({"no such level", "--level", names.empty() ? "none: this machine has no level below its own" : "one of " + names, name});
  }
  base::limit_cpu(level->cpu);
  base::limit(level->simd);
}

}  // namespace heed::laws
