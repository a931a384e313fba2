// Plan: how a problem will be computed. Chosen once, explained, immutable, reusable, safe from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <heed/inputs.hpp>
#include <heed/limits.hpp>
#include <heed/outputs.hpp>
#include <heed/problem.hpp>
#include <heed/watch.hpp>

namespace heed {

/// A kernel that was passed over, and why.
struct Refusal {
  std::string kernel;
  std::string reason;
};

/// Batch entries, or packed sequences, that one kernel computes.
struct SequenceClass {
  std::string kernel;
  std::vector<std::int64_t> sequences;  ///< batch entries, ascending
  std::vector<Refusal> refusals;        ///< of the other kernels, for these
};

/// How long a run should take here, and what it is that takes so long.
struct Expected {
  double seconds = 0;  ///< 0: no estimate (the reference, an empty problem)
  std::string limit;   ///< "f32 multiply-adds", "bf16 dot products", "matrix unit", "exp", "L2" or "DRAM": the limit that binds
};

/// What a run does, counted before it: of all tiles that it visits, as the kernel does them.
struct Work {
  Unit unit{};              ///< that does the products
  double flop = 0;          ///< of the unit, in its own steps: parts of a split, lanes rounded up to vectors
  double exps = 0;          ///< one per pair of a query and a key, with the steps of formulas counted as parts of one
  double packed = 0;        ///< elements copied into the machine's order
  double l2 = 0, dram = 0;  ///< bytes that pass: K and V for every tile; Q, K, V and O once
};

namespace plan {
struct Planned;
}

class Plan {
 public:
  /// Chooses kernel and tiles. Throws Error for a problem that has no meaning (shapes, types, names, alignment, a lookup out of
  /// range in a visible place) or that no kernel accepts under the given constraints.
  explicit Plan(Problem problem);

  [[nodiscard]] const Problem& problem() const;
  /// The chosen kernel's name; of the first of classes().
  [[nodiscard]] const std::string& kernel() const;
  [[nodiscard]] const std::vector<Refusal>& refusals() const;
  /// Who computes what: one class, or two where packed sequences of few queries (at most 8) and the others have a kernel each, the one
  /// with more pairs to compute first. Every batch entry or sequence is in one.
  [[nodiscard]] std::vector<SequenceClass> classes() const;
  [[nodiscard]] const TileCounts& tiles() const;
  [[nodiscard]] int threads() const;
  /// What making this plan took, its proofs and tiles included: it grows with the border of the mask, not with Tq x Tk.
  [[nodiscard]] double planning_seconds() const;
  /// Bytes that run() allocates beside inputs and outputs: all of them, in one piece.
  [[nodiscard]] std::int64_t scratch_bytes() const;
  /// Bytes that the S x S matrices of all heads would take in f32.
  [[nodiscard]] std::int64_t square_bytes() const;
  /// Floating-point operations of the visited tiles: 2 (D + Dv) per pair of a query and a key.
  [[nodiscard]] double flops() const;
  /// The work of a run, counted.
  [[nodiscard]] Work work() const;
  /// What run() is expected to take, by counting its work and the limits of this machine; these are measured at the first call in a
  /// process, for some 50 milliseconds. An estimate: it decides nothing.
  [[nodiscard]] Expected expected() const;
  /// The whole decision in plain text, a line per fact.
  [[nodiscard]] std::string explain() const;

  /// Computes. Throws Error before anything is written where the tensors do not fit the problem, or the Watch's memory is too small;
  /// Cancelled where the Watch says so.
  void run(const Inputs& inputs, const Outputs& outputs, const Watch& watch = {}) const;

 private:
  friend const plan::Planned& inside(const Plan& plan);
  std::shared_ptr<const plan::Planned> planned_;
};

}  // namespace heed
