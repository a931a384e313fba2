// Levels: this machine as if it were an older one, for whole test programs (`--level=AVX2`) and for tests.
//
// A level lowers both what base::real_cpu() and base::cpu() report and what Highway dispatches to; what tests pretend on top of it ends at
// the level again. Plans, kernels and tests then choose as on a processor of that age, so green here means green there, as far as no code
// runs that such a processor lacks: scripts/plain_code.sh and the runs under qemu-user (./test --all) see to that.
#pragma once

#include <string>
#include <vector>

#include "base/cpu.hpp"

namespace heed::laws {

struct Level {
  std::string name;  ///< its instruction set, as in base/instruction_sets.hpp; with "+BF16" where it has those products
  std::string simd;  ///< the instruction set
  base::Cpu cpu;     ///< what it has beside
};

/// Below this machine's own, best first.
[[nodiscard]] std::vector<Level> levels_below();

/// From now on. Throws Error where no level below is called so.
void lower_to(const std::string& name);

}  // namespace heed::laws
