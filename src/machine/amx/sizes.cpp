// How many bytes a phrase takes: plain code, for plans are made on processors without the unit.
#include <cstdint>

#include "machine/amx/amx.hpp"

namespace heed::machine::amx {

template <int Parts>
std::size_t phrase_bytes(int, int) {
  return sizeof(float) * kTile * kTile + Parts * sizeof(std::uint32_t) * static_cast<std::size_t>(pairs::kWeightPart) +
         sizeof(float) * kHalf * kTile;
}

template std::size_t phrase_bytes<1>(int, int);
template std::size_t phrase_bytes<2>(int, int);
template std::size_t phrase_bytes<3>(int, int);

}  // namespace heed::machine::amx
