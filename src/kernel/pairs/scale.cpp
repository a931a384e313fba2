#include <cmath>

#include "kernel/pairs/pairs.hpp"

namespace heed::kernel::pairs {

std::string scale_declines(const plan::Body& body) {
  // Scores are scaled after the product, in which large numbers with a tiny scale would overflow.
  const double size = std::fabs(body.scale);
  if (size != 0 && (size < 0x1p-20 || size > 0x1p20)) return "scales after the product, and this scale is outside 2^-20 to 2^20";
  return {};
}

}  // namespace heed::kernel::pairs
