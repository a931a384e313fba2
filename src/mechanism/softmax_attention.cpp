// Scaled dot-product softmax attention: self, cross, multi-head, multi-query, grouped-query; any mask, any score formula, sinks.
//
//   s = scale q . k, score formulas, mask;   O = softmax(s) V         scale = 1 / sqrt(D) unless said
//
// State: SoftmaxState. Reference: src/reference/softmax.cpp.
#include "mechanism/mechanism.hpp"

namespace heed::mechanism {

const Recipe& softmax_attention() {
  static constexpr Recipe kRecipe{
      .name = "softmax attention",
      .similarity = "scale * dot(q, k)",
      .state = "softmax (m, l, o)",
      .meaning = "scaled dot-product attention with any mask, score formulas and sinks; one, several or grouped kv heads",
      .source = "Vaswani et al. 2017, eq. 1; Shazeer 2019 (multi-query); Ainslie et al. 2023 (grouped-query)"};
  return kRecipe;
}

}  // namespace heed::mechanism
