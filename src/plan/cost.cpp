#include "plan/cost.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/cpu.hpp"
#include "kernel/table.hpp"

namespace heed::plan {
namespace {

constexpr double kSoftmaxOperations = 18;  // per score: what an exp costs with its maximum and sum, in multiply-adds
// What formulas cost per place, in the same unit; measured on AVX-512, where an exp of the softmax takes 0.25 ns.
constexpr double kStepOperations = 8;        // load, operation, store
constexpr double kWideOperations = 15;       // the same in double lanes
constexpr double kCurveOperations = 30;      // exp, log, tanh, sigmoid
constexpr double kLibmOperations = 600;      // the same in double, one by one: 8 ns
constexpr double kLookupOperations = 40;     // one by one: 0.5 ns
constexpr double kDivisionOperations = 300;  // of integers, one by one: 4 ns
constexpr double kPackOperations = 2;        // per element
constexpr double kReadOperations = 3;        // per byte of keys and values: between what L2 and what memory gives
constexpr double kNoEstimate = 100;          // slowness of kernels whose time is anyone's guess
constexpr double kBandTiles = 8;             // of queries that share packed keys, where there are so many

double number(std::int64_t count) {
  return static_cast<double>(count);
}

constexpr UnitFacts kUnits[] = {{"f32 multiply-adds", "multiply_add", &Limits::multiply_add, 1, 1},
                                {"bf16 dot products", "bf16_dot", &Limits::bf16_dot, 2, 0.5},
                                {"matrix unit", "matrix_unit", &Limits::matrix_unit, 12, 12}};

/// Lanes of a full tile, or of the one tile of few queries.
double lanes_of(const Body& body, std::int64_t heads, int step) {
  const std::int64_t lanes = std::min<std::int64_t>(formula::kTile, body.layout.queries * heads);
  return std::ceil(number(lanes) / step) * step;
}

/// Of one place, in multiply-adds.
double operations_of(const formula::TileProgram& program) {
  const formula::PlaceWork work = program.work();
  return work.narrow * kStepOperations + work.wide * kWideOperations + work.functions * kCurveOperations + work.by_libm * kLibmOperations +
         work.lookups * kLookupOperations + work.whole_divisions * kDivisionOperations;
}

}  // namespace

const UnitFacts& facts_of(Unit unit) {
  return kUnits[static_cast<std::size_t>(unit)];
}

Work work_of(const Body& body, const kernel::Kernel& kernel) {
  const Price& price = kernel.price;
  const Problem& p = body.problem;
  const TileCounts& counts = body.tiles.counts();
  const std::int64_t heads = price.every_tile ? 1 : body.layout.heads_per_tile;  // that share a tile
  const double tiles = number(price.every_tile ? counts.total() : counts.partial + counts.full) / number(heads);
  const double pairs = tiles * formula::kTile * lanes_of(body, heads, price.lane_step);
  const double width = number(p.dim + p.value_dim), element = number(size_of(p.dtype));
  const double altering = operations_of(body.score_program), hiding = operations_of(body.mask_program);
  const double partly = tiles > 0 ? number(counts.partial) / number(std::max<std::int64_t>(1, counts.total() - counts.empty)) : 0;
  const double band = std::clamp(number(body.layout.query_tiles()), 1.0, kBandTiles);
  Work work;
  work.flop = 2 * width * pairs * price.products(p.dtype);
  work.exps = pairs * (1 + (altering + partly * hiding) / kSoftmaxOperations);
  work.packed = price.packs ? tiles / band * formula::kTile * width : 0;
  work.l2 = tiles * formula::kTile * width * element;
  work.dram = element * number(p.batch) * width * (number(p.heads) * number(p.queries) + number(p.kv_heads) * number(p.keys));
  return work;
}

double cost_of(const Body& body, const kernel::Kernel& kernel) {
  const Work work = work_of(body, kernel);
  const UnitFacts& unit = facts_of(kernel.price.unit);
  const double products = work.flop / 2 / (base::cpu().slow_dots ? unit.slow_speed : unit.relative_speed),
               softmax = work.exps * kSoftmaxOperations;
  const double both = kernel.price.overlaps ? std::max(products, softmax) : products + softmax;
  return kernel.price.slowness * (both + work.packed * kPackOperations + work.l2 * kReadOperations);
}

Expected expected(const Body& body, const Limits& limits) {
  const kernel::Kernel& kernel = *body.kernel;
  const Work work = work_of(body, kernel);
  const double unit = limits.*facts_of(kernel.price.unit).limit;
  if (kernel.price.slowness >= kNoEstimate || unit <= 0 || work.flop <= 0) return {};
  struct Part {
    std::string limit;
    double seconds;
  };
  const std::array parts = {Part{std::string(facts_of(kernel.price.unit).name), work.flop / unit}, Part{"exp", work.exps / limits.exp},
                            Part{"L2", work.l2 / limits.l2}, Part{"DRAM", work.dram / limits.dram}};
  const auto& longest = *std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.seconds < b.seconds; });
  const double packing = work.packed * kPackOperations * 2 / limits.multiply_add;
  const double computing =
      (kernel.price.overlaps ? std::max(parts[0].seconds, parts[1].seconds) : parts[0].seconds + parts[1].seconds) + packing;
  return {.seconds = kernel.price.slowness * std::max(computing, longest.seconds), .limit = longest.limit};
}

}  // namespace heed::plan
