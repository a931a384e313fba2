// Cases: the one language in which laws, sweeps and the comparison with PyTorch say what they compute.
//
// A Case is plain data; Draw makes its tensors (seeded, rounded to dtype, in the wished layout) and tables; Run computes it with one
// kernel into outputs that start as NaN, with scratch that starts as NaN.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <heed/heed.hpp>

#include "reference/accuracy.hpp"
#include "reference/score_rounding.hpp"

namespace heed::laws {

enum class Memory : std::uint8_t {
  kDense,     ///< [B, H, T, D]
  kTokens,    ///< [B, T, H, D] seen as [B, H, T, D]
  kColumns,   ///< [B, H, D, T] seen as [B, H, T, D]: the last stride is not 1
  kReversed,  ///< T stored backwards: a negative stride
  kOneKey     ///< keys and values with stride 0 along T: one key, repeated
};

struct Case {
  std::int64_t batch = 1, heads = 2, kv_heads = 2, queries = 65, keys = 65, dim = 64, value_dim = 64;
  DType dtype = DType::kF32;
  std::string mask{};
  std::vector<std::string> scores{};
  Align align = Align::end();
  Memory memory = Memory::kDense;
  double logits = 1;  ///< queries are multiplied by this
  bool sink = false;
  std::uint64_t seed = 1;

  [[nodiscard]] std::string text() const;
};

/// Tensors and tables of a case.
struct Draw {
  explicit Draw(const Case& given);
  Case of;
  Tensor q_store, k_store, v_store, sink_store;
  std::map<std::string, Tensor> table_store;
  Tables tables;
  TensorView q, k, v;
  [[nodiscard]] Problem problem() const;
};

/// The kernels of the table that take a plain problem on this machine, of f64 or of any other dtype; without the definition.
[[nodiscard]] const std::vector<std::string>& kernels(DType dtype = DType::kF32);
[[nodiscard]] const std::vector<std::string>& fast_kernels(DType dtype = DType::kF32);
/// Each with a dtype that it takes, f32 where it can: for laws that say the same of all of them. The definition stands with both.
struct Kernel {
  std::string name;
  DType dtype;
  /// The case in that dtype.
  [[nodiscard]] Case of(Case given) const {
    given.dtype = dtype;
    return given;
  }
};
[[nodiscard]] const std::vector<Kernel>& kernels_of_any_dtype();

struct Result {
  Tensor o{}, lse{}, maximum{}, entropy{}, effective{}, visible{};
  std::string kernel{};
};

/// Computes with one kernel ("" for the best), statistics where the kernel has them; O in f32 for 16-bit inputs when wide, and of parts.
/// Problems may be dense or packed.
[[nodiscard]] Result run(const Draw& draw, const std::string& kernel, int threads = 1, bool wide = false);
[[nodiscard]] Result run(const Problem& problem, const Inputs& inputs, bool wide = false);
/// The bits of the last query's O of a draw with one head: among all its queries, and alone, aligned to the end, without statistics.
struct LastRow {
  Tensor among, alone;
};
[[nodiscard]] LastRow last_row(const Draw& draw, const std::string& kernel);
/// The same case in double by the reference.
[[nodiscard]] Result truth(const Draw& draw);
[[nodiscard]] Result truth(Problem problem, const Inputs& inputs);
/// What the accuracy rule measures with: naive O of the case, and what the rounding of scores may do to O, L and statistics.
struct Naive {
  Tensor o, rounding;
  Tensor lse_rounding{}, maximum_rounding{}, entropy_rounding{}, effective_rounding{};
  [[nodiscard]] reference::Yardstick yardstick() const { return {o.view(), rounding.view()}; }
};
[[nodiscard]] Naive naive(const Draw& draw);
[[nodiscard]] Naive naive(const Problem& problem, const Inputs& inputs);

/// A tensor of `dtype` filled with NaN (all bits set), so that what is not written shows.
[[nodiscard]] Tensor poisoned(DType dtype, const Dims& shape);
/// True when all bytes agree.
[[nodiscard]] bool same_bits(const Tensor& a, const Tensor& b);
[[nodiscard]] Tensor converted(const TensorView& from, DType dtype);

/// "" when `result` obeys the accuracy rule for O, L and statistics, else what does not.
[[nodiscard]] std::string violation(const Result& result, const Result& truth, const Naive& naive, DType dtype);

/// The same for L and the statistics alone; without `naive` as where scores are small.
[[nodiscard]] std::string statistic_violation(const Result& result, const Result& truth, DType dtype, const Naive& naive = {});

/// The masks and scores that sweeps go through, by text, with the tables that Draw binds.
[[nodiscard]] const std::vector<std::string>& sweep_masks();
[[nodiscard]] const std::vector<std::vector<std::string>>& sweep_scores();
/// One case for each mask with each score, dtypes, memories, sinks and seeds taking turns.
[[nodiscard]] std::vector<Case> sweep_of(const Case& of);

}  // namespace heed::laws
