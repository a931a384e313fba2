#include "problem/inputs.hpp"

#include "base/check.hpp"

namespace heed::problem {

void check_inputs(const Problem& problem, const Inputs& inputs) {
  const Problem& p = problem;
  if (!p.query_offsets.empty()) {
    base::check_tensor("q", inputs.q, {p.query_offsets.back(), p.heads, p.dim}, {p.dtype});
    base::check_tensor("k", inputs.k, {p.key_offsets.back(), p.kv_heads, p.dim}, {p.dtype});
    base::check_tensor("v", inputs.v, {p.key_offsets.back(), p.kv_heads, p.value_dim}, {p.dtype});
    return;
  }
  base::check_tensor("q", inputs.q, {p.batch, p.heads, p.queries, p.dim}, {p.dtype});
  base::check_tensor("k", inputs.k, {p.batch, p.kv_heads, p.keys, p.dim}, {p.dtype});
  base::check_tensor("v", inputs.v, {p.batch, p.kv_heads, p.keys, p.value_dim}, {p.dtype});
}

}  // namespace heed::problem
