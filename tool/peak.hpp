// The peak of this machine's vector units, measured: what GFLOP/s of a kernel are a share of.
//
// Each thread runs independent chains of f32 fused multiply-adds from registers, as many as hide the latency, on the widest instruction
// set found (Highway's dynamic dispatch, as the kernels). An f32 figure: units for 16-bit matrices (AMX) can exceed it.
#pragma once

namespace heed::tool {

/// GFLOP/s of `threads` threads together (0: all cores of this process): the best of some rounds of a few milliseconds.
[[nodiscard]] double peak_gflops(int threads);

}  // namespace heed::tool
