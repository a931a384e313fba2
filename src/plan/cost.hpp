// Cost: the work of a run, counted before it, and the time it should take.
//
// Counted: the products of visited tiles in the machine's own steps (parts of a split, lanes rounded up to vectors), one exp per pair,
// the steps of formulas, packing, and the bytes of K and V that pass through L2 and of all tensors through DRAM.
// Choosing compares these counts with fixed relative speeds of the units, so that a plan chooses alike on every run. The expected time
// divides the same counts by the limits of this machine, as measured (limits.hpp); the part that takes longest is what binds.
// An estimate, and called one: it holds to about a third where nothing else runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plan/body.hpp"
#include "plan/limits.hpp"

namespace heed::plan {

/// What does the products of a kernel.
enum class Unit : std::uint8_t { kMultiplyAdd, kBF16Dot, kMatrixUnit };

struct UnitFacts {
  std::string_view name;  ///< for people
  std::string_view key;   ///< of its limit, in JSON
  double Limits::*limit;  ///< flop/s here
  double relative_speed;  ///< beside multiply-adds of float32, roughly, on the processors that have it (docs/kernels.md)
  double slow_speed;      ///< the same where base::Cpu::slow_dots
};
[[nodiscard]] const UnitFacts& facts_of(Unit unit);

/// How a kernel spends: a column of the table of kernels.
struct Price {
  Unit unit = Unit::kMultiplyAdd;
  double (*products)(DType dtype);  ///< of the unit for one multiply-add of the definition
  int lane_step = 16;               ///< queries of a tile are rounded up to this
  bool overlaps = false;            ///< products and softmax run side by side
  bool packs = false;               ///< values (and wider keys) are packed once per band of tiles of queries
  bool every_tile = false;          ///< no tile is skipped
  double slowness = 1;              ///< of everything, for kernels that are not meant to be fast
};

struct Work {
  double flop = 0;          ///< of the unit
  double exps = 0;          ///< with the steps of formulas counted as parts of an exp
  double packed = 0;        ///< elements
  double l2 = 0, dram = 0;  ///< bytes read
};

[[nodiscard]] Work work_of(const Body& body, const kernel::Kernel& kernel);
/// For choosing: the work in multiply-adds of float32.
[[nodiscard]] double cost_of(const Body& body, const kernel::Kernel& kernel);
/// Of the plan's own kernel. Zero seconds where there is no estimate.
[[nodiscard]] Expected expected(const Body& body, const Limits& limits);

}  // namespace heed::plan
