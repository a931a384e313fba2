#include "laws/support/case.hpp"

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

#include "base/arena.hpp"
#include "plan/choice.hpp"
#include "plan/kernels.hpp"
#include "reference/softmax.hpp"

namespace heed::laws {
namespace {

/// What only the bytes know: the view of a [B, H, T, D] tensor stored in a given way.
TensorView laid_out(Tensor& store, DType dtype, const Dims& shape, Memory memory, bool keys) {
  const std::int64_t b = shape[0], h = shape[1], t = shape[2], d = shape[3];
  switch (memory) {
    case Memory::kDense:
      break;
    case Memory::kTokens:
      store = Tensor(dtype, {b, t, h, d});
      return {store.span().data, dtype, shape, {t * h * d, d, h * d, 1}};
    case Memory::kColumns:
      store = Tensor(dtype, {b, h, d, t});
      return {store.span().data, dtype, shape, {h * d * t, d * t, 1, t}};
    case Memory::kReversed:
      store = Tensor(dtype, shape);
      return {static_cast<std::byte*>(store.span().data) + std::max<std::int64_t>(t - 1, 0) * d * size_of(dtype),
              dtype,
              shape,
              {h * t * d, t * d, -d, 1}};
    case Memory::kOneKey:
      if (!keys) break;
      store = Tensor(dtype, {b, h, 1, d});
      return {store.span().data, dtype, shape, {h * d, d, 0, 1}};
  }
  store = Tensor(dtype, shape);
  return store.view();
}

void fill(Tensor& tensor, std::mt19937_64& random, double factor) {
  std::normal_distribution<double> normal;
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, factor * normal(random));
}

std::string name_of(Memory memory) {
  switch (memory) {
    case Memory::kDense:
      return "dense";
    case Memory::kTokens:
      return "tokens";
    case Memory::kColumns:
      return "columns";
    case Memory::kReversed:
      return "reversed";
    case Memory::kOneKey:
      return "one key";
  }
  return "";
}

template <class T, class Rule>
Tensor table(DType dtype, const Dims& shape, const Rule& rule) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.data<T>()[i] = static_cast<T>(rule(i));
  return tensor;
}

/// Positions from 0 to the last key or query.
std::int64_t positions_of(const Case& of) {
  std::int64_t offset = of.align.kind == Align::Kind::kEnd ? of.keys - of.queries : 0;
  for (const std::int64_t each : of.align.offsets) offset = std::max(offset, each);
  return of.queries > 0 ? std::max(of.keys, offset + of.queries) : of.keys;
}

/// Tables under the names that sweep_masks() and sweep_scores() use, sized to the case.
std::map<std::string, Tensor> tables_of(const Case& of) {
  const std::int64_t span = std::max<std::int64_t>(std::max(of.queries, of.keys), 1);
  const bool small = span <= 1024;  // dense tables only where they stay so: else they broadcast
  const std::int64_t rows = small ? of.queries : 1, columns = small ? of.keys : 1;
  std::map<std::string, Tensor> tables;
  tables["length"] =
      table<std::int64_t>(DType::kI64, {of.batch}, [&](std::int64_t b) { return std::max<std::int64_t>(of.keys - 3 - 7 * b, 0); });
  tables["offsets"] = table<std::int32_t>(DType::kI32, {5}, [&](std::int64_t i) { return i == 4 ? span : span * i / 7; });
  tables["global"] = table<bool>(DType::kBool, {positions_of(of)}, [](std::int64_t i) { return i % 37 == 5; });
  tables["seen"] = table<bool>(DType::kBool, {rows, columns}, [&](std::int64_t i) { return (i / columns * 7 + i % columns * 3) % 5 < 2; });
  tables["valid"] = table<bool>(DType::kBool, {of.batch, columns}, [&](std::int64_t i) { return (i / columns + i % columns) % 9 != 4; });
  tables["block"] = table<bool>(DType::kBool, {of.batch, rows, columns}, [&](std::int64_t i) {
    return (i / (rows * columns) + i / columns % rows / 16 + i % columns / 16) % 3 != 0;
  });
  tables["slope"] = table<float>(DType::kF32, {of.heads}, [](std::int64_t h) { return std::exp2(-static_cast<double>(h + 1)); });
  tables["bias"] = table<float>(DType::kF32, {1, rows, columns},
                                [](std::int64_t i) { return i % 11 == 3 ? -INFINITY : 0.25 * static_cast<double>(i % 7 - 3); });
  tables["distance"] = table<float>(DType::kF32, {of.heads, 17}, [](std::int64_t i) { return 0.125 * static_cast<double>(i % 13 - 6); });
  tables["heat"] = table<double>(DType::kF64, {span}, [](std::int64_t q) { return 1.0 + 0.01 * static_cast<double>(q % 50); });
  return tables;
}

}  // namespace

