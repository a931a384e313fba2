// Any bytes as a .safetensors file: a tensor or a heed::Error, nothing else.
#include <cstddef>
#include <cstdint>

#include <heed/error.hpp>

#include "io/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)heed::io::parse_safetensors(reinterpret_cast<const std::byte*>(data), size, "fuzz.safetensors");
  } catch (const heed::Error&) {
    return 0;
  }
  return 0;
}
