// See formula_case.hpp; used by laws/formulas_test.cpp.
#include "laws/support/formula_case.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "laws/support/random_formula.hpp"

namespace heed::laws {

FormulaCase::FormulaCase(std::uint64_t given) : seed(given), random_(given * 0x9E3779B97F4A7C15U + 1) {
  draw_shape();
  draw_positions();
  draw_tables();
  if (!once_in(5)) problem.mask = draw_mask();
  for (std::int64_t n = below(3) + (problem.mask.empty() ? 1 : 0); n > 0; --n) problem.scores.push_back(draw_score());
  draw_tensors();
  problem.threads = 1;
}

void FormulaCase::draw_shape() {
  const auto extent = [&](std::int64_t few, std::int64_t many) { return 1 + below(once_in(6) ? many : few); };
  problem.batch = 1 + below(2);
  problem.kv_heads = 1 + below(2);
  problem.heads = problem.kv_heads * (1 + below(3));
  problem.queries = extent(9, 70);
  problem.keys = extent(30, 150);
  constexpr std::int64_t kMostPlaces = 1500;
  while (problem.batch * problem.heads * problem.queries * problem.keys > kMostPlaces && problem.batch * problem.heads > 1) {
    if (problem.batch > 1)
      problem.batch = 1;
    else
      problem.heads = problem.kv_heads = 1;
  }
  constexpr std::array<std::int64_t, 3> kDims{1, 4, 16};  // the default scale is a power of two
  problem.dim = kDims[static_cast<std::size_t>(below(3))];
  problem.value_dim = 1 + below(4);
  constexpr std::array<DType, 8> kDtypes{DType::kF32,  DType::kF32, DType::kF32, DType::kBF16,
                                         DType::kBF16, DType::kF16, DType::kF16, DType::kF64};
  problem.dtype = kDtypes[static_cast<std::size_t>(below(8))];
  scale = 1 / std::sqrt(static_cast<double>(problem.dim));
  if (once_in(4)) problem.scale = scale = std::exp2(static_cast<double>(below(14) - 3)) * (once_in(3) ? -1 : 1);
}

void FormulaCase::draw_positions() {
  constexpr std::array<std::int64_t, 7> kFar{
      100, 1'000'000, (std::int64_t{1} << 24) - 20, (std::int64_t{1} << 31) - 30, std::int64_t{1} << 40, -50, -(std::int64_t{1} << 40)};
  if (once_in(2)) problem.first_key = once_in(2) ? below(9) : kFar[static_cast<std::size_t>(below(7))];
  switch (below(4)) {
    case 0:
      problem.align = Align::start();
      offsets.assign(static_cast<std::size_t>(problem.batch), 0);
      break;
    case 1:
      problem.align = Align::end();
      offsets.assign(static_cast<std::size_t>(problem.batch), problem.first_key + problem.keys - problem.queries);
      break;
    default:
      for (std::int64_t b = 0; b < problem.batch; ++b) offsets.push_back(problem.first_key + below(problem.keys + 12) - 6);
      problem.align = Align::at(offsets);
  }
}

void FormulaCase::add_table(const std::string& name, DType dtype, const Dims& shape) {
  Tensor tensor(dtype, shape);
  const bool special = is_real(dtype) && once_in(4);
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    if (is_real(dtype)) {
      const double number = special && once_in(20) ? (once_in(2)   ? -HUGE_VAL
                                                      : once_in(3) ? HUGE_VAL
                                                                   : std::nan(""))
                                                   : static_cast<double>(below(4001) - 2000) / (once_in(3) ? 1000.0 : 37.0);
      store_real(tensor.span(), i, number);
      continue;
    }
    const std::int64_t number = dtype == DType::kBool ? below(2) : dtype == DType::kU8 ? below(100) : below(90) - 30;
    switch (dtype) {
      case DType::kI64:
        tensor.data<std::int64_t>()[i] = once_in(40) ? number << 33 : number;
        break;
      case DType::kI32:
        tensor.data<std::int32_t>()[i] = static_cast<std::int32_t>(number);
        break;
      case DType::kI16:
        tensor.data<std::int16_t>()[i] = static_cast<std::int16_t>(number);
        break;
      default:  // one byte
        static_cast<std::uint8_t*>(tensor.span().data)[i] = static_cast<std::uint8_t>(number);
    }
  }
  store.insert_or_assign(name, std::move(tensor));
}

