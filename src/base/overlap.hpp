// Whether strided tensors share memory: what decides which outputs a caller may hand in.
//
//   a and b share a byte            <=>  sum_k d_k s_k = b - a  for some  -(nb_k - 1) <= d_k <= na_k - 1
//   two places of one coincide      <=>  sum_k d_k s_k = 0      for some  |d_k| <= n_k - 1, not all of them 0
//
// s_k: the strides of both in bytes, and 1 for the bytes of an element; na_k, nb_k: the extents along them (1 where a tensor has none);
// a, b: the first bytes. The largest stride is settled first: what the smaller ones can make up leaves few d_k, at most two where
// strides nest (each beyond what the smaller ones reach), as those of tensors packed into one buffer do. There the answer is exact.
// A search of more than kMostSteps gives up, and the answer is that of the byte ranges: they overlap.
// Cost: a few comparisons where the ranges lie apart, else some 2^axes steps. Source: NumPy, common/mem_overlap.c.
#pragma once

#include <heed/tensor.hpp>

namespace heed::base {

/// False: no byte of one is a byte of the other. True: there is one, or the search gave up.
[[nodiscard]] bool overlap(const TensorView& a, const TensorView& b);
/// False: every place has its own memory.
[[nodiscard]] bool overlaps_itself(const TensorView& tensor);
/// The same elements in the same order: pointer, dtype, shape, and strides along every axis longer than 1.
[[nodiscard]] bool same_places(const TensorView& a, const TensorView& b);

}  // namespace heed::base
