// The problem, checked: every shape and number that later code relies on is proved here, once.
#include <algorithm>
#include <cmath>
#include <sstream>

#include <heed/error.hpp>
#include <heed/problem.hpp>

#include "problem/checks.hpp"

namespace heed {

Problem problem_of(const TensorView& q, const TensorView& k, const TensorView& v) {
  const auto require_rank = [](const char* name, const TensorView& tensor) {
    if (tensor.shape.rank() != 4) throw Error({"wrong rank", std::string("tensor ") + name, "4 axes [B, H, T, D]", to_text(tensor.shape)});
  };
  require_rank("q", q);
  require_rank("k", k);
  require_rank("v", v);
  const auto agree = [](const char* what, std::int64_t left, const char* left_name, std::int64_t right, const char* right_name) {
    if (left != right) {
      throw Error({std::string(what) + " disagree", std::string("tensors ") + left_name + " and " + right_name, "equal",
                   std::to_string(left) + " and " + std::to_string(right)});
    }
  };
  agree("batch sizes", q.shape[0], "q", k.shape[0], "k");
  agree("batch sizes", k.shape[0], "k", v.shape[0], "v");
  agree("kv heads", k.shape[1], "k", v.shape[1], "v");
  agree("numbers of keys", k.shape[2], "k", v.shape[2], "v");
  agree("dimensions", q.shape[3], "q", k.shape[3], "k");
  if (q.dtype != k.dtype || q.dtype != v.dtype) {
    throw Error({"element types disagree", "tensors q, k, v", "one dtype",
                 std::string(name_of(q.dtype)) + ", " + std::string(name_of(k.dtype)) + ", " + std::string(name_of(v.dtype))});
  }
  Problem problem;
  problem.batch = q.shape[0];
  problem.heads = q.shape[1];
  problem.kv_heads = k.shape[1];
  problem.queries = q.shape[2];
  problem.keys = k.shape[2];
  problem.dim = q.shape[3];
  problem.value_dim = v.shape[3];
  problem.dtype = q.dtype;
  return problem;
}

std::string Problem::text() const {
  std::ostringstream text;
  text << "B " << batch << "  Hq " << heads << "  Hkv " << kv_heads << "  Tq " << queries << "  Tk " << keys << "  D " << dim << "  Dv "
       << value_dim << "  " << name_of(dtype) << "  mask " << (mask.empty() ? "full" : to_text(mask));
  for (const Expr& score : scores) text << "  score " << to_text(score);
  if (sink.given()) text << "  sink";
  return text.str();
}

namespace problem {

/// Products that sizes and offsets are made of must fit 63 bits.
void check_sizes(const Problem& problem) {
  const std::pair<const char*, std::int64_t> extents[] = {{"B", problem.batch},    {"Hq", problem.heads}, {"Hkv", problem.kv_heads},
                                                          {"Tq", problem.queries}, {"Tk", problem.keys},  {"Dv", problem.value_dim}};
  for (const auto& [name, extent] : extents) {
    if (extent < 0) throw Error({"negative size", std::string("problem, ") + name, "0 or more", std::to_string(extent)});
  }
  if (problem.dim < 1) throw Error({"no dimension to compare in", "problem, D", "1 or more", std::to_string(problem.dim)});
  constexpr std::int64_t kMaxDim = 1 << 16;  // tiles of D x 64 floats must fit memory
  for (const std::int64_t dim : {problem.dim, problem.value_dim}) {
    if (dim > kMaxDim) throw Error({"dimension too large", "problem, D and Dv", "at most 65536", std::to_string(dim)});
  }
  (void)count_of({problem.batch, problem.heads, problem.queries, problem.dim});
  (void)count_of({problem.batch, problem.heads, problem.queries, problem.value_dim});
  (void)count_of({problem.batch, problem.kv_heads, problem.keys, problem.dim});
  (void)count_of({problem.batch, problem.heads, problem.keys, 64});
  const bool divides = problem.kv_heads > 0 ? problem.heads % problem.kv_heads == 0 : problem.heads == 0;
  if (!divides) {
    throw Error({"query heads are not a multiple of kv heads", "problem", "Hq % Hkv == 0",
                 "Hq = " + std::to_string(problem.heads) + ", Hkv = " + std::to_string(problem.kv_heads)});
  }
}

}  // namespace problem
}  // namespace heed
