#include "machine/price.hpp"

#include <cstddef>

namespace heed::machine {

UnitSpeed speed_of(Unit unit) {
  constexpr UnitSpeed kSpeeds[] = {{1, 1}, {2, 0.5}, {12, 12}};
  return kSpeeds[static_cast<std::size_t>(unit)];
}

}  // namespace heed::machine
