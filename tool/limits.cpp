#include "limits.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report.hpp"

namespace heed::tool {
namespace {

std::string rate_text(double rate, const char* unit) {
  return rate > 0 ? fmt::format("{:.1f} {}", rate / 1e9, unit) : "none";
}

struct Product {
  const char* name;
  double limit;
};

Product best_product(DType dtype, const plan::Limits& limits) {
  Product best{"multiply_add", limits.multiply_add};
  if (dtype != DType::kBF16) return best;
  for (const Product& other : {Product{"bf16_dot", limits.bf16_dot}, Product{"matrix_unit", limits.matrix_unit}})
    if (other.limit > best.limit) best = other;
  return best;
}

/// Pairs of a query and a key for which a score is computed.
double visited_pairs(const Plan& plan) {
  const Problem& p = plan.problem();
  if (plan.kernel() == "classic" || plan.kernel() == "reference")  // they skip nothing
    return static_cast<double>(p.batch) * static_cast<double>(p.heads) * static_cast<double>(p.queries) * static_cast<double>(p.keys);
  return plan.flops() / (2.0 * static_cast<double>(p.dim + p.value_dim));
}

nlohmann::json to_json(const Use& use) {
  return {{"limit", use.limit}, {"count", use.count}, {"share", use.share()}};
}

}  // namespace

double bytes_of_tensors(const Problem& p) {
  const auto width = static_cast<double>(p.dim + p.value_dim);
  const auto rows =
      static_cast<double>(p.heads) * static_cast<double>(p.queries) + static_cast<double>(p.kv_heads) * static_cast<double>(p.keys);
  return static_cast<double>(size_of(p.dtype)) * static_cast<double>(p.batch) * width * rows;
}

const Use& Uses::binding() const {
  return *std::max({&products, &exp, &dram}, [](const Use* a, const Use* b) { return a->share() < b->share(); });
}

Uses uses_of(const Plan& plan, double seconds, const plan::Limits& limits, double read) {
  const Problem& p = plan.problem();
  const double pairs = visited_pairs(plan), flop = pairs * 2.0 * static_cast<double>(p.dim + p.value_dim), bytes = bytes_of_tensors(p);
  const double time = std::max(seconds, 1e-9);
  const Product product = best_product(p.dtype, limits);
  return {.products = {"products", product.name, flop, flop / time, product.limit},
          .exp = {"exp", "exp", pairs, pairs / time, limits.exp},
          .dram = {"dram", "same_bytes", bytes, bytes / time, read}};
}

nlohmann::json to_json(const plan::Limits& limits) {
  return {{"multiply_add", limits.multiply_add},
          {"bf16_dot", limits.bf16_dot},
          {"matrix_unit", limits.matrix_unit},
          {"exp", limits.exp},
          {"l1", limits.l1},
          {"l2", limits.l2},
          {"l3", limits.l3},
          {"dram", limits.dram}};
}

nlohmann::json to_json(const Uses& uses) {
  return {{"products", to_json(uses.products)}, {"exp", to_json(uses.exp)}, {"dram", to_json(uses.dram)}, {"binds", uses.binding().name}};
}

std::string text_of(const plan::Limits& limits) {
  Grid grid({"limit", "per second"});
  grid.row({"f32 multiply-adds", rate_text(limits.multiply_add, "GFLOP")});
  grid.row({"bf16 dot products", rate_text(limits.bf16_dot, "GFLOP")});
  grid.row({"bf16 matrix unit", rate_text(limits.matrix_unit, "GFLOP")});
  grid.row({"exp", rate_text(limits.exp, "G")});
  grid.row({"read from L1", rate_text(limits.l1, "GB")});
  grid.row({"read from L2", rate_text(limits.l2, "GB")});
  grid.row({"read from L3 (16 MiB a thread)", rate_text(limits.l3, "GB")});
  grid.row({"read from DRAM", rate_text(limits.dram, "GB")});
  return grid.text("  ");
}

std::string text_of(const Uses& uses) {
  Grid grid({"limit", "here", "this run", "share"});
  const auto row = [&](const Use& use, const std::string& name, const char* unit) {
    grid.row({name, rate_text(use.highest, unit), fmt::format("{:.3g} {}", use.rate / 1e9, unit), percent_text(use.share())});
  };
  row(uses.products, "products (" + uses.products.limit + ")", "GFLOP/s");
  row(uses.exp, "exp of every visited pair", "G/s");
  row(uses.dram, "Q, K, V and O, against a plain read", "GB/s");
  const Use& binding = uses.binding();
  return grid.text("  ") + "binds: " + binding.name + ", " + percent_text(binding.share()) + " of its limit\n";
}

}  // namespace heed::tool
