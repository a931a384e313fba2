// The amx machine: products of bf16 pairs on the matrix unit (TDPBF16PS), bf16 in one part, f16 in two, f32 in three (machine/pairs).
// It has the words and a phrase: scores of the next tile, softmax of this one and mix of the one before, interleaved (phrase.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "machine/pairs/pairs.hpp"

namespace heed::machine::amx {

// The tables are data and the sizes plain code (sizes.cpp), so a plan asks them on any processor; the words run on the units alone. By
// parts: 1, 2, 3.
extern const Similarity kSimilarities[3];
extern const Mixing kMixings[3];
extern const Phrase kPhrases[3][2];

inline constexpr int kHalf = 32;  // queries of a phrase

/// C = A B of parts: rows of bf16 and pairs of bf16 for 64 lanes.
struct Matrices {
  const std::uint16_t* a;
  std::int64_t a_row, a_part;  // in bf16
  const std::uint32_t* b;
  std::int64_t b_part;  // in pairs
  int depth;            // of 32 bf16
  float* c;             // rows of 64
};

template <int Parts>
void fold(const FoldTiles& tiles);
/// Two tiles of scores, 32 queries wide, beside each other; two of weights likewise; a sum of 32 columns of O.
template <int Parts>
std::size_t phrase_bytes(int dim, int value_dim);

}  // namespace heed::machine::amx
