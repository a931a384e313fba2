// Tensors proved to be what a call needs: shape, strides, element type; and apart from each other.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include <heed/tensor.hpp>

namespace heed::base {

/// Shape and dtype of one tensor; throws Error naming it.
void check_tensor(const char* name, const TensorView& tensor, const Dims& shape, std::initializer_list<DType> dtypes);
/// Throws Error unless all of sink [Hq] are finite or -inf.
void check_sinks(const TensorView& sink);
/// A tensor that an output may lie exactly over (same pointer, dtype, shape, strides) names that output; any other overlap is refused.
struct NamedTensor {
  std::string_view name;
  TensorView view;
  std::string_view replaced_by{};
};
/// Throws Error where two places of one output coincide, or outputs share memory with each other. What is not given shares nothing.
void check_apart(std::span<const NamedTensor> outputs);
/// Throws Error where an output shares memory with an input.
void check_apart(std::span<const NamedTensor> outputs, const NamedTensor& input);

}  // namespace heed::base
