#include "kernel/table.hpp"

#include "base/cpu.hpp"
#include "kernel/amx/amx.hpp"
#include "kernel/classic.hpp"
#include "kernel/dot/dot.hpp"
#include "kernel/few.hpp"
#include "kernel/pairs/pairs.hpp"
#include "kernel/simd/simd.hpp"
#include "reference/attend.hpp"
#include "walk/fold.hpp"

namespace heed::kernel {
namespace {

std::string simd_declines(const plan::Body& body) {
  if (body.problem.dtype == DType::kF64) return "accumulates in float32; f64 asks for double";
  if (body.problem.weights) return "never makes the S x S weights that are wanted; census gives chosen rows of them";
  return {};
}

std::string pairs_decline(const plan::Body& body) {
  std::string reason = simd_declines(body);
  return reason.empty() ? pairs::scale_declines(body) : reason;
}
std::string amx_missing() {
  return base::cpu().amx_bf16 && base::cpu().avx512_bf16 ? "" : "this processor has no matrix unit for bf16";
}
std::string dot_missing() {
  return base::cpu().avx512_bf16 ? "" : "this processor has no AVX-512 with bf16 products";
}

// Compiled for x86-64 alone; elsewhere they are missing, and never asked.
const Products& amx_products(DType dtype) {
#if HEED_PAIRS
  return amx::products(dtype);
#else
  return simd::products(dtype);
#endif
}
const Products& dot_products(DType dtype) {
#if HEED_PAIRS
  return dot::products(dtype);
#else
  return simd::products(dtype);
#endif
}

double one(DType) {
  return 1;
}
/// Products of parts for one of the definition: pairs.hpp; the mean of scores and mix.
double by_parts(DType dtype) {
  return dtype == DType::kBF16 ? 1 : dtype == DType::kF16 ? 3.5 : 6;
}

const Products& decode_products(DType dtype) {
#if HEED_PAIRS
  if (dtype == DType::kBF16 && base::cpu().avx512_bf16 && !base::cpu().slow_dots) return dot::few_products();
#endif
  return simd::few_products(dtype);
}

std::string decode_declines(const plan::Body& body) {
  if (body.layout.queries > kFewLanes) {
    return "is for at most " + std::to_string(kFewLanes) + " queries; here " + std::to_string(body.layout.queries);
  }
  // Dot products are scaled after, as pairs are.
  const DType dtype = body.problem.dtype;
  return &decode_products(dtype) == &simd::few_products(dtype) ? simd_declines(body) : pairs_decline(body);
}

constexpr Kernel kTable[] = {
    {.name = "decode",
     .what = "fused: few queries, keys and values read in place once for 8 rows of the heads of their group; memory linear in T",
     .price = {.products = one, .lane_step = 1},
     .fused = true,
     .products = decode_products,
     .decline = decode_declines,
     .scratch = walk::fold_scratch,
     .run = walk::fold},
    {.name = "amx",
     .what = "fused: the matrix unit, interleaved with the softmax; memory linear in T",
     .price = {.unit = plan::Unit::kMatrixUnit, .products = by_parts, .overlaps = true, .packs = true},
     .fused = true,
     .products = amx_products,
     .missing = amx_missing,
     .decline = pairs_decline,
     .scratch = walk::fold_scratch,
     .run = walk::fold},
    {.name = "dot",
     .what = "fused: AVX-512 products of bf16 pairs; memory linear in T",
     .price = {.unit = plan::Unit::kBF16Dot, .products = by_parts, .packs = true},
     .fused = true,
     .products = dot_products,
     .missing = dot_missing,
     .decline = pairs_decline,
     .scratch = walk::fold_scratch,
     .run = walk::fold},
    {.name = "simd",
     .what = "fused: folds visible tiles into a running softmax with Highway vectors; memory linear in T",
     .price = {.products = one},
     .fused = true,
     .products = simd::products,
     .decline = simd_declines,
     .scratch = walk::fold_scratch,
     .run = walk::fold},
    {.name = "classic",
     .what = "bmm, softmax, bmm on the whole S x S matrix; returns it when wanted",
     .price = {.products = one, .every_tile = true, .slowness = 2},
     .fused = false,
     .products = simd::products,
     .decline = classic::decline,
     .scratch = classic::scratch,
     .run = classic::run},
    {.name = "reference",
     .what = "the definition, one place at a time in double; any dtype",
     .price = {.products = one, .lane_step = 1, .every_tile = true, .slowness = 1000},
     .fused = false,
     .products = simd::products,
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
