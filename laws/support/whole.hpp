// Census against its promise: rows of weights that sum to what they should, whatever kernel made L and however large it is.
#pragma once

#include <string>

#include "laws/support/case.hpp"

namespace heed::laws {

/// Runs a draw with one kernel, then census with that plan: "" where every row's weights are those of the definition and sum to 1 within
/// 2^-22 max(1, |L|) (with a sink to its share, without keys to 0), what all keys receive is as much as all rows give, and rows with a NaN
/// among their scores are NaN where they see and 0 where they do not; else what is not.
[[nodiscard]] std::string census_violation(const Draw& draw, const std::string& kernel);
/// Runs a draw with one kernel and statistics, then census with the norms that the run left and without: "" where no bit differs.
/// `known`: how many rows had a norm.
[[nodiscard]] std::string norms_violation(const Draw& draw, const std::string& kernel, std::int64_t& known);

/// Cases of every dtype with small and large logits, masks, scores and sinks.
[[nodiscard]] std::vector<Case> census_cases(const Case& of);

}  // namespace heed::laws
