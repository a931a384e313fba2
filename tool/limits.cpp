#include "limits.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report.hpp"

namespace heed::tool {
namespace {

std::string rate_text(double rate, const char* unit) {
  return rate > 0 ? fmt::format("{:.1f} {}", rate / 1e9, unit) : "none";
}

/// The limit of a unit, as to_json(Limits) names it.
std::string key_of(Unit unit) {
  return unit == Unit::kMatrixUnit ? "matrix_unit" : unit == Unit::kBF16Dot ? "bf16_dot" : "multiply_add";
}

nlohmann::json to_json(const Use& use) {
  return {{"limit", use.limit}, {"count", use.count}, {"share", use.share()}};
}

}  // namespace

const Use& Uses::binding() const {
  return *std::max({&products, &exp, &dram}, [](const Use* a, const Use* b) { return a->share() < b->share(); });
}

Uses uses_of(const Plan& plan, double seconds, const Limits& limits, double read) {
  const Work work = plan.work();
  const double time = std::max(seconds, 1e-9);
  return {.products = {"products", key_of(work.unit), work.flop, work.flop / time, limits.of(work.unit)},
          .exp = {"exp", "exp", work.exps, work.exps / time, limits.exp},
          .dram = {"dram", "same_bytes", work.dram, work.dram / time, read}};
}

nlohmann::json to_json(const Limits& limits) {
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

std::string text_of(const Limits& limits) {
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
