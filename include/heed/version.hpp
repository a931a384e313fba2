// Which heed this is, and on what it runs.
#pragma once

#include <string>
#include <vector>

namespace heed {

/// "0.1.0"
[[nodiscard]] std::string version();
/// Several lines: version, commit, compiler, instruction sets compiled in and found.
[[nodiscard]] std::string build_text();
/// Names of the instruction sets that the kernels have and this machine can run, best first.
[[nodiscard]] std::vector<std::string> instruction_sets();

}  // namespace heed