void FormulaCase::draw_tables() {
  constexpr std::array<DType, 10> kDtypes{DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64,
                                          DType::kI32, DType::kI16, DType::kI8,  DType::kU8,   DType::kBool};
  for (std::int64_t n = below(4); n > 0; --n) {
    const DType dtype = kDtypes[static_cast<std::size_t>(below(10))];
    const std::int64_t rank = 1 + below(3);
    const std::int64_t extents[] = {1 + below(rank == 1 ? 60 : 9), 1 + below(9), 1 + below(9)};
    const Dims shape = rank == 1 ? Dims{extents[0]} : rank == 2 ? Dims{extents[0], extents[1]} : Dims{extents[0], extents[1], extents[2]};
    add_table("t_" + std::string(name_of(dtype)), dtype, shape);
  }
  add_table("slope", DType::kF32, {problem.heads});
  add_table("distance", DType::kF32, {problem.heads, 17});
  Tensor length(DType::kI64, {problem.batch}), offsets_of_documents(DType::kI32, {4});
  for (std::int64_t b = 0; b < problem.batch; ++b) length.data<std::int64_t>()[b] = problem.first_key + below(problem.keys + 2);
  for (std::int64_t i = 0; i < 4; ++i)
    offsets_of_documents.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * (3 + below(2)) + i * i * 5);
  draw_fitted_tables();
  store.insert_or_assign("length", std::move(length));
  store.insert_or_assign("offsets", std::move(offsets_of_documents));
  for (const auto& [name, tensor] : store) {
    TensorView view = tensor.view();
    // Now and then from the end to the beginning.
    if (view.shape.rank() == 1 && view.shape[0] > 1 && name.starts_with("t_") && once_in(3)) {
      view.data = static_cast<const std::byte*>(view.data) + (view.shape[0] - 1) * size_of(view.dtype);
      view.strides[0] = -1;
    }
    problem.tables.emplace(name, view);
  }
}

/// Tables of the named forms: as large as the problem, or 1 along some axes. Far from 0 no table reaches the keys' positions: 1 there.
void FormulaCase::draw_fitted_tables() {
  const auto extent = [&](std::int64_t n) { return once_in(3) ? 1 : n; };
  const bool near = problem.first_key >= 0 && problem.first_key <= 100;
  const std::int64_t reach = problem.first_key + problem.keys, keys = near ? reach : 1;
  add_table("seen", DType::kBool, {extent(problem.queries), extent(keys)});
  add_table("valid", DType::kBool, {extent(problem.batch), extent(keys)});
  add_table("block", DType::kF32, {extent(problem.batch), extent(problem.heads), extent(problem.queries), extent(keys)});
  add_table("shared", DType::kF16, {extent(problem.kv_heads), extent(problem.queries)});
  add_table("buckets", DType::kBF16, {extent(problem.heads), 8});
  if (!near) return;
  const std::int64_t last = *std::max_element(offsets.begin(), offsets.end()) + problem.queries;
  add_table("global", DType::kBool, {std::max(reach, last)});
}

/// One of the texts, or of those that look up `global` where the case has it.
Expr FormulaCase::draw_named(std::vector<std::string> texts) {
  if (!problem.tables.contains("global"))
    std::erase_if(texts, [](const std::string& text) { return text.find("global") != std::string::npos; });
  return parse(texts[static_cast<std::size_t>(below(static_cast<std::int64_t>(texts.size())))], problem.tables);
}

