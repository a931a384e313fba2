// check: what a plan computed, held against the definition in double by the accuracy rule, on chosen queries.
//
//   O: maximum and RMS error at most twice those of the naive computation in the inputs' type (scores and softmax in f32, weights rounded
//      to that type), plus half a unit in the last place at the largest |O|, plus what it does to O that a score of size x is known to
//      x 2^-24 only (nothing where scores stay below 16)
//   L: within 2^-8 (bf16), 2^-11 (f16), 2^-20 (f32), 2^-40 (f64) of the largest of 1 and |L|, what the same rounding of scores does to it
//      not counted
//
// The rule in full: DESIGN.md, section 2. Each query is a problem of its own with one row, placed by its alignment, in all heads of all
// batch entries, so that formulas keep their positions, rows, heads and batch entries. A query of packed sequences is a row of the packed
// tensor: one of one sequence.
// Cost: some 9 ns for each product of a query compared, Tk (D + Dv) of them a row. Checked: src/api/check_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <heed/plan.hpp>

namespace heed {

/// Rows that are NaN: of which O or L is.
struct NanRows {
  Dims shape{};                ///< [B, Hq, Tq]; of packed sequences [1, Hq, T_total]
  std::vector<bool> is_nan{};  ///< of each row
  std::int64_t count = 0;
  [[nodiscard]] bool at(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return is_nan[static_cast<std::size_t>((b * shape[1] + h) * shape[2] + i)];
  }
};
/// o [B, Hq, Tq, Dv] and lse [B, Hq, Tq], packed [T_total, Hq, Dv] and [T_total, Hq], of any floating-point type. Throws Error where their
/// shapes disagree.
[[nodiscard]] NanRows nan_rows(const TensorView& o, const TensorView& lse);

/// How many queries there are to compare: Tq; of packed sequences T_total.
[[nodiscard]] std::int64_t queries_of(const Problem& problem);
/// Query i of a plan's problem alone, by the definition: what it computes from query i of q, k and v is row i of O, in every head. Of
/// packed sequences it is packed itself: its sequence has one query, the others have none.
[[nodiscard]] Problem problem_of_query(const Plan& plan, std::int64_t i);
/// Query i of a tensor [B, H, T, ...] of the problem, where it lies: [B, H, 1, ...]; of packed [T_total, H, ...]: [1, H, ...].
[[nodiscard]] TensorView query_of(const Problem& problem, TensorView tensor, std::int64_t i);

/// Queries to compare, ascending: evenly spread with both ends, so many that they have about `rows` rows in all heads of all batch entries
/// (4 queries at least, where there are); and of those with a row that is NaN, the first among them, as many again at most. Of packed
/// sequences also the last query of sequences evenly spread over those that have any, as many again at most.
[[nodiscard]] std::vector<std::int64_t> sampled_queries(const Problem& problem, std::int64_t rows, const NanRows& nan = {});

/// Errors of the rows compared, and the bounds of the rule.
struct Comparison {
  double o_error = 0, o_bound = 0, o_rms_error = 0, o_rms_bound = 0;
  double lse_error = 0, lse_bound = 0;  ///< relative to the largest of 1 and |L|
  std::int64_t rows = 0;                ///< compared, over all heads of all batch entries
  std::int64_t nan = 0;                 ///< of these
  std::int64_t nan_by_definition = 0;   ///< of these, too
  /// Within the bounds, and NaN only where the definition is.
  [[nodiscard]] bool good() const;
};
/// `found`: o and lse, as plan.run(inputs, found) wrote them. `query_done` is called after each query with how many are done. Throws Error
/// where tensors do not fit the problem, o or lse is not given, or there is no such query.
[[nodiscard]] Comparison compare(const Plan& plan, const Inputs& inputs, const Outputs& found, std::span<const std::int64_t> queries,
                                 const std::function<void(std::size_t)>& query_done = {});

}  // namespace heed
