// The problem, checked: every shape and number that later code relies on is proved here, once.
#include <algorithm>
#include <cmath>
#include <sstream>

#include <heed/error.hpp>
#include <heed/problem.hpp>

#include "problem/checks.hpp"

namespace heed {

namespace {

void agree(const char* what, std::int64_t left, const char* left_name, std::int64_t right, const char* right_name) {
  if (left == right) return;
  throw Error({std::string(what) + " disagree", std::string("tensors ") + left_name + " and " + right_name, "equal",
               std::to_string(left) + " and " + std::to_string(right)});
}

void require_rank(const char* name, const TensorView& tensor, int rank, const char* axes) {
  if (tensor.shape.rank() != rank) throw Error({"wrong rank", std::string("tensor ") + name, axes, to_text(tensor.shape)});
}

/// What q, k, v say whatever the axes before: heads at `axis`, D last.
Problem problem_of_heads(const TensorView& q, const TensorView& k, const TensorView& v, int axis) {
  const int last = q.shape.rank() - 1;
  agree("kv heads", k.shape[axis], "k", v.shape[axis], "v");
  agree("dimensions", q.shape[last], "q", k.shape[last], "k");
  if (q.dtype != k.dtype || q.dtype != v.dtype) {
    throw Error({"element types disagree", "tensors q, k, v", "one dtype",
                 std::string(name_of(q.dtype)) + ", " + std::string(name_of(k.dtype)) + ", " + std::string(name_of(v.dtype))});
  }
  Problem problem;
  problem.heads = q.shape[axis];
  problem.kv_heads = k.shape[axis];
  problem.dim = q.shape[last];
  problem.value_dim = v.shape[last];
  problem.dtype = q.dtype;
  return problem;
}

}  // namespace

Problem problem_of(const TensorView& q, const TensorView& k, const TensorView& v) {
  for (const auto& [name, tensor] : {std::pair{"q", &q}, {"k", &k}, {"v", &v}}) require_rank(name, *tensor, 4, "4 axes [B, H, T, D]");
  agree("batch sizes", q.shape[0], "q", k.shape[0], "k");
  agree("batch sizes", k.shape[0], "k", v.shape[0], "v");
  agree("numbers of keys", k.shape[2], "k", v.shape[2], "v");
  Problem problem = problem_of_heads(q, k, v, 1);
  problem.batch = q.shape[0];
  problem.queries = q.shape[2];
  problem.keys = k.shape[2];
  return problem;
}

Problem problem_of(const TensorView& q, const TensorView& k, const TensorView& v, std::vector<std::int64_t> query_offsets,
                   std::vector<std::int64_t> key_offsets) {
  for (const auto& [name, tensor] : {std::pair{"q", &q}, {"k", &k}, {"v", &v}})
    require_rank(name, *tensor, 3, "3 axes [T_total, H, D], as sequences are packed");
  agree("numbers of keys", k.shape[0], "k", v.shape[0], "v");
  Problem problem = problem_of_heads(q, k, v, 1);
  problem.query_offsets = std::move(query_offsets);
  problem.key_offsets = std::move(key_offsets);
  problem::check_offsets(problem);
  problem::check_total("query_offsets", problem.query_offsets, q.shape[0], "q");
  problem::check_total("key_offsets", problem.key_offsets, k.shape[0], "k");
  problem.batch = static_cast<std::int64_t>(problem.query_offsets.size()) - 1;
  problem.queries = problem::longest(problem.query_offsets);
  problem.keys = problem::longest(problem.key_offsets);
  return problem;
}

std::string Problem::text() const {
  std::ostringstream text;
  text << (query_offsets.empty() ? "B " : "sequences ") << batch << "  Hq " << heads << "  Hkv " << kv_heads << "  Tq " << queries
       << "  Tk " << keys << "  D " << dim << "  Dv " << value_dim << "  " << name_of(dtype) << "  mask "
       << (mask.empty() ? "full" : to_text(mask));
  for (const Expr& score : scores) text << "  score " << to_text(score);
  if (sink.given()) text << "  sink";
  return text.str();
}

namespace problem {

std::int64_t longest(const std::vector<std::int64_t>& offsets) {
  std::int64_t most = 0;
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) most = std::max(most, offsets[b + 1] - offsets[b]);
  return most;
}

void check_total(const char* name, const std::vector<std::int64_t>& offsets, std::int64_t total, const char* tensor) {
  if (offsets.back() == total) return;
  throw Error({"the last offset is not the end of the tensor", std::string("problem, ") + name,
               std::to_string(total) + ", the rows of " + tensor, std::to_string(offsets.back())});
}

void check_offsets(const Problem& problem) {
  const auto check = [](const char* name, const std::vector<std::int64_t>& offsets) {
    const std::string where = std::string("problem, ") + name;
    if (offsets.empty()) throw Error({"no offsets", where, "where each sequence begins, and where the last ends", "none"});
    if (offsets[0] != 0) throw Error({"the first sequence does not begin at 0", where, "0", std::to_string(offsets[0])});
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      if (offsets[b + 1] < offsets[b])
        throw Error({"offsets fall", where + ", sequence " + std::to_string(b),
                     "an end at or behind its beginning " + std::to_string(offsets[b]), std::to_string(offsets[b + 1])});
    }
  };
  check("query_offsets", problem.query_offsets);
  check("key_offsets", problem.key_offsets);
  if (problem.query_offsets.size() != problem.key_offsets.size()) {
    throw Error({"offsets disagree on how many sequences there are", "problem, query_offsets and key_offsets", "equal lengths",
                 std::to_string(problem.query_offsets.size()) + " and " + std::to_string(problem.key_offsets.size())});
  }
}

namespace {

/// What a problem of packed sequences says of itself besides its offsets.
void check_ragged(const Problem& problem) {
  if (problem.query_offsets.empty() && problem.key_offsets.empty()) return;
  check_offsets(problem);
  const auto check = [](const char* name, std::int64_t expected, std::int64_t found) {
    if (expected == found) return;
    throw Error({"size and offsets disagree", std::string("problem, ") + name, std::to_string(expected) + ", by the offsets",
                 std::to_string(found)});
  };
  check("B", static_cast<std::int64_t>(problem.query_offsets.size()) - 1, problem.batch);
  check("Tq", longest(problem.query_offsets), problem.queries);
  check("Tk", longest(problem.key_offsets), problem.keys);
  if (problem.weights) throw Error({"packed sequences have no S x S matrix of one shape", "problem, weights", "false", "true"});
  if (problem.wanted_scores != Scores::kNone)
    throw Error({"packed sequences have no S x S matrix of one shape", "problem, wanted_scores", "none", "a stage"});
  if (problem.first_key != 0)
    throw Error({"keys of packed sequences begin at position 0", "problem, first_key", "0", std::to_string(problem.first_key)});
}

}  // namespace

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
  check_ragged(problem);
  const bool divides = problem.kv_heads > 0 ? problem.heads % problem.kv_heads == 0 : problem.heads == 0;
  if (!divides) {
    throw Error({"query heads are not a multiple of kv heads", "problem", "Hq % Hkv == 0",
                 "Hq = " + std::to_string(problem.heads) + ", Hkv = " + std::to_string(problem.kv_heads)});
  }
}

}  // namespace problem
}  // namespace heed
