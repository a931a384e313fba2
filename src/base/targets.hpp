// Which instruction sets the simd kernel is compiled for, before highway.h is read: on x86-64 SSE4, AVX2 and AVX-512 over a scalar
// baseline that runs anywhere; NEON on aarch64. SSSE3 and AVX3_DL would add build time and no speed; vectors without a fixed size
// (SVE) do not fit accumulators kept in arrays.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
