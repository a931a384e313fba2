// Plan: how a problem will be computed. Chosen once, explained, immutable, reusable, safe from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <heed/problem.hpp>

namespace heed {

/// A kernel that was passed over, and why.
struct Refusal {
  std::string kernel;
  std::string reason;
};

/// How the Tq x Tk rectangle of every (batch, head) falls into tiles. Empty tiles are never visited.
struct TileCounts {
  std::int64_t empty = 0;
  std::int64_t partial = 0;
  std::int64_t full = 0;
  [[nodiscard]] std::int64_t total() const { return empty + partial + full; }
};

struct Inputs {
  TensorView q;  ///< [B, Hq, Tq, D]
  TensorView k;  ///< [B, Hkv, Tk, D]
  TensorView v;  ///< [B, Hkv, Tk, Dv]
};

/// Every member is optional; a default span is not written. Outputs share no memory: no two places of one coincide, and none overlaps
/// another output or an input (tables and sink too), except that O may lie exactly over Q: same pointer, dtype, shape and strides. That is
/// decided by elements where strides nest (tensors packed into one buffer are fine), else by the ranges of bytes. Row statistics speak of
/// the keys alone: a sink takes part in L and O but not in them.
struct Outputs {
  TensorSpan o{};    ///< [B, Hq, Tq, Dv], the inputs' dtype or f32
  TensorSpan lse{};  ///< [B, Hq, Tq] f32 (f64 for f64 inputs, here and below): natural log of the sum of exp(score), the sink's included
  TensorSpan maximum{};    ///< [B, Hq, Tq] f32: largest score; -inf where no key is seen
  TensorSpan entropy{};    ///< [B, Hq, Tq] f32, nats: -sum p log p, p normalised over the visible keys; 0 where none is seen
  TensorSpan effective{};  ///< [B, Hq, Tq] f32: 1 / sum p^2, the effective number of keys; 0 where none is seen
  TensorSpan visible{};    ///< [B, Hq, Tq] i64: how many keys are seen
  TensorSpan weights{};    ///< [B, Hq, Tq, Tk] f32: P, the S x S matrix itself
};

/// How long a run should take here, and what it is that takes so long.
struct Expected {
  double seconds = 0;  ///< 0: no estimate (the reference, an empty problem)
  std::string limit;   ///< "f32 multiply-adds", "bf16 dot products", "matrix unit", "exp", "L2" or "DRAM": the limit that binds
};

namespace plan {
struct Body;
}

class Plan {
 public:
  /// Chooses kernel and tiles. Throws Error for a problem that has no meaning (shapes, types, names, alignment, a lookup out of
  /// range in a visible place) or that no kernel accepts under the given constraints.
  explicit Plan(Problem problem);

  [[nodiscard]] const Problem& problem() const;
  [[nodiscard]] const std::string& kernel() const;  ///< the chosen kernel's name
  [[nodiscard]] const std::vector<Refusal>& refusals() const;
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
  /// What run() is expected to take, by counting its work and the limits of this machine; these are measured at the first call in a
  /// process, for some 50 milliseconds. An estimate: it decides nothing.
  [[nodiscard]] Expected expected() const;
  /// The whole decision in plain text, a line per fact.
  [[nodiscard]] std::string explain() const;

  /// Computes. Throws Error before anything is written where the tensors do not fit the problem.
  void run(const Inputs& inputs, const Outputs& outputs) const;

  [[nodiscard]] const plan::Body& body() const { return *body_; }

 private:
  std::shared_ptr<const plan::Body> body_;
};

}  // namespace heed
