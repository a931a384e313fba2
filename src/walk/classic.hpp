// The classic operator: bmm, softmax, bmm on [B, H, S, d], with the whole S x S matrix in memory.
//
//   S = scale Q K^T, score formulas, mask;   P = softmax over each row;   O = P V
//
// The definition people know, the yardstick for memory and time, and the one fast kernel that can return P, or S after any of its steps:
// written from the panel that holds it, before the next step takes it. Skips no tile: every mask costs what no mask costs. Flops 2 (D + Dv)
// B Hq Tq Tk; memory 4 B Hq Tq' Tk bytes, Tq' = Tq rounded up to 64. The same words as the simd kernel, so the same numerics; P is divided
// by its row's sum before the second product. Source: Vaswani et al. 2017, eq. 1.
#pragma once

#include <cstdint>
#include <string>

#include "walk/walk.hpp"

namespace heed::walk {

[[nodiscard]] std::string classic_declines(const problem::Question& question);
void classic(const Job& job, base::Arena& arena);

}  // namespace heed::walk
