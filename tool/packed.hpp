// Packed sequences in the tool: where their offsets come from, the shapes of what a run gives, and what is said of them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <heed/plan.hpp>

#include "problem_options.hpp"

namespace heed::tool {

[[nodiscard]] bool is_packed(const Problem& problem);

/// One number per query and head: [B, Hq, Tq], packed [T_total, Hq].
[[nodiscard]] Dims lines_shape(const Problem& problem);
/// `last` numbers per query and head: [B, Hq, Tq, last], packed [T_total, Hq, last].
[[nodiscard]] Dims rows_shape(const Problem& problem, std::int64_t last);
/// One number per key and each of `heads` heads: [B, heads, Tk], packed [all keys, heads].
[[nodiscard]] Dims keys_shape(const Problem& problem, std::int64_t heads);

/// The problem of q, k, v [T_total, H, D] with the offsets of --offsets and --key-offsets (those of --offsets where it is not given), which
/// are read here. Throws Error naming option and file for what is not integers [sequences + 1] that fit the tensors.
[[nodiscard]] Problem packed_problem(const ProblemOptions& options, Loaded& loaded);
/// Throws Error for --key-offsets without --offsets, and for --layout beside them.
void check_packed_options(const ProblemOptions& options);

/// A row of packed queries: whose it is, and which there. Of no offsets: batch entry 0.
struct PackedRow {
  std::int64_t sequence = 0, row = 0;
};
[[nodiscard]] PackedRow packed_row(const std::vector<std::int64_t>& offsets, std::int64_t row);

/// How many sequences, queries and keys.
[[nodiscard]] nlohmann::json packed_json(const Problem& problem);
/// An object per class of sequences.
[[nodiscard]] nlohmann::json classes_json(const Plan& plan);
/// "kernel simd", or "kernels simd of 2 sequences, decode of 2".
[[nodiscard]] std::string kernels_text(const Plan& plan);

}  // namespace heed::tool
