// The simd machine: every word written once with Google Highway and compiled for each instruction set of base/targets.hpp; the best one
// that the processor has is picked at the first call.
#pragma once

#include "machine/products.hpp"
#include "machine/words.hpp"

namespace heed::machine::simd {

// Products on O as [Dv, 64]: also those of other machines that keep it so.
void adopt(const SoftmaxRows& state, const SoftmaxRows& exact, std::uint64_t lanes, int value_dim);
/// Bit i: O of lane i is not finite.
[[nodiscard]] std::uint64_t infinite_lanes(const SoftmaxRows& state, int value_dim, int lanes);
void finish_lanes(const SoftmaxRows& state, int value_dim, int first, int lanes, const OutputRows& out);
[[nodiscard]] const Products& products(DType dtype);
/// For at most kFewLanes queries (few.hpp).
[[nodiscard]] const Products& few_products(DType dtype);

}  // namespace heed::machine::simd
