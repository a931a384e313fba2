// The simd machine: every word written once with Google Highway and compiled for each instruction set of base/targets.hpp; the best one
// that the processor has is picked at the first call.
#pragma once

#include "machine/machine.hpp"

namespace heed::machine::simd {

// On O as [Dv, 64]: also for other machines that keep it so.
void adopt(float* o, const float* exact, std::uint64_t lanes, int value_dim);
/// Bit i: O of lane i is not finite.
[[nodiscard]] std::uint64_t infinite_lanes(const float* o, int value_dim, int lanes);

[[nodiscard]] std::span<const Similarity> similarities(DType dtype);
[[nodiscard]] const Mixing& mixing(DType dtype);

// For at most kFewLanes queries (few.hpp).
[[nodiscard]] std::span<const Similarity> few_similarities(DType dtype);
[[nodiscard]] const Mixing& few_mixing(DType dtype);
[[nodiscard]] std::span<const Phrase> few_phrases(DType dtype);

}  // namespace heed::machine::simd
