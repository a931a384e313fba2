// What a problem must be, proved in steps; each throws Error.
#pragma once

#include <heed/problem.hpp>

#include "problem/formulas.hpp"
#include "problem/layout.hpp"

namespace heed::problem {

/// Offsets of packed sequences begin at 0 and do not fall; as many of queries as of keys.
void check_offsets(const Problem& problem);
/// The last offset is the number of rows of a tensor.
void check_total(const char* name, const std::vector<std::int64_t>& offsets, std::int64_t total, const char* tensor);
/// Of sequences between offsets.
[[nodiscard]] std::int64_t longest(const std::vector<std::int64_t>& offsets);
/// Products that sizes and offsets are made of fit 63 bits; heads are a multiple of kv heads; sizes are as offsets say.
void check_sizes(const Problem& problem);
/// A table of a named form (dense(m, b, k)) is as large as the problem.
void check_fit(const Formulas& formulas, const Layout& layout);
/// Every lookup and integer operation has a value in every visible place.
void check_lookups(const Formulas& formulas, const Layout& layout);

}  // namespace heed::problem
