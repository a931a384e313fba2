// What a run reads: proved to fit the problem.
#pragma once

#include <heed/inputs.hpp>
#include <heed/problem.hpp>

namespace heed::problem {

/// Throws Error where q, k, v are not of the problem's shapes and dtype.
void check_inputs(const Problem& problem, const Inputs& inputs);

}  // namespace heed::problem