std::string Case::text() const {
  std::ostringstream text;
  text << "B" << batch << " Hq" << heads << " Hkv" << kv_heads << " Tq" << queries << " Tk" << keys << " D" << dim << " Dv" << value_dim
       << " " << heed::name_of(dtype) << " mask{" << mask << "}";
  for (const std::string& score : scores) text << " score{" << score << "}";
  text << " " << laws::name_of(memory) << " logits" << logits << (sink ? " sink" : "") << " seed" << seed;
  return text.str();
}

Draw::Draw(const Case& given) : of(given), table_store(tables_of(given)) {
  std::mt19937_64 random(of.seed);
  q = laid_out(q_store, of.dtype, {of.batch, of.heads, of.queries, of.dim}, of.memory, false);
  k = laid_out(k_store, of.dtype, {of.batch, of.kv_heads, of.keys, of.dim}, of.memory, true);
  v = laid_out(v_store, of.dtype, {of.batch, of.kv_heads, of.keys, of.value_dim}, of.memory, true);
  fill(q_store, random, of.logits);
  fill(k_store, random, 1);
  fill(v_store, random, 1);
  sink_store = table<float>(DType::kF32, {of.heads}, [](std::int64_t h) { return 0.5 * static_cast<double>(h) - 1; });
  for (const auto& [name, tensor] : table_store) tables.emplace(name, tensor.view());
}

Problem Draw::problem() const {
  Problem problem = problem_of(q, k, v);
  if (!of.mask.empty()) problem.mask = parse(of.mask, tables);
  for (const std::string& score : of.scores) problem.scores.push_back(parse(score, tables));
  problem.tables = tables;
  problem.align = of.align;
  if (of.sink) problem.sink = sink_store.view();
  return problem;
}

namespace {
/// All that take a plain problem of a dtype on this machine; without the definition, where only fast ones are wanted.
std::vector<std::string> kernels_for(DType dtype, bool fast) {
  const Plan plan(Problem{.queries = 64, .keys = 64, .dim = 8, .value_dim = 8, .dtype = dtype});
  std::vector<std::string> names;
  for (const plan::Kernel& kernel : plan::kernels()) {
    if (fast && kernel.name == "reference") continue;
    if (kernel.missing().empty() && kernel.decline(inside(plan).question, inside(plan).parts[0].group).empty())
      names.emplace_back(kernel.name);
  }
  return names;
}
}  // namespace

const std::vector<std::string>& kernels(DType dtype) {
  static const auto kFloat = kernels_for(DType::kF32, false), kDouble = kernels_for(DType::kF64, false);
  return dtype == DType::kF64 ? kDouble : kFloat;
}
const std::vector<std::string>& fast_kernels(DType dtype) {
  static const auto kFloat = kernels_for(DType::kF32, true), kDouble = kernels_for(DType::kF64, true);
  return dtype == DType::kF64 ? kDouble : kFloat;
}
const std::vector<Kernel>& kernels_of_any_dtype() {
  static const auto kAll = [] {
    std::vector<Kernel> all;
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      for (const std::string& name : kernels(dtype)) all.push_back({name, dtype});
    }
    return all;
  }();
  return kAll;
}

Tensor poisoned(DType dtype, const Dims& shape) {
  Tensor tensor(dtype, shape);
  if (tensor.count() > 0) std::memset(tensor.span().data, 0xFF, static_cast<std::size_t>(tensor.count() * size_of(dtype)));
  return tensor;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.view().data == b.view().data ||
          std::memcmp(a.view().data, b.view().data, static_cast<std::size_t>(a.count() * size_of(a.dtype()))) == 0);
}

