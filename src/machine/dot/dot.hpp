// The dot machine: AVX-512's dot product of bf16 pairs (VDPBF16PS), twice the multiply-adds of f32 per instruction where the processor
// gives it a full unit (Zen 4: measured). Operands and softmax are those of machine/pairs. For bf16; f16 and f32 by parts are there for
// tests, the plan prefers the simd kernel for them.
#pragma once

#include "machine/pairs/pairs.hpp"

namespace heed::machine::dot {

// The tables are data and the sizes plain code (sizes.cpp), so a plan asks them on any processor; the words run on the unit alone. By
// parts: 1, 2, 3.
extern const Similarity kSimilarities[3];
extern const Mixing kMixings[3];
extern const Phrase kPhrases[3];
// For at most kFewLanes queries in bf16 (machine/few.hpp).
extern const Similarity kFewDot;
extern const Mixing kFewMixing;
extern const Phrase kFewPhrase;

[[nodiscard]] Similarity::Sizes few_sizes(int dim);
[[nodiscard]] Mixing::Sizes few_mix_sizes(int value_dim);
/// Columns of a row of queries or of output: D or Dv, rounded up to what two vectors hold.
constexpr std::int64_t padded(int columns) {
  return (columns + 31) / 32 * 32;
}

}  // namespace heed::machine::dot
