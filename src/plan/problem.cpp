// The problem, checked: every shape and number that later code relies on is proved here, once.
#include <algorithm>
#include <cmath>
#include <sstream>

#include <heed/error.hpp>
#include <heed/problem.hpp>

#include "base/threads.hpp"
#include "formula/print.hpp"
#include "plan/body.hpp"

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

namespace plan {
namespace {

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

void settle_alignment(Body& body) {
  const Problem& problem = body.problem;
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(problem.batch, 1));
  std::int64_t offset = 0;
  constexpr std::int64_t kFar = std::int64_t{1} << 60;  // differences of positions fit 63 bits
  // Of `extent` places from `first` on. Tq, then first_key and Tk, before they are added up.
  const auto check_positions = [](const char* where, const char* first_name, std::int64_t first, const char* extent_name,
                                  std::int64_t extent) {
    if (first >= -kFar && first <= kFar && std::max<std::int64_t>(extent - 1, 0) <= kFar - first) return;
    throw Error({"position too far", std::string("problem, ") + where, "first and last position between -2^60 and 2^60",
                 std::string(first_name) + " = " + std::to_string(first) + ", " + extent_name + " = " + std::to_string(extent)});
  };
  check_positions("align", "row", 0, "Tq", problem.queries);
  check_positions("first_key", "first_key", problem.first_key, "Tk", problem.keys);
  switch (problem.align.kind) {
    case Align::Kind::kNone:
      if ((problem.queries != problem.keys || problem.first_key != 0) && (body.mask.mentions_query() || body.score.mentions_query())) {
        throw Error({"a formula mentions q, but nothing says where the queries stand among the keys", "problem, align",
                     "align start, end or an offset, since Tq != Tk or first_key != 0",
                     "Tq = " + std::to_string(problem.queries) + ", Tk = " + std::to_string(problem.keys) +
                         ", first_key = " + std::to_string(problem.first_key)});
      }
      break;
    case Align::Kind::kStart:
      break;
    case Align::Kind::kEnd:
      offset = problem.first_key + problem.keys - problem.queries;
      break;
    case Align::Kind::kOffsets:
      if (problem.align.offsets.size() == count) {
        body.layout.offsets = problem.align.offsets;
        break;
      }
      if (problem.align.offsets.size() != 1) {
        throw Error({"wrong number of offsets", "problem, align", "one, or one per batch entry (" + std::to_string(problem.batch) + ")",
                     std::to_string(problem.align.offsets.size())});
      }
      offset = problem.align.offsets[0];
      break;
  }
  if (body.layout.offsets.empty()) body.layout.offsets.assign(count, offset);
  for (const std::int64_t place : body.layout.offsets) check_positions("align", "offset", place, "Tq", problem.queries);
}

}  // namespace

void check_problem(Body& body) {
  const Problem& problem = body.problem;
  check_sizes(problem);
  if (!is_real(problem.dtype))
    throw Error(
        {"element type is not a floating-point one", "problem, dtype", "f32, bf16, f16 or f64", std::string(name_of(problem.dtype))});
  body.scale = problem.scale.value_or(1.0 / std::sqrt(static_cast<double>(problem.dim)));
  if (!std::isfinite(body.scale)) throw Error({"scale is not finite", "problem, scale", "a finite number", formula::real_text(body.scale)});
  if (problem.dtype != DType::kF64 && !std::isfinite(static_cast<float>(body.scale))) {
    throw Error(
        {"scale is too large for float32", "problem, scale", "at most 3.4e38 in size, or f64 tensors", formula::real_text(body.scale)});
  }
  if (problem.sink.given()) {
    check_tensor("sink", problem.sink, {problem.heads}, {DType::kF64, DType::kF32, DType::kF16, DType::kBF16});
    check_sinks(problem.sink);
  }
  if (problem.threads < 0)
    throw Error({"negative number of threads", "problem, threads", "0 (all) or more", std::to_string(problem.threads)});
  constexpr int kMostThreads = 1024;
  if (problem.threads > kMostThreads)
    throw Error({"too many threads", "problem, threads", "at most 1024", std::to_string(problem.threads)});
  body.threads = problem.threads ? problem.threads : base::available_threads();
  body.layout.batch = problem.batch;
  body.layout.heads = problem.heads;
  body.layout.kv_heads = problem.kv_heads;
  body.layout.queries = problem.queries;
  body.layout.keys = problem.keys;
  body.layout.first_key = problem.first_key;
  settle_alignment(body);
}

