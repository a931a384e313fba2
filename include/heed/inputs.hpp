// Inputs: the tensors that a plan reads, as the caller has them.
#pragma once

#include <heed/tensor.hpp>

namespace heed {

struct Inputs {
  TensorView q;  ///< [B, Hq, Tq, D]; of packed sequences [T_total, Hq, D]
  TensorView k;  ///< [B, Hkv, Tk, D]; [Tk_total, Hkv, D]
  TensorView v;  ///< [B, Hkv, Tk, Dv]; [Tk_total, Hkv, Dv]
};

}  // namespace heed
