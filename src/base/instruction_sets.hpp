// Which instruction sets the simd kernel was compiled for, and which of them this processor runs, best first.
#pragma once

#include <string>
#include <vector>

namespace heed::base {

[[nodiscard]] std::vector<std::string> compiled();
[[nodiscard]] std::vector<std::string> runnable();

/// For tests: dispatch as if the processor had only this instruction set ("AVX2"); "" lifts it. Throws Error if it cannot run here.
void pretend(const std::string& name);

/// For test programs that run as on an older processor (laws/support/levels.hpp): runnable() begins with this instruction set, and
/// dispatch goes no higher, from now on; "" lifts it. Throws Error if it cannot run here.
void limit(const std::string& best);

}  // namespace heed::base
