#include "kernel/table.hpp"

#include "kernel/classic.hpp"
#include "kernel/simd/simd.hpp"
#include "reference/attend.hpp"
#include "walk/fold.hpp"

namespace heed::kernel {
namespace {

const Words* simd_words() {
  return &simd::words();
}

std::string simd_declines(const plan::Body& body) {
  if (body.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (body.problem.weights) return "never makes the S x S weights that are wanted; census gives chosen rows of them";
  return {};
}

void simd_run(const plan::Body& body, const Inputs& inputs, const Outputs& outputs) {
  walk::fold(body, simd::words(), inputs, outputs);
}

constexpr Kernel kTable[] = {
    {.name = "simd",
     .what = "fused: folds visible tiles into a running softmax with Highway vectors; memory linear in T",
     .fused = true,
     .words = simd_words,
     .decline = simd_declines,
     .scratch = walk::fold_scratch,
     .run = simd_run},
    {.name = "classic",
     .what = "bmm, softmax, bmm on the whole S x S matrix; returns it when wanted",
     .fused = false,
     .words = simd_words,
     .decline = classic::decline,
     .scratch = classic::scratch,
     .run = classic::run},
    {.name = "reference",
     .what = "the definition, one place at a time in double; any dtype",
     .fused = false,
     .words = simd_words,
     .decline = reference::decline,
     .scratch = reference::scratch,
     .run = reference::run},
};

}  // namespace

const Words& best_words() {
  return simd::words();
}

std::span<const Kernel> table() {
  return kTable;
}

}  // namespace heed::kernel
