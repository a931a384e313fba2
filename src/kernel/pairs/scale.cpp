#include <cmath>

#include "kernel/pairs/pairs.hpp"

namespace heed::kernel::pairs {

std::string scale_declines(const plan::Body& body) {
  // Scores are scaled after the product, whose numbers are bounded so that this stays in f32 (pairs.hpp).
  if (std::fabs(body.scale) > 0x1p20) return "scales after the product, and this scale is beyond 2^20";
  return {};
}

}  // namespace heed::kernel::pairs
