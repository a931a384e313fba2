// The table of machines.
#include "base/cpu.hpp"
#include "machine/amx/amx.hpp"
#include "machine/dot/dot.hpp"
#include "machine/few.hpp"
#include "machine/machine.hpp"
#include "machine/pairs/pairs.hpp"
#include "machine/simd/simd.hpp"

namespace heed::machine {
namespace {

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

const Products& few_products(DType dtype) {
#if HEED_PAIRS
  if (dtype == DType::kBF16 && base::cpu().avx512_bf16 && !base::cpu().slow_dots) return dot::few_products();
#endif
  return simd::few_products(dtype);
}
/// Dot products are scaled after, as pairs are.
std::string few_decline(const Ask& ask) {
  return &few_products(ask.dtype) == &simd::few_products(ask.dtype) ? "" : pairs::scale_declines(ask.scale);
}
std::string pairs_decline(const Ask& ask) {
  return pairs::scale_declines(ask.scale);
}

constexpr Machine kMachines[] = {
    {.name = "decode",
     .what = "few queries, keys and values read in place once for 8 rows of the heads of their group",
     .most_queries = kFewLanes,
     .decline = few_decline,
     .products = few_products,
     .price = {.products = one_product, .lane_step = 1}},
    {.name = "amx",
     .what = "the matrix unit, interleaved with the softmax",
     .missing = amx_missing,
     .decline = pairs_decline,
     .products = amx_products,
     .price = {.unit = Unit::kMatrixUnit, .products = pairs::products_per_one, .overlaps = true, .packs = true}},
    {.name = "dot",
     .what = "AVX-512 products of bf16 pairs",
     .missing = dot_missing,
     .decline = pairs_decline,
     .products = dot_products,
     .price = {.unit = Unit::kBF16Dot, .products = pairs::products_per_one, .packs = true}},
    {.name = "simd",
     .what = "folds visible tiles into a running softmax with Highway vectors",
     .products = simd::products,
     .price = {.products = one_product}},
};

}  // namespace

std::span<const Machine> machines() {
  return kMachines;
}

}  // namespace heed::machine
