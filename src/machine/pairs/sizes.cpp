// How many bytes operands of pairs take: plain code, for plans are made on processors that have neither unit.
#include "machine/pairs/pairs.hpp"

namespace heed::machine::pairs {

template <int Parts>
Sizes sizes(int dim, int value_dim) {
  const auto columns = static_cast<std::size_t>(padded_dim(dim)), values = static_cast<std::size_t>(padded_value_dim(value_dim));
  constexpr std::size_t kLine = sizeof(std::uint16_t) * kTile * Parts;
  return {.queries = 64 + kLine * columns,
          .keys = kLine * columns,
          .values = kLine * values,
          .weights = kLine * kTile,
          .output = sizeof(float) * kTile * values};
}

template Sizes sizes<1>(int, int);
template Sizes sizes<2>(int, int);
template Sizes sizes<3>(int, int);

}  // namespace heed::machine::pairs
