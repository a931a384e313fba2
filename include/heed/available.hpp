// What this process may still use of the machine: cores and memory.
#pragma once

namespace heed {

/// Cores this process may use; at least 1.
[[nodiscard]] int available_threads();

/// Bytes of memory that can still be had, by Linux's own estimate and the limit of this process's control group; infinite where neither is
/// known. To be asked before a large step, because the system gives more than it has and kills without a word.
[[nodiscard]] double available_memory();

}  // namespace heed
