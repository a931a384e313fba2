// Combination: one case in one memory, asked of one kernel in one way: a value of each factor (support/pairs.hpp).
//
// Memories are those of Draw and packed sequences in three layouts; kernels are the rows of the table that this processor can run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "laws/support/case.hpp"
#include "laws/support/pairs.hpp"
#include "laws/support/posed.hpp"

namespace heed::laws {

/// The factors in their order: how they stand in a Row.
enum Axis : std::size_t {
  kMemory,
  kKernel,
  kDType,
  kMask,
  kScores,
  kQueries,
  kKeys,
  kAlign,
  kHeads,
  kBatch,
  kDims,
  kSink,
  kStatistics,
  kThreads,
  kLogits,
  kPartial,
  kWide,
  kStrewn
};

/// Names of the kernels whose unit this processor has, behind "best": the one that a plan takes.
[[nodiscard]] std::vector<std::string> kernel_names();
[[nodiscard]] std::vector<Factor> factors();

struct Combination {
  Combination(const Row& row, std::uint64_t number);
  Case of;
  bool packed = false, statistics = false, partial = false, wide = false;
  std::string kernel;
  int threads = 1;
  std::optional<double> strewn{};

  [[nodiscard]] std::string text() const;
  /// Of the longest sequence as often as there are sequences: what a case costs.
  [[nodiscard]] double multiply_adds() const {
    return static_cast<double>(of.batch * of.heads * of.queries) * static_cast<double>(of.keys * (of.dim + of.value_dim));
  }
};

/// The tensors of a combination and its problem; of packed sequences also each by itself.
struct Drawn {
  explicit Drawn(const Combination& c);
  std::unique_ptr<Packed> sequences;
  std::unique_ptr<Draw> draw;
  Posed whole;
};

}  // namespace heed::laws
