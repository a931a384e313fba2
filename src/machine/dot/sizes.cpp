// How many bytes the operands of few queries take: plain code, for plans are made on processors without the unit.
#include "base/dtype.hpp"
#include "machine/dot/dot.hpp"
#include "machine/few.hpp"

namespace heed::machine::dot {

Sizes few_sizes(int dim, int value_dim) {
  const auto key = static_cast<std::size_t>(dim), value = static_cast<std::size_t>(value_dim);
  return {.queries = 64 + sizeof(bf16) * kFewLanes * static_cast<std::size_t>(padded(dim)),
          .keys = sizeof(bf16) * kTile * key,
          .values = sizeof(bf16) * kTile * value,
          .weights = sizeof(std::uint32_t) * static_cast<std::size_t>(pairs::kWeightPart),
          .output = sizeof(float) * kFewLanes * static_cast<std::size_t>(padded(value_dim))};
}

}  // namespace heed::machine::dot
