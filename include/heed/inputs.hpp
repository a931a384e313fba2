// Inputs: the tensors that a plan reads, as the caller has them.
#pragma once

#include <heed/tensor.hpp>

namespace heed {

struct Inputs {
  TensorView q;  ///< [B, Hq, Tq, D]
  TensorView k;  ///< [B, Hkv, Tk, D]
  TensorView v;  ///< [B, Hkv, Tk, Dv]
};

}  // namespace heed
