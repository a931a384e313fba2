#include "plan/cost.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/cpu.hpp"

namespace heed::plan {
namespace {

constexpr double kSoftmaxOperations = 18;  // per score: what an exp costs with its maximum and sum, in multiply-adds
// What formulas cost per place, in the same unit; measured on AVX-512, where an exp of the softmax takes 0.25 ns.
constexpr double kStepOperations = 8;        // load, operation, store
constexpr double kWideOperations = 15;       // the same in double lanes
constexpr double kDoubleExps = 4;            // what an exp in double costs, in exps of float32: half the lanes, twice the terms
constexpr double kCurveOperations = 30;      // exp, log, tanh, sigmoid
constexpr double kLibmOperations = 600;      // the same in double, one by one: 8 ns
constexpr double kLookupOperations = 40;     // one by one: 0.5 ns
constexpr double kDivisionOperations = 300;  // of integers, one by one: 4 ns
constexpr double kPackOperations = 2;        // per element
constexpr double kReadOperations = 3;        // per byte of keys and values: between what L2 and what memory gives
constexpr double kNoEstimate = 100;          // slowness of kernels whose time is anyone's guess

double number(std::int64_t count) {
  return static_cast<double>(count);
}

/// Lanes of a full tile, or of the one tile of few queries.
double lanes_of(const problem::Question& question, std::int64_t heads, int step) {
  const std::int64_t lanes = std::min<std::int64_t>(base::kTile, question.layout.queries * heads);
  return std::ceil(number(lanes) / step) * step;
}

/// Of one place, in multiply-adds.
double operations_of(const formula::TileProgram& program) {
  const formula::PlaceWork work = program.work();
  return work.narrow * kStepOperations + work.wide * kWideOperations + work.functions * kCurveOperations + work.by_libm * kLibmOperations +
         work.lookups * kLookupOperations + work.whole_divisions * kDivisionOperations;
}

}  // namespace

Work work_of(const problem::Question& question, const Kernel& kernel) {
  const machine::Price& price = kernel.machine->price;
  const machine::Words words = kernel.words(question.problem.dtype);
  const Problem& p = question.problem;
  const TileCounts& counts = question.tiles.counts();
  const std::int64_t heads = kernel.walk->every_tile ? 1
                                                     : problem::heads_that_share(question.layout, question.tiles.by_head(),
                                                                                 words.most_lanes);  // that share a tile
  const double tiles = number(kernel.walk->every_tile ? counts.total() : counts.partial + counts.full) / number(heads);
  const double pairs = tiles * base::kTile * lanes_of(question, heads, kernel.walk->lane_step ? kernel.walk->lane_step : price.lane_step);
  const double width = number(p.dim + p.value_dim), element = number(size_of(p.dtype));
  const double altering = operations_of(question.formulas.score_program), hiding = operations_of(question.formulas.mask_program);
  const double partly = tiles > 0 ? number(counts.partial) / number(std::max<std::int64_t>(1, counts.total() - counts.empty)) : 0;
  const double band = std::clamp(number(question.layout.query_tiles()), 1.0, number(kernel.machine->query_tiles));
  Work work;
  work.flop = 2 * width * pairs * price.products(p.dtype);
  const double exp = p.dtype == DType::kF64 ? kDoubleExps : 1;
  work.exps = pairs * (exp + (altering + partly * hiding) / kSoftmaxOperations);
  work.packed = price.packs ? tiles / band * base::kTile * width : 0;
  work.l2 = tiles * base::kTile * width * element;
  work.dram = element * number(p.batch) * width * (number(p.heads) * number(p.queries) + number(p.kv_heads) * number(p.keys));
  return work;
}

double cost_of(const problem::Question& question, const Kernel& kernel) {
  const Work work = work_of(question, kernel);
  const machine::UnitFacts& unit = machine::facts_of(kernel.machine->price.unit);
  const double products = work.flop / 2 / (base::cpu().slow_dots ? unit.slow_speed : unit.relative_speed),
               softmax = work.exps * kSoftmaxOperations;
  const double both = kernel.machine->price.overlaps ? std::max(products, softmax) : products + softmax;
  return kernel.walk->slowness * (both + work.packed * kPackOperations + work.l2 * kReadOperations);
}

Expected expected(const problem::Question& question, const Kernel& kernel, const machine::Limits& limits) {
  const Work work = work_of(question, kernel);
  const double unit = limits.*machine::facts_of(kernel.machine->price.unit).limit;
  if (kernel.walk->slowness >= kNoEstimate || unit <= 0 || work.flop <= 0) return {};
  struct Part {
    std::string limit;
    double seconds;
  };
  const std::array parts = {Part{std::string(machine::facts_of(kernel.machine->price.unit).name), work.flop / unit},
                            Part{"exp", work.exps / limits.exp}, Part{"L2", work.l2 / limits.l2}, Part{"DRAM", work.dram / limits.dram}};
  const auto& longest = *std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.seconds < b.seconds; });
  const double packing = work.packed * kPackOperations * 2 / limits.multiply_add;
  const double computing =
      (kernel.machine->price.overlaps ? std::max(parts[0].seconds, parts[1].seconds) : parts[0].seconds + parts[1].seconds) + packing;
  return {.seconds = kernel.walk->slowness * std::max(computing, longest.seconds), .limit = longest.limit};
}

}  // namespace heed::plan
