// What a run writes: proved to fit the problem and to lie apart from all that is read.
#pragma once

#include <heed/inputs.hpp>
#include <heed/outputs.hpp>

#include "problem/question.hpp"

namespace heed::problem {

/// Throws Error before anything is written where inputs or outputs do not fit.
void check_tensors(const Question& question, const Inputs& inputs, const Outputs& outputs);

}  // namespace heed::problem