void check_sinks(const TensorView& sink) {
  for (std::int64_t h = 0; h < sink.shape[0]; ++h) {
    const double logit = real_at(sink, h * sink.strides[0]);
    if (std::isnan(logit) || logit == HUGE_VAL)
      throw Error({"sink is not below infinity", "sink of head " + std::to_string(h), "finite or -inf", std::to_string(logit)});
  }
}

void check_tensor(const char* name, const TensorView& tensor, const Dims& shape, std::initializer_list<DType> dtypes) {
  const std::string where = std::string("tensor ") + name;
  if (!(tensor.shape == shape)) throw Error({"wrong shape", where, to_text(shape), to_text(tensor.shape)});
  if (tensor.strides.rank() != shape.rank()) {
    throw Error({"wrong number of strides", where, std::to_string(shape.rank()), std::to_string(tensor.strides.rank())});
  }
  if (tensor.data == nullptr && count_of(shape) > 0) throw Error({"no data", where, "a pointer", "null"});
  std::string names;
  for (const DType dtype : dtypes) {
    if (dtype == tensor.dtype) return;
    names += (names.empty() ? "" : " or ") + std::string(name_of(dtype));
  }
  throw Error({"wrong element type", where, names, std::string(name_of(tensor.dtype))});
}

void check_tensors(const Body& body, const Inputs& inputs, const Outputs& outputs) {
  const Problem& p = body.problem;
  check_tensor("q", inputs.q, {p.batch, p.heads, p.queries, p.dim}, {p.dtype});
  check_tensor("k", inputs.k, {p.batch, p.kv_heads, p.keys, p.dim}, {p.dtype});
  check_tensor("v", inputs.v, {p.batch, p.kv_heads, p.keys, p.value_dim}, {p.dtype});
  const Dims rows{p.batch, p.heads, p.queries};
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const auto check = [](const char* name, const TensorSpan& span, const Dims& shape, std::initializer_list<DType> dtypes) {
    if (span.given()) check_tensor(name, span, shape, dtypes);
  };
  if (p.partial)
    check("o (partial)", outputs.o, {p.batch, p.heads, p.queries, p.value_dim}, {statistic});
  else
    check("o", outputs.o, {p.batch, p.heads, p.queries, p.value_dim}, {p.dtype, statistic});
  check("lse", outputs.lse, rows, {statistic});
  check("maximum", outputs.maximum, rows, {statistic});
  check("entropy", outputs.entropy, rows, {statistic});
  check("effective", outputs.effective, rows, {statistic});
  check("visible", outputs.visible, rows, {DType::kI64});
  check("weights", outputs.weights, {p.batch, p.heads, p.queries, p.keys}, {statistic});
  const bool statistics = outputs.maximum.given() || outputs.entropy.given() || outputs.effective.given() || outputs.visible.given();
  if (statistics && !p.statistics) throw Error({"row statistics are wanted but not planned", "outputs", "Problem::statistics", "false"});
  if (outputs.weights.given() && !p.weights)
    throw Error({"weights are wanted but not planned", "outputs, weights", "Problem::weights", "false"});
  const NamedTensor written[] = {{"o", outputs.o},
                                 {"lse", outputs.lse},
                                 {"maximum", outputs.maximum},
                                 {"entropy", outputs.entropy},
                                 {"effective", outputs.effective},
                                 {"visible", outputs.visible},
                                 {"weights", outputs.weights}};
  check_apart(written);
  check_apart(written, {"q", inputs.q, "o"});  // a kernel has read a tile's queries before it writes a row of it
  check_apart(written, {"k", inputs.k});
  check_apart(written, {"v", inputs.v});
  if (body.has_sink()) check_apart(written, {"sink", p.sink});
  for (const auto& [name, table] : p.tables) check_apart(written, {name, table});
}

}  // namespace plan
}  // namespace heed
