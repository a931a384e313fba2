#include "problem/outputs.hpp"

#include <heed/error.hpp>

#include "base/check.hpp"
#include "problem/inputs.hpp"

namespace heed::problem {

void check_tensors(const Question& question, const Inputs& inputs, const Outputs& outputs) {
  const Problem& p = question.problem;
  check_inputs(p, inputs);
  const Dims rows{p.batch, p.heads, p.queries};
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const auto check = [](const char* name, const TensorSpan& span, const Dims& shape, std::initializer_list<DType> dtypes) {
    if (span.given()) base::check_tensor(name, span, shape, dtypes);
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
  const base::NamedTensor written[] = {{"o", outputs.o},
                                       {"lse", outputs.lse},
                                       {"maximum", outputs.maximum},
                                       {"entropy", outputs.entropy},
                                       {"effective", outputs.effective},
                                       {"visible", outputs.visible},
                                       {"weights", outputs.weights}};
  base::check_apart(written);
  base::check_apart(written, {"q", inputs.q, "o"});  // a kernel has read a tile's queries before it writes a row of it
  base::check_apart(written, {"k", inputs.k});
  base::check_apart(written, {"v", inputs.v});
  if (question.has_sink()) base::check_apart(written, {"sink", p.sink});
  for (const auto& [name, table] : p.tables) base::check_apart(written, {name, table});
}

}  // namespace heed::problem
