// What the rows of named masks and scores share: reading arguments, and the tables their examples use. Checked by named_test.cpp.
#include "formula/named.hpp"

#include "formula/literals.hpp"

namespace heed::formula {
namespace {

// For positions 0..63, 2 batch entries, 4 heads. The values follow small rules, so that pictures of them are recognisable.
constexpr std::int64_t kPositions = 64;
constexpr std::int64_t kBatch = 2;
constexpr std::int64_t kHeads = 4;

template <class T, class Rule>
Tensor filled(DType dtype, const Dims& shape, const Rule& rule) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.data<T>()[i] = static_cast<T>(rule(i));
  return tensor;
}

using Owned = std::map<std::string, Tensor>;

// Row, column of element i in a table whose last extent is `columns`.
std::int64_t row(std::int64_t i, std::int64_t columns) {
  return i / columns;
}
std::int64_t column(std::int64_t i, std::int64_t columns) {
  return i % columns;
}

Owned make_examples() {
  Owned examples;
  examples["length"] = filled<std::int64_t>(DType::kI64, {kBatch}, [](std::int64_t b) { return b == 0 ? 64 : 40; });
  examples["offsets"] = filled<std::int64_t>(DType::kI64, {5}, [](std::int64_t i) {
    return std::array{0, 10, 26, 26, 64}[static_cast<std::size_t>(i)];
  });
  examples["global"] = filled<bool>(DType::kBool, {kPositions}, [](std::int64_t i) { return i == 0 || i == 32; });
  examples["seen"] = filled<bool>(DType::kBool, {kPositions, kPositions},
                                  [](std::int64_t i) { return (row(i, kPositions) ^ column(i, kPositions)) % 3 == 0; });
  examples["valid"] =
      filled<bool>(DType::kBool, {kBatch, kPositions}, [](std::int64_t i) { return column(i, kPositions) >= 20 * row(i, kPositions); });
  examples["block"] = filled<bool>(DType::kBool, {kBatch, kPositions, kPositions}, [](std::int64_t i) {
    return (row(i, kPositions) % kPositions / 16 + column(i, kPositions) / 16) % 2 == i / (kPositions * kPositions);
  });
  examples["slope"] = filled<float>(DType::kF32, {kHeads}, [](std::int64_t h) { return 1.0 / static_cast<double>(4 << (2 * h)); });
  examples["buckets"] =
      filled<float>(DType::kF32, {kHeads, 32}, [](std::int64_t i) { return 0.125 * static_cast<double>(row(i, 32) - column(i, 32) % 16); });
  examples["distance"] =
      filled<float>(DType::kF32, {kHeads, 17}, [](std::int64_t i) { return 0.25 * static_cast<double>(8 - std::abs(column(i, 17) - 8)); });
  examples["bias"] = filled<float>(DType::kF32, {1, kPositions, kPositions}, [](std::int64_t i) {
    return 0.5 * static_cast<double>((row(i, kPositions) + column(i, kPositions)) % 5 - 2);
  });
  examples["heat"] = filled<float>(DType::kF32, {kPositions}, [](std::int64_t q) { return q < 32 ? 1.0 : 2.0; });
  return examples;
}

}  // namespace

const Tables& example_tables() {
  static const Owned owned = make_examples();
  static const Tables tables = [] {
    Tables views;
    for (const auto& [name, tensor] : owned) views.emplace(name, tensor.view());
    return views;
  }();
  return tables;
}

Expr expression_argument(const Argument& argument, std::string_view call, std::string_view parameter) {
  if (const auto* expression = std::get_if<Expr>(&argument)) return *expression;
  const std::string& name = std::get<NamedTable>(argument).name;
  refuse(call, std::string(parameter) + " is a whole table", "an expression, such as a lookup " + name + "[b]", "the table `" + name + "`");
}

NamedTable table_argument(const Argument& argument, std::string_view call, std::string_view parameter) {
  if (const auto* table = std::get_if<NamedTable>(&argument)) return *table;
  refuse(call, std::string(parameter) + " is not a table", "the bare name of a bound table", "`" + to_text(std::get<Expr>(argument)) + "`");
}

std::vector<Expr> expression_arguments(std::span<const Argument> arguments, std::string_view call, std::string_view parameter) {
  std::vector<Expr> expressions;
  for (const Argument& argument : arguments) expressions.push_back(expression_argument(argument, call, parameter));
  return expressions;
}

std::int64_t integer_argument(const Argument& argument, std::string_view call, std::string_view parameter) {
  const Expr expression = expression_argument(argument, call, parameter);
  if (const auto value = integer_literal(expression)) return *value;
  refuse(call, std::string(parameter) + " is not an integer literal", "a number such as 8", "`" + to_text(expression) + "`");
}

}  // namespace heed::formula
