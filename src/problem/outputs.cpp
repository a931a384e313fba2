#include "problem/outputs.hpp"

#include <heed/error.hpp>

#include "base/check.hpp"
#include "problem/inputs.hpp"

namespace heed::problem {

RowWriter::RowWriter(const Layout& layout, const Outputs& outputs)
    : layout_(layout), out_(outputs), o_(outputs.o, layout, Side::kQueries) {}

base::OutputRows RowWriter::o(const QueryTile& queries, std::int64_t head) const {
  const std::int64_t at = o_.at(queries.b, head, queries.slot);
  return {static_cast<std::byte*>(out_.o.data) + at * size_of(out_.o.dtype), out_.o.dtype, o_.row_stride(), o_.column_stride()};
}

void check_tensors(const Question& question, const Inputs& inputs, const Outputs& outputs) {
  const Problem& p = question.problem;
  check_inputs(p, inputs);
  const bool ragged = question.layout.ragged();
  const std::int64_t total = ragged ? p.query_offsets.back() : 0;
  const Dims rows = ragged ? Dims{total, p.heads} : Dims{p.batch, p.heads, p.queries};
  const Dims o = ragged ? Dims{total, p.heads, p.value_dim} : Dims{p.batch, p.heads, p.queries, p.value_dim};
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const auto check = [](const char* name, const TensorSpan& span, const Dims& shape, std::initializer_list<DType> dtypes) {
    if (span.given()) base::check_tensor(name, span, shape, dtypes);
  };
  if (p.partial)
    check("o (partial)", outputs.o, o, {statistic});
  else
    check("o", outputs.o, o, {p.dtype, statistic});
  check("lse", outputs.lse, rows, {statistic});
  check("maximum", outputs.maximum, rows, {statistic});
  check("entropy", outputs.entropy, rows, {statistic});
  check("effective", outputs.effective, rows, {statistic});
  check("visible", outputs.visible, rows, {DType::kI64});
  for (const auto& [name, square] : {std::pair{"weights", &outputs.weights}, {"scores", &outputs.scores}}) {
    if (ragged && square->given()) {
      throw Error(
          {"packed sequences have no S x S matrix of one shape", std::string("outputs, ") + name, "not given", to_text(square->shape)});
    }
  }
  check("weights", outputs.weights, {p.batch, p.heads, p.queries, p.keys}, {statistic});
  check("scores", outputs.scores, {p.batch, p.heads, p.queries, p.keys}, {statistic});
  if (outputs.norms.given() && p.dtype == DType::kF64)
    throw Error({"norms are for census, which works in float32", "tensor norms", "f32, bf16 or f16 inputs", "f64"});
  check("norms", outputs.norms, ragged ? Dims{total, p.heads, 2} : Dims{p.batch, p.heads, p.queries, 2}, {DType::kF32});
  const bool statistics =
      outputs.norms.given() || outputs.maximum.given() || outputs.entropy.given() || outputs.effective.given() || outputs.visible.given();
  if (statistics && !p.statistics) throw Error({"row statistics are wanted but not planned", "outputs", "Problem::statistics", "false"});
  if (outputs.weights.given() && !p.weights)
    throw Error({"weights are wanted but not planned", "outputs, weights", "Problem::weights", "false"});
  if (outputs.scores.given() && p.wanted_scores == Scores::kNone)
    throw Error({"scores are wanted but not planned", "outputs, scores", "Problem::wanted_scores", "none"});
  const base::NamedTensor written[] = {{"o", outputs.o},
                                       {"lse", outputs.lse},
                                       {"maximum", outputs.maximum},
                                       {"entropy", outputs.entropy},
                                       {"effective", outputs.effective},
                                       {"visible", outputs.visible},
                                       {"weights", outputs.weights},
                                       {"scores", outputs.scores},
                                       {"norms", outputs.norms}};
  base::check_apart(written);
  base::check_apart(written, {"q", inputs.q, "o"});  // a kernel has read a tile's queries before it writes a row of it
  base::check_apart(written, {"k", inputs.k});
  base::check_apart(written, {"v", inputs.v});
  if (question.has_sink()) base::check_apart(written, {"sink", p.sink});
  for (const auto& [name, table] : p.tables) base::check_apart(written, {name, table});
}

}  // namespace heed::problem
