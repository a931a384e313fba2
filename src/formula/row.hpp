// One row of a formula: the same at a query row that is fixed, for computing some rows alone.
#pragma once

#include <heed/expression.hpp>

namespace heed::formula {

/// `expression` with the literal `row` in the place of i, and with free lookups in the place of those that claim to fit the problem: a
/// problem of this one query gives at its row 0 what the whole problem gives at `row`. The whole problem's plan has checked the tables.
[[nodiscard]] Expr at_row(const Expr& expression, const Tables& tables, std::int64_t row);

}  // namespace heed::formula
