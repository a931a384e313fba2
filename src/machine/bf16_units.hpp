// Chains of bf16 products on the units that Highway's dispatch does not reach: AVX-512 BF16 and AMX. For limits.cpp, which times them.
//
// Each runs only where base::real_cpu() has the unit; elsewhere, and off x86-64, it does nothing and returns 0.
#pragma once

namespace heed::machine {

/// Independent chains of VDPBF16PS in registers. `sink` takes a number of the result. Returns the flops done.
double bf16_dots(long rounds, float& sink);

/// Independent chains of TDPBF16PS in tile registers, likewise.
double matrix_products(long rounds, float& sink);

}  // namespace heed::machine
