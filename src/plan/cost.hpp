// Cost: the work of a run, counted before it, and the time it should take.
//
// Counted: the products of visited tiles in the machine's own steps (parts of a split, lanes rounded up to vectors), one exp per pair,
// the steps of formulas, packing, and the bytes of K and V that pass through L2 and of all tensors through DRAM.
// Choosing compares these counts with fixed relative speeds of the units, so that a plan chooses alike on every run. The expected time
// divides the same counts by the limits of this machine, as measured (heed/limits.hpp); the part that takes longest is what binds.
// An estimate, and called one: it holds to about a third where nothing else runs.
#pragma once

#include <heed/limits.hpp>
#include <heed/plan.hpp>

#include "plan/choice.hpp"
#include "problem/question.hpp"

namespace heed::plan {

/// Of one group of sequences, by a kernel.
[[nodiscard]] Work work_of(const problem::Question& question, const problem::Group& group, const Kernel& kernel);
/// Of a plan, all its parts; the unit is the first's.
[[nodiscard]] Work work_of(const Planned& planned);
/// For choosing: the work in multiply-adds of float32.
[[nodiscard]] double cost_of(const problem::Question& question, const problem::Group& group, const Kernel& kernel);
/// Of a run of a plan. Zero seconds where there is no estimate.
[[nodiscard]] Expected expected(const Planned& planned, const Limits& limits);

}  // namespace heed::plan
