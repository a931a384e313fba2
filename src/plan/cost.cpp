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

/// Lanes of a full tile, or of the one tile of few queries; the mean where sequences are packed.
double lanes_of(const problem::Question& question, const problem::Group& group, std::int64_t heads, int step) {
  const std::int64_t tiles = group.visited.tiles.partial + group.visited.tiles.full;
  double lanes = number(std::min<std::int64_t>(base::kTile, group.queries * heads));
  if (question.layout.ragged() && tiles > 0) lanes = std::min(lanes, group.visited.pairs * number(heads) / number(tiles) / base::kTile);
  return std::ceil(lanes / step) * step;
}

/// Of one place, in multiply-adds.
double operations_of(const formula::TileProgram& program) {
  const formula::PlaceWork work = program.work();
  return work.narrow * kStepOperations + work.wide * kWideOperations + work.functions * kCurveOperations + work.by_libm * kLibmOperations +
         work.lookups * kLookupOperations + work.whole_divisions * kDivisionOperations;
}

}  // namespace

Work work_of(const problem::Question& question, const problem::Group& group, const Kernel& kernel) {
  const machine::Price& price = kernel.machine->price;
  const machine::Words words = kernel.words(question.problem.dtype);
  const Problem& p = question.problem;
  const TileCounts& counts = group.visited.tiles;
  const std::int64_t heads = kernel.walk->every_tile ? 1
                                                     : problem::heads_that_share(question.layout, group.queries, question.tiles.by_head(),
                                                                                 words.most_lanes);  // that share a tile
  const double tiles = number(kernel.walk->every_tile ? counts.total() : counts.partial + counts.full) / number(heads);
  const double pairs =
      tiles * base::kTile * lanes_of(question, group, heads, kernel.walk->lane_step ? kernel.walk->lane_step : price.lane_step);
  const double width = number(p.dim + p.value_dim), element = number(size_of(p.dtype));
  const double altering = operations_of(question.formulas.score_program), hiding = operations_of(question.formulas.mask_program);
  const double partly = tiles > 0 ? number(counts.partial) / number(std::max<std::int64_t>(1, counts.total() - counts.empty)) : 0;
  const double band = std::clamp(number((group.queries + base::kTile - 1) / base::kTile), 1.0, number(kernel.machine->query_tiles));
  Work work{.unit = price.unit};
  work.flop = 2 * width * pairs * price.products(p.dtype);
  const double exp = p.dtype == DType::kF64 ? kDoubleExps : 1;
  work.exps = pairs * (exp + (altering + partly * hiding) / kSoftmaxOperations);
  work.packed = price.packs ? tiles / band * base::kTile * width : 0;
  work.l2 = tiles * base::kTile * width * element;
  work.dram = element * width * (number(p.heads) * number(group.all_queries) + number(p.kv_heads) * number(group.all_keys));
  return work;
}

Work work_of(const Planned& planned) {
  Work all{.unit = planned.parts[0].choice.kernel->machine->price.unit};
  for (const plan::Part& part : planned.parts) {
    const Work work = work_of(planned.question, part.group, *part.choice.kernel);
    all.flop += work.flop;
    all.exps += work.exps;
    all.packed += work.packed;
    all.l2 += work.l2;
    all.dram += work.dram;
  }
  return all;
}

double cost_of(const problem::Question& question, const problem::Group& group, const Kernel& kernel) {
  const Work work = work_of(question, group, kernel);
  const machine::UnitSpeed unit = machine::speed_of(work.unit);
  const double products = work.flop / 2 / (base::cpu().slow_dots ? unit.slow : unit.usual), softmax = work.exps * kSoftmaxOperations;
  const double both = kernel.machine->price.overlaps ? std::max(products, softmax) : products + softmax;
  return kernel.walk->slowness * (both + work.packed * kPackOperations + work.l2 * kReadOperations);
}

namespace {

Expected expected(const problem::Question& question, const plan::Part& of, const Limits& limits) {
  const Kernel& kernel = *of.choice.kernel;
  const Work work = work_of(question, of.group, kernel);
  const double unit = limits.of(work.unit);
  if (kernel.walk->slowness >= kNoEstimate || unit <= 0 || work.flop <= 0) return {};
  struct Share {
    std::string limit;
    double seconds;
  };
  const std::array parts = {Share{std::string(name_of(work.unit)), work.flop / unit}, Share{"exp", work.exps / limits.exp},
                            Share{"L2", work.l2 / limits.l2}, Share{"DRAM", work.dram / limits.dram}};
  const auto& longest = *std::max_element(parts.begin(), parts.end(), [](const Share& a, const Share& b) { return a.seconds < b.seconds; });
  const double packing = work.packed * kPackOperations * 2 / limits.multiply_add;
  const double computing =
      (kernel.machine->price.overlaps ? std::max(parts[0].seconds, parts[1].seconds) : parts[0].seconds + parts[1].seconds) + packing;
  return {.seconds = kernel.walk->slowness * std::max(computing, longest.seconds), .limit = longest.limit};
}

}  // namespace

Expected expected(const Planned& planned, const Limits& limits) {
  Expected all = expected(planned.question, planned.parts[0], limits);
  for (std::size_t n = 1; n < planned.parts.size(); ++n) {
    const Expected more = expected(planned.question, planned.parts[n], limits);
    all.seconds = all.limit.empty() || more.limit.empty() ? 0 : all.seconds + more.seconds;
    if (more.limit.empty()) all.limit = "";
  }
  return all;
}

}  // namespace heed::plan
