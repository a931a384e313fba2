#include <heed/census.hpp>

#include <algorithm>
#include <span>
#include <string>

#include <heed/error.hpp>

#include "base/check.hpp"
#include "plan/choice.hpp"
#include "walk/census.hpp"

namespace heed {
namespace {

void check_indexes(const char* what, const char* where, std::span<const std::int64_t> indexes, std::int64_t count) {
  for (const std::int64_t index : indexes) {
    if (index < 0 || index >= count) {
      throw Error({std::string("no such ") + what, where, count == 0 ? "none: there are none" : "0 to " + std::to_string(count - 1),
                   std::to_string(index)});
    }
  }
}

/// The shapes of a problem's tensors, dense or packed.
struct Shapes {
  Dims q, k, lse, norms, keys;
  Shapes(const Problem& p, std::int64_t heads) {
    if (p.query_offsets.empty()) {
      q = {p.batch, p.heads, p.queries, p.dim};
      k = {p.batch, p.kv_heads, p.keys, p.dim};
      lse = {p.batch, p.heads, p.queries};
      norms = {p.batch, p.heads, p.queries, 2};
      keys = {p.batch, heads, p.keys};
      return;
    }
    const std::int64_t queries = p.query_offsets.back(), all = p.key_offsets.back();
    q = {queries, p.heads, p.dim};
    k = {all, p.kv_heads, p.dim};
    lse = {queries, p.heads};
    norms = {queries, p.heads, 2};
    keys = {all, heads};
  }
};

void check_inputs(const Problem& p, const Shapes& shapes, const TensorView& q, const TensorView& k, const TensorView& lse,
                  const CensusOutputs& out) {
  if (p.dtype == DType::kF64) throw Error({"census works in float32", "tensor q", "f32, bf16 or f16", "f64"});
  base::check_tensor("q", q, shapes.q, {p.dtype});
  base::check_tensor("k", k, shapes.k, {p.dtype});
  if (lse.given() || out.part) base::check_tensor("lse", lse, shapes.lse, {DType::kF32});
  if (out.norms.given()) base::check_tensor("norms", out.norms, shapes.norms, {DType::kF32});
  if (out.norms.given() && out.part)
    throw Error({"norms of these keys alone, and weights by the L of more", "census", "norms or a part", "both"});
}

/// Shapes and dtypes of everything, before anything is written.
void check(const Problem& p, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& out) {
  const std::int64_t rows = static_cast<std::int64_t>(out.rows.size()),
                     heads = out.heads.empty() ? p.heads : static_cast<std::int64_t>(out.heads.size());
  const Shapes shapes(p, heads);
  check_inputs(p, shapes, q, k, lse, out);
  check_indexes("head", "census, heads", out.heads, p.heads);
  if (!p.query_offsets.empty()) {
    if (out.map.given() || !out.rows.empty() || out.weights.given() || out.top_keys.given() || out.top_weights.given()) {
      throw Error({"packed sequences have no rows and maps of one shape", "census", "received or seen_by alone",
                   out.map.given() ? "a map" : "chosen rows"});
    }
  }
  check_indexes("row", "census, rows", out.rows, p.queries);
  if (out.received.given()) base::check_tensor("received", out.received, shapes.keys, {DType::kF32});
  if (out.seen_by.given()) base::check_tensor("seen_by", out.seen_by, shapes.keys, {DType::kI64});
  const auto check_four = [&](const char* name, const TensorSpan& span, std::int64_t third, std::int64_t fourth, DType dtype) {
    if (!span.given()) return;
    if (span.shape.rank() != 4) throw Error({"wrong rank", std::string("tensor ") + name, "4 axes", to_text(span.shape)});
    base::check_tensor(name, span, {p.batch, heads, third < 0 ? span.shape[2] : third, fourth < 0 ? span.shape[3] : fourth}, {dtype});
  };
  check_four("map", out.map, -1, -1, DType::kF32);
  check_four("weights", out.weights, rows, p.keys, DType::kF32);
  check_four("top_keys", out.top_keys, rows, -1, DType::kI64);
  check_four("top_weights", out.top_weights, rows, out.top_keys.given() ? out.top_keys.shape[3] : -1, DType::kF32);
  const base::NamedTensor written[] = {{"received", out.received}, {"seen_by", out.seen_by},   {"map", out.map},
                                       {"weights", out.weights},   {"top_keys", out.top_keys}, {"top_weights", out.top_weights}};
  base::check_apart(written);
  for (const base::NamedTensor& input : {base::NamedTensor{"q", q}, {"k", k}, {"lse", lse}, {"norms", out.norms}})
    base::check_apart(written, input);
  for (const auto& [name, table] : p.tables) base::check_apart(written, {name, table});
}

}  // namespace

void census(const Plan& plan, const TensorView& q, const TensorView& k, const TensorView& lse, const CensusOutputs& outputs,
            const Watch& watch) {
  const plan::Planned& planned = inside(plan);
  const Problem& p = planned.question.problem;
  check(p, q, k, lse, outputs);
  if (p.batch * p.heads == 0) return;
  const memory::Held held({q, k, {}}, planned.question.layout);
  base::Progress progress(watch);
  double begin = 0;
  const double all = std::max(planned.question.tiles.visited().pairs, 1.0);
  for (const plan::Part& part : planned.parts) {
    const double share = planned.parts.size() == 1 ? 1 : part.group.visited.pairs / all;
    progress.enter(begin, share);
    begin += share;
    const machine::Words words = part.choice.kernel->words(p.dtype);
    walk::census({planned.question, words, part.group.sequences, held, lse, outputs, progress});
  }
}

}  // namespace heed
