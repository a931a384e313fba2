// Memory that can still be had: asked before a large step, because the system gives more than it has and kills without a word.
#pragma once

namespace heed::base {

/// Bytes, by Linux's own estimate and the limit of this process's control group; infinite where neither is known.
[[nodiscard]] double available_memory();

}  // namespace heed::base
