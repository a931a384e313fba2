// modify, see and hide: a formula's evaluator on tiles, with the vectors of each instruction set. tile_program.hpp says what runs how.
//
// A tile of scores is f32 or f64 [64 keys, 64 queries], as the program holds scores (TileProgram::in_double): S[j * 64 + i] is the score
// of query i and key j; `lanes` of the queries exist, and results of lanes beyond are never read.
#pragma once

#include <cstdint>

#include "formula/tile.hpp"

namespace heed::formula {

/// S <- score formula of S, a NaN as the plain quiet one. `frame` is bound to the tile.
void modify(const TileFrame& frame, int keys, int lanes, float* s);
void modify(const TileFrame& frame, int keys, int lanes, double* s);
/// seen[j * 64 + i] = 1 where the mask shows key j to query i, else 0. `frame` is bound to the tile.
void see(const TileFrame& frame, int keys, int lanes, std::uint8_t* seen);
/// S = -inf where seen is 0.
void hide(const std::uint8_t* seen, int keys, int lanes, float* s);
void hide(const std::uint8_t* seen, int keys, int lanes, double* s);

}  // namespace heed::formula
