// Outputs lie apart from each other and from the inputs: what is written while an input is still read, or written twice, would be wrong
// without a word. Decided by elements where strides nest, else by byte ranges (base/overlap.hpp). Checked by laws/in_place_test.cpp.
#include <cstddef>
#include <string>

#include <heed/error.hpp>

#include "base/check.hpp"
#include "base/overlap.hpp"

namespace heed::base {
namespace {

std::string layout_of(const TensorView& tensor) {
  return to_text(tensor.shape) + " with strides " + to_text(tensor.strides);
}

[[noreturn]] void refuse(const NamedTensor& output, const NamedTensor& other) {
  const auto bytes = static_cast<const std::byte*>(output.view.data) - static_cast<const std::byte*>(other.view.data);
  std::string expected = "memory of its own";
  if (!other.replaced_by.empty() && other.replaced_by == output.name) expected += ", or exactly the places of " + std::string(other.name);
  throw Error({"an output shares memory with another tensor", "tensors " + std::string(output.name) + " and " + std::string(other.name),
               expected,
               layout_of(output.view) + ", beginning " + std::to_string(bytes) + " bytes from the other, " + layout_of(other.view)});
}

}  // namespace

void check_apart(std::span<const NamedTensor> outputs) {
  for (std::size_t n = 0; n < outputs.size(); ++n) {
    if (!outputs[n].view.given()) continue;
    if (base::overlaps_itself(outputs[n].view)) {
      throw Error({"several results in one place", "tensor " + std::string(outputs[n].name), "strides that keep places apart",
                   layout_of(outputs[n].view)});
    }
    for (std::size_t other = 0; other < n; ++other) {
      if (outputs[other].view.given() && base::overlap(outputs[n].view, outputs[other].view)) refuse(outputs[n], outputs[other]);
    }
  }
}

void check_apart(std::span<const NamedTensor> outputs, const NamedTensor& input) {
  if (!input.view.given()) return;
  for (const NamedTensor& output : outputs) {
    if (!output.view.given() || !base::overlap(output.view, input.view)) continue;
    if (output.name == input.replaced_by && base::same_places(output.view, input.view)) continue;
    refuse(output, input);
  }
}

}  // namespace heed::base
