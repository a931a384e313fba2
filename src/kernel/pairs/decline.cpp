#include <cmath>

#include "kernel/pairs/pairs.hpp"

namespace heed::kernel::pairs {

std::string decline(const plan::Body& body) {
  if (body.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (body.problem.weights) return "never makes the S x S weights that are wanted; census gives chosen rows of them";
  // Scores are scaled after the product, in which large numbers with a tiny scale would overflow.
  const double size = std::fabs(body.scale);
  if (size != 0 && (size < 0x1p-20 || size > 0x1p20)) return "scales after the product, and this scale is outside 2^-20 to 2^20";
  return {};
}

}  // namespace heed::kernel::pairs
