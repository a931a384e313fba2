// The dot machine: AVX-512's dot product of bf16 pairs (VDPBF16PS), twice the multiply-adds of f32 per instruction where the processor
// gives it a full unit (Zen 4: measured). Operands and softmax are those of kernel/pairs. For bf16; f16 and f32 by parts are there for
// tests, the plan prefers the simd kernel for them.
#pragma once

#include "kernel/products.hpp"

namespace heed::kernel::dot {

[[nodiscard]] const Products& products(DType dtype);
/// For at most kFewLanes queries in bf16 (kernel/few.hpp).
[[nodiscard]] const Products& few_products();

}  // namespace heed::kernel::dot
