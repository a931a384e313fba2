// How many bytes operands of pairs take: plain code, for plans are made on processors that have neither unit.
#include "machine/pairs/pairs.hpp"

namespace heed::machine::pairs {

template <int Parts>
constexpr std::size_t kLine = sizeof(std::uint16_t) * kTile* Parts;

template <int Parts>
Similarity::Sizes dot_sizes(int dim) {
  const std::size_t keys = kLine<Parts> * static_cast<std::size_t>(padded_dim(dim));
  return {.queries = 64 + keys, .keys = keys};
}

template <int Parts>
Mixing::Sizes mix_sizes(int value_dim) {
  const auto values = static_cast<std::size_t>(padded_value_dim(value_dim));
  return {.values = kLine<Parts> * values, .weights = kLine<Parts> * kTile, .output = sizeof(float) * kTile * values};
}

template Similarity::Sizes dot_sizes<1>(int);
template Similarity::Sizes dot_sizes<2>(int);
template Similarity::Sizes dot_sizes<3>(int);
template Mixing::Sizes mix_sizes<1>(int);
template Mixing::Sizes mix_sizes<2>(int);
template Mixing::Sizes mix_sizes<3>(int);

}  // namespace heed::machine::pairs
