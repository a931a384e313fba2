// What a problem must be, proved in steps; each throws Error.
#pragma once

#include <heed/problem.hpp>

#include "problem/formulas.hpp"
#include "problem/layout.hpp"

namespace heed::problem {

/// Products that sizes and offsets are made of fit 63 bits; heads are a multiple of kv heads.
void check_sizes(const Problem& problem);
/// A table of a named form (dense(m, b, k)) is as large as the problem.
void check_fit(const Formulas& formulas, const Layout& layout);
/// Every lookup and integer operation has a value in every visible place.
void check_lookups(const Formulas& formulas, const Layout& layout);

}  // namespace heed::problem
