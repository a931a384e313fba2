// Which instruction sets the simd kernel was compiled for, and which of them this processor runs, best first.
#pragma once

#include <string>
#include <vector>

namespace heed::kernel::simd {

[[nodiscard]] std::vector<std::string> compiled();
[[nodiscard]] std::vector<std::string> runnable();

/// For tests: dispatch as if the processor had only this instruction set ("AVX2"); "" lifts it. Throws Error if it cannot run here.
void pretend(const std::string& name);

}  // namespace heed::kernel::simd