Expr FormulaCase::draw_mask() {
  static const std::vector<std::string> kNamed = {"causal",
                                                  "window(9)",
                                                  "window(3, 20)",
                                                  "prefix(5)",
                                                  "lengths(length[b])",
                                                  "lengths(length)",
                                                  "documents(offsets)",
                                                  "padding(valid)",
                                                  "dense(seen, i, k)",
                                                  "dense(block) > 0.5",
                                                  "dense(shared, g, i) < 1.0",
                                                  "longformer(6, global)",
                                                  "k % 4 != i % 3",
                                                  "k <= i",
                                                  "chunked(24)",
                                                  "streaming(4, 16)",
                                                  "dilated(6, 5)",
                                                  "k % 5 == h % 5 | q == k",
                                                  "0.5 * q < k",
                                                  "0.1 * (q - k) < 0.3 | k % 7 == 0",
                                                  "q * 3 < k * 2 + 17"};
  const auto one = [&] {
    if (once_in(2)) return draw_named(kNamed);
    const int depth = static_cast<int>(1 + below(3));
    return RandomFormula(random_(), problem.tables).mask(depth);
  };
  const Expr first = one();
  if (once_in(2)) return first;
  const Expr second = one();
  return once_in(2) ? first & second : first | second;
}

Expr FormulaCase::draw_score() {
  static const std::vector<std::string> kNamed = {"alibi(slope)",
                                                  "softcap(2.0)",
                                                  "softcap(50)",
                                                  "scale(0.5)",
                                                  "relative(distance, 8)",
                                                  "bias(block)",
                                                  "bias(shared, g, i)",
                                                  "t5(buckets, 8, 20, true)",
                                                  "t5(buckets, 8, 20, false)",
                                                  "s * (1.0 + 0.1 * i)",
                                                  "s - 0.25 * (q - i) + 0.25 * k",
                                                  "softcap(5.0 + dense(shared, g, i))",
                                                  "temperature(1.0 + abs(q - k))",
                                                  "s + 0.5 * k - 0.5 * q",
                                                  "s - 0.01 * abs(q - k)",
                                                  "s + log(1.0 + exp(0.1 * (q - k)))",
                                                  "s - 1e39 * select(k > q, 1, 0)",
                                                  "select(s > 0.5, s, -inf)",
                                                  "s + floor(1.0 / s)",
                                                  "s + select(s > 1, 10 / (k - 5), 0)",
                                                  "select(s > 0.5, slope[k], s)",
                                                  "s + exp(s) - exp(s - 1.0)",
                                                  "s * exp(0.5 * s)",
                                                  "s % 0.75"};
  if (once_in(3)) return draw_named(kNamed);
  const int depth = static_cast<int>(1 + below(4));
  const Expr random = RandomFormula(random_(), problem.tables).score(depth);
  return once_in(2) ? random : symbols::s + random;
}

/// Multiples of `step`, at most `most` steps from zero.
void FormulaCase::fill(Tensor& tensor, double step, std::int64_t most) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, step * static_cast<double>(below(2 * most + 1) - most));
}

void FormulaCase::draw_tensors() {
  q = Tensor(problem.dtype, {problem.batch, problem.heads, problem.queries, problem.dim});
  k = Tensor(problem.dtype, {problem.batch, problem.kv_heads, problem.keys, problem.dim});
  v = Tensor(problem.dtype, {problem.batch, problem.kv_heads, problem.keys, problem.value_dim});
  fill(q, 0.25, 8);
  fill(k, 0.25, 8);
  fill(v, 0.125, 32);
  if (once_in(8)) {
    Tensor& spoiled = once_in(2) ? q : k;
    store_real(spoiled.span(), below(spoiled.count()), once_in(2) ? std::nan("") : once_in(2) ? HUGE_VAL : -HUGE_VAL);
  }
  if (!once_in(4)) return;
  sink = Tensor(DType::kF32, {problem.heads});
  fill(sink, 0.5, 4);
  problem.sink = sink.view();
}

std::string FormulaCase::text() const {
  std::string text = "seed " + std::to_string(seed) + ": " + problem.text() + "  first_key " + std::to_string(problem.first_key) +
                     "  scale " + std::to_string(scale) + "  offsets";
  for (const std::int64_t offset : offsets) text += " " + std::to_string(offset);
  return text;
}

}  // namespace heed::laws
