// census: recomputes P tile by tile from Q and K, and reduces it. What it gives: heed/census.hpp.
//
//   norms of rows      what makes weights of scores, given by the run or made in a pass over the tiles (norms)
//   received, map      one pass over the tiles, keys outside, the rows that see them inside (received)
//   rows, top keys     the tiles that some chosen rows see, as many rows at a time as the products take (chosen_rows)
//
// Heads and groups of keys, heads and tiles of queries, heads and chosen rows are shared out: as many heads are worked on together as keep
// all threads busy. Who works on what changes no bit. Flops 2 D per pair in visited tiles and pass; V is never read.
// Checked: census_test.cpp against the weights of `classic`; laws/census_test.cpp.
#pragma once

#include <cstdint>
#include <span>

#include <heed/outputs.hpp>

#include "base/progress.hpp"
#include "machine/machine.hpp"
#include "memory/memory.hpp"
#include "problem/question.hpp"

namespace heed::walk {

struct CensusJob {
  const problem::Question& question;
  const machine::Words& words;
  std::span<const std::int64_t> sequences;  ///< batch entries or packed sequences that these words are for
  const memory::Held& held;
  const TensorView& lse;
  const CensusOutputs& out;
  base::Progress& progress;

  /// How many heads of each are looked at.
  [[nodiscard]] std::int64_t heads() const {
    return out.heads.empty() ? question.layout.heads : static_cast<std::int64_t>(out.heads.size());
  }
};

/// Of checked tensors, with at least one head.
void census(const CensusJob& job);

}  // namespace heed::walk
