// The amx machine: products of bf16 pairs on the matrix unit (TDPBF16PS), bf16 in one part, f16 in two, f32 in three (kernel/pairs).
// It has the words and a phrase: scores of the next tile, softmax of this one and mix of the one before, interleaved (phrase.cpp).
#pragma once

#include <cstddef>

#include "kernel/products.hpp"

namespace heed::kernel::amx {

[[nodiscard]] const Products& products(DType dtype);

template <int Parts>
void phrase(const Phrase& phrase);
/// Two tiles of scores, 32 queries wide, beside each other; two of weights likewise; a sum of 32 columns of O.
template <int Parts>
std::size_t phrase_bytes(int dim, int value_dim);

}  // namespace heed::kernel::amx
