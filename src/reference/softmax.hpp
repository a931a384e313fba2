// The definition of softmax attention: one place at a time, in double, no cleverness. Every kernel is judged against it.
//
//   s_ij = score formulas of scale q_i . k_j;  visible where the mask is true and s_ij != -inf
//   the similarity counts as NaN, a formula's result as +-inf, where the type that holds scores (f32; f64 for f64) cannot hold it;
//   a visible s_ij that is NaN, +inf or, by an operation on s, without a value makes its row NaN
//   O_i = sum_j exp(s_ij - L_i) v_j,  L_i = log(sum_j exp(s_ij) + exp(sink_h)),  by SoftmaxState
//
// Shapes: q [B, Hq, Tq, D], k [B, Hkv, Tk, D], v [B, Hkv, Tk, Dv], any dtype and strides. Cost: B Hq Tq Tk evaluations of the
// formulas, memory [Dv + Tk] per thread. Source: Vaswani et al. 2017, eq. 1. Checked: against PyTorch in float64 (laws/torch).
#pragma once

#include <cstdint>

#include <heed/inputs.hpp>
#include <heed/outputs.hpp>

#include "base/arena.hpp"
#include "base/progress.hpp"
#include "problem/group.hpp"
#include "problem/question.hpp"

namespace heed::reference {

/// What it works with: memory, all of it taken before anything is computed (of a dry arena nothing is), and who watches.
struct Means {
  base::Arena& arena;
  base::Progress& progress;
};
/// Outputs may be of any real dtype, wider than a plan allows: f64 holds the results unrounded.
void run(const problem::Question& question, const problem::Group& group, const Inputs& inputs, const Outputs& outputs, const Means& means);
/// Of all sequences, in memory of its own.
void run(const problem::Question& question, const Inputs& inputs, const Outputs& outputs);

}  // namespace heed::reference
