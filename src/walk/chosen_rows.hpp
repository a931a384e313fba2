// Chosen rows: the weights of some queries of one head, and their keys with most weight.
//
// As many rows at a time as the products take, and the tiles that any of them sees; a tile that a row does not see adds nothing to it.
// Memory: a float and a byte for each key of these rows. Checked: census_test.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "walk/norms.hpp"

namespace heed::walk {

/// Rows [first, first + slots.size()) of CensusOutputs::rows, which are queries `slots`.
void write_chosen_rows(const CensusJob& job, CensusRows& rows, const CensusHead& of, std::int64_t first,
                       std::span<const std::int64_t> slots);

}  // namespace heed::walk