Tensor converted(const TensorView& from, DType dtype) {
  Tensor to(dtype, from.shape);
  std::int64_t index[Dims::kMaxRank] = {};
  for (std::int64_t flat = 0; flat < to.count(); ++flat) {
    std::int64_t offset = 0, left = flat;
    for (int axis = from.shape.rank() - 1; axis >= 0; --axis) {
      index[axis] = left % from.shape[axis];
      left /= from.shape[axis];
      offset += index[axis] * from.strides[axis];
    }
    store_real(to.span(), flat, real_at(from, offset));
  }
  return to;
}

namespace {
/// [B, H, T], or [T_total, H] of packed sequences: a number for each row of queries.
Dims lines_of(const Problem& problem) {
  if (!problem.query_offsets.empty()) return {problem.query_offsets.back(), problem.heads};
  return {problem.batch, problem.heads, problem.queries};
}
Dims rows_of(const Problem& problem) {
  if (!problem.query_offsets.empty()) return {problem.query_offsets.back(), problem.heads, problem.value_dim};
  return {problem.batch, problem.heads, problem.queries, problem.value_dim};
}
}  // namespace

Result run(const Problem& problem, const Inputs& inputs, bool wide) {
  const Plan plan(problem);
  const DType statistic = problem.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const Dims rows = lines_of(problem);
  Result result;
  result.kernel = plan.kernel();
  result.o = poisoned(wide || problem.partial ? statistic : problem.dtype, rows_of(problem));
  result.lse = poisoned(statistic, rows);
  Outputs outputs{.o = result.o.span(), .lse = result.lse.span()};
  if (problem.statistics) {
    for (Tensor* tensor : {&result.maximum, &result.entropy, &result.effective}) *tensor = poisoned(statistic, rows);
    result.visible = poisoned(DType::kI64, rows);
    outputs.maximum = result.maximum.span();
    outputs.entropy = result.entropy.span();
    outputs.effective = result.effective.span();
    outputs.visible = result.visible.span();
  }
  base::poison_scratch = true;
  plan.run(inputs, outputs);
  base::poison_scratch = false;
  return result;
}

Result run(const Draw& draw, const std::string& kernel, int threads, bool wide) {
  Problem problem = draw.problem();
  problem.kernel = kernel;
  problem.threads = threads;
  problem.statistics = kernel != "classic";
  return run(problem, {draw.q, draw.k, draw.v}, wide);
}

LastRow last_row(const Draw& draw, const std::string& kernel) {
  const Result all = run(draw, kernel);
  Problem problem = draw.problem();
  problem.kernel = kernel;
  problem.queries = 1;
  problem.align = Align::end();
  const std::int64_t last = draw.of.queries - 1, bytes = draw.of.value_dim * size_of(draw.of.dtype);
  TensorView q = draw.q;
  q.shape[2] = 1;
  q.data = static_cast<const std::byte*>(q.data) + last * q.strides[2] * size_of(q.dtype);
  LastRow row{.among = Tensor(draw.of.dtype, {1, 1, 1, draw.of.value_dim}), .alone = run(problem, {q, draw.k, draw.v}).o};
  std::memcpy(row.among.span().data, static_cast<const std::byte*>(all.o.view().data) + last * bytes, static_cast<std::size_t>(bytes));
  return row;
}

Result truth(Problem problem, const Inputs& inputs) {
  problem.kernel = "reference";
  problem.strict = false;
  problem.statistics = true;
  const Plan plan(problem);
  const Dims rows = lines_of(problem);
  Result result;
  result.kernel = plan.kernel();
  result.o = poisoned(DType::kF64, rows_of(problem));
  for (Tensor* tensor : {&result.lse, &result.maximum, &result.entropy, &result.effective}) *tensor = poisoned(DType::kF64, rows);
  result.visible = poisoned(DType::kI64, rows);
  base::poison_scratch = true;
  reference::run(inside(plan).question, inputs,
                 {.o = result.o.span(),
                  .lse = result.lse.span(),
                  .maximum = result.maximum.span(),
                  .entropy = result.entropy.span(),
                  .effective = result.effective.span(),
                  .visible = result.visible.span()});
  base::poison_scratch = false;
  return result;
}

Result truth(const Draw& draw) {
  return truth(draw.problem(), {draw.q, draw.k, draw.v});
}

