// attend: exact softmax attention in one call, in memory linear in the sequence length.
//
//   s_ij = scale q_i . k_j, then the score formulas; P_i = softmax over the visible keys; O_i = sum_j P_ij v_j; L_i = log sum exp
//
// Shapes: q [B, Hq, Tq, D], k [B, Hkv, Tk, D], v [B, Hkv, Tk, Dv], any strides. Semantics, decided once: DESIGN.md, section 2.
// Sources: Vaswani et al. 2017, eq. 1; online softmax: Milakov & Gimelshein 2018.
#pragma once

#include <heed/plan.hpp>

namespace heed {

struct Attend {
  TensorView q, k, v;
  Expr mask{};
  std::vector<Expr> scores{};
  Tables tables{};
  std::optional<double> scale{};
  TensorView sink{};
  Align align{};
  std::vector<std::int64_t> query_offsets{}, key_offsets{};  ///< of packed sequences (heed/problem.hpp): then all are [T_total, H, D]
  int threads = 0;
};

/// O, in a new contiguous tensor [B, Hq, Tq, Dv] (of packed sequences [T_total, Hq, Dv]) of the inputs' dtype.
[[nodiscard]] Tensor attend(const Attend& call);

}  // namespace heed
