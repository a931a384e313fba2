// Any bytes as a .npy file: a tensor or a heed::Error, nothing else.
#include <cstddef>
#include <cstdint>

#include <heed/error.hpp>

#include "io/npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)heed::io::parse_npy(reinterpret_cast<const std::byte*>(data), size, "fuzz.npy");
  } catch (const heed::Error&) {
    return 0;
  }
  return 0;
}
