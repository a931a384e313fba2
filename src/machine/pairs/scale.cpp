#include <cmath>

#include "machine/pairs/pairs.hpp"

namespace heed::machine::pairs {

std::string scale_declines(double scale) {
  // Scores are scaled after the product, whose numbers are bounded so that this stays in f32 (pairs.hpp).
  if (std::fabs(scale) > 0x1p20) return "scales after the product, and this scale is beyond 2^20";
  return {};
}

}  // namespace heed::machine::pairs