Naive naive(const Problem& problem, const Inputs& inputs) {
  const Plan plan(problem);
  const Dims shape = rows_of(problem), rows = lines_of(problem);
  Naive made{poisoned(problem.dtype == DType::kF64 ? DType::kF64 : DType::kF32, shape), poisoned(DType::kF64, shape)};
  reference::naive(inside(plan).question, inputs, made.o.span());
  for (Tensor* tensor : {&made.lse_rounding, &made.maximum_rounding, &made.entropy_rounding, &made.effective_rounding})
    *tensor = poisoned(DType::kF64, rows);
  reference::score_rounding(inside(plan).question, inputs,
                            {.o = made.rounding.span(),
                             .lse = made.lse_rounding.span(),
                             .maximum = made.maximum_rounding.span(),
                             .entropy = made.entropy_rounding.span(),
                             .effective = made.effective_rounding.span()});
  return made;
}

Naive naive(const Draw& draw) {
  return naive(draw.problem(), {draw.q, draw.k, draw.v});
}

std::string statistic_violation(const Result& result, const Result& truth, DType dtype, const Naive& naive) {
  std::ostringstream text;
  const double tolerance = reference::statistic_tolerance(dtype);
  const auto check = [&](const char* name, const Tensor& got, const Tensor& want, const Tensor& rounding) {
    if (got.shape().rank() == 0) return;
    const TensorView allowed = rounding.shape().rank() == 0 ? TensorView{} : rounding.view();
    const double error = reference::statistic_error(got.view(), want.view(), truth.lse.view(), allowed);
    if (!(error <= tolerance)) text << name << ": error " << error << " (tolerance " << tolerance << "); ";
  };
  check("lse", result.lse, truth.lse, naive.lse_rounding);
  check("maximum", result.maximum, truth.maximum, naive.maximum_rounding);
  check("entropy", result.entropy, truth.entropy, naive.entropy_rounding);
  check("effective", result.effective, truth.effective, naive.effective_rounding);
  if (result.visible.shape().rank() != 0 && !same_bits(result.visible, truth.visible)) text << "visible counts differ; ";
  return text.str();
}

std::string violation(const Result& result, const Result& truth, const Naive& naive, DType dtype) {
  std::ostringstream text;
  const reference::Accuracy accuracy = reference::judge(result.o.view(), truth.o.view(), naive.yardstick(), dtype);
  if (!accuracy.holds()) {
    text << "O: max error " << accuracy.max_error << " (bound " << accuracy.max_bound << "), RMS " << accuracy.rms_error << " (bound "
         << accuracy.rms_bound << "); ";
  }
  return text.str() + statistic_violation(result, truth, dtype, naive);
}

const std::vector<std::string>& sweep_masks() {
  static const std::vector<std::string> kMasks = {"full",
                                                  "causal",
                                                  "window(9)",
                                                  "window(3, 20)",
                                                  "prefix(12)",
                                                  "lengths(length[b])",
                                                  "documents(offsets)",
                                                  "causal & documents(offsets)",
                                                  "chunked(24)",
                                                  "streaming(4, 16)",
                                                  "dilated(6, 5)",
                                                  "longformer(10, global)",
                                                  "dense(seen, i, k) & padding(valid)",
                                                  "k % 5 == h % 5 | q == k",
                                                  "q * 3 < k * 2 + 17 & dense(block, b, i, k)"};
  return kMasks;
}

const std::vector<std::vector<std::string>>& sweep_scores() {
  static const std::vector<std::vector<std::string>> kScores = {{},
                                                                {"alibi(slope)"},
                                                                {"softcap(2.0)"},
                                                                {"bias(bias)"},
                                                                {"relative(distance, 8)"},
                                                                {"temperature(heat[q])"},
                                                                {"s * 0.5", "select(s > 0.2, s, -inf)", "s + sigmoid(s)"},
                                                                {"s - 0.03 * abs(q - k)"}};
  return kScores;
}

std::vector<Case> sweep_of(const Case& of) {
  constexpr DType kDtypes[] = {DType::kF32, DType::kBF16, DType::kF16};
  std::vector<Case> cases;
  for (const std::string& mask : sweep_masks()) {
    for (const std::vector<std::string>& scores : sweep_scores()) {
      Case one = of;
      one.seed = cases.size() + 1;
      one.mask = mask;
      one.scores = scores;
      one.dtype = kDtypes[one.seed % 3];
      one.memory = static_cast<Memory>(one.seed % 5);
      one.sink = one.seed % 4 == 0;
      cases.push_back(one);
    }
  }
  return cases;
}

}  // namespace heed::laws
