// How many bytes the operands of few queries take: plain code, for plans are made on processors without the unit.
#include "base/dtype.hpp"
#include "machine/dot/dot.hpp"
#include "machine/few.hpp"

namespace heed::machine::dot {

Similarity::Sizes few_sizes(int dim) {
  const auto key = static_cast<std::size_t>(dim);
  return {.queries = 64 + sizeof(bf16) * kFewLanes * static_cast<std::size_t>(padded(dim)), .keys = sizeof(bf16) * kTile * key};
}

Mixing::Sizes few_mix_sizes(int value_dim) {
  return {.values = sizeof(bf16) * kTile * static_cast<std::size_t>(value_dim),
          .weights = sizeof(std::uint32_t) * static_cast<std::size_t>(pairs::kWeightPart),
          .output = sizeof(float) * kFewLanes * static_cast<std::size_t>(padded(value_dim))};
}

}  // namespace heed::machine::dot
