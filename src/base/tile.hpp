// The tile: 64 queries across and up to 64 keys down, on every machine, in every walk and every evaluator of formulas.
#pragma once

namespace heed::base {

inline constexpr int kTile = 64;

}  // namespace heed::base
