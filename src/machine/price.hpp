// Price: how a machine spends: its unit, how much of it a product takes, what it packs. Plans count work by it.
#pragma once

#include <heed/limits.hpp>
#include <heed/tensor.hpp>

namespace heed::machine {

/// How fast a unit is beside multiply-adds of float32, roughly, on the processors that have it (docs/kernels.md).
struct UnitSpeed {
  double usual, slow;  ///< slow: where base::Cpu::slow_dots
};
[[nodiscard]] UnitSpeed speed_of(Unit unit);

struct Price {
  Unit unit = Unit::kMultiplyAdd;
  double (*products)(DType dtype);  ///< of the unit for one multiply-add of the definition
  int lane_step = 16;               ///< queries of a tile are rounded up to this
  bool overlaps = false;            ///< products and softmax run side by side
  bool packs = false;               ///< values (and wider keys) are packed once per band of tiles of queries
};

/// One product for one of the definition; in double, of which a vector holds half as many, two.
[[nodiscard]] inline double one_product(DType dtype) {
  return dtype == DType::kF64 ? 2 : 1;
}

}  // namespace heed::machine
