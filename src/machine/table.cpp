// The table of machines.
#include <algorithm>

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

bool never(DType) {
  return false;
}
bool always(DType) {
  return true;
}

// Compiled for x86-64 alone; elsewhere they are missing, and never asked.
#if HEED_PAIRS
std::size_t part_of(DType dtype) {
  return static_cast<std::size_t>(pairs::parts_of(dtype) - 1);
}
std::span<const Similarity> amx_similarities(DType dtype) {
  return {&amx::kSimilarities[part_of(dtype)], 1};
}
const Mixing& amx_mixing(DType dtype) {
  return amx::kMixings[part_of(dtype)];
}
std::span<const Phrase> amx_phrases(DType dtype) {
  return amx::kPhrases[part_of(dtype)];
}
std::span<const Similarity> dot_similarities(DType dtype) {
  return {&dot::kSimilarities[part_of(dtype)], 1};
}
const Mixing& dot_mixing(DType dtype) {
  return dot::kMixings[part_of(dtype)];
}
std::span<const Phrase> dot_phrases(DType dtype) {
  return {&dot::kPhrases[part_of(dtype)], 1};
}
/// Few queries in bf16 by dot products, where these are fast.
bool few_by_dot(DType dtype) {
  return dtype == DType::kBF16 && base::cpu().avx512_bf16 && !base::cpu().slow_dots;
}
std::span<const Similarity> few_similarities(DType dtype) {
  return few_by_dot(dtype) ? std::span(&dot::kFewDot, 1) : simd::few_similarities(dtype);
}
const Mixing& few_mixing(DType dtype) {
  return few_by_dot(dtype) ? dot::kFewMixing : simd::few_mixing(dtype);
}
std::span<const Phrase> few_phrases(DType dtype) {
  return few_by_dot(dtype) ? std::span(&dot::kFewPhrase, 1) : simd::few_phrases(dtype);
}
#else
constexpr auto amx_similarities = simd::similarities, dot_similarities = simd::similarities, few_similarities = simd::few_similarities;
constexpr auto amx_mixing = simd::mixing, dot_mixing = simd::mixing, few_mixing = simd::few_mixing;
std::span<const Phrase> amx_phrases(DType) {
  return {};
}
constexpr auto dot_phrases = amx_phrases, few_phrases = simd::few_phrases;
bool few_by_dot(DType) {
  return false;
}
#endif

/// Dot products are scaled after, as pairs are.
std::string few_decline(const Ask& ask) {
  return few_by_dot(ask.dtype) ? pairs::scale_declines(ask.scale) : "";
}
std::string pairs_decline(const Ask& ask) {
  return pairs::scale_declines(ask.scale);
}

constexpr Machine kMachines[] = {
    {.name = "decode",
     .what = "few queries, keys and values read in place once for 8 rows of the heads of their group",
     .most_queries = kFewLanes,
     .most_lanes = kFewLanes,
     .in_place = always,
     .decline = few_decline,
     .price = {.products = one_product, .lane_step = 1},
     .similarities = few_similarities,
     .mixing = few_mixing,
     .phrases = few_phrases},
    {.name = "amx",
     .what = "the matrix unit, interleaved with the softmax",
     .query_tiles = 16,
     .in_place = never,
     .missing = amx_missing,
     .decline = pairs_decline,
     .price = {.unit = Unit::kMatrixUnit, .products = pairs::products_per_one, .overlaps = true, .packs = true},
     .similarities = amx_similarities,
     .mixing = amx_mixing,
     .phrases = amx_phrases},
    {.name = "dot",
     .what = "AVX-512 products of bf16 pairs",
     .query_tiles = 8,
     .in_place = never,
     .missing = dot_missing,
     .decline = pairs_decline,
     .price = {.unit = Unit::kBF16Dot, .products = pairs::products_per_one, .packs = true},
     .similarities = dot_similarities,
     .mixing = dot_mixing,
     .phrases = dot_phrases},
    {.name = "simd",
     .what = "folds visible tiles into a running softmax with Highway vectors",
     .query_tiles = 8,
     .in_place = [](DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; },
     .price = {.products = one_product},
     .similarities = simd::similarities,
     .mixing = simd::mixing,
     .phrases = [](DType) { return std::span<const Phrase>(); }},
};

/// The row of this name; null where there is none.
template <class Row>
const Row* named(std::span<const Row> rows, std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

std::span<const Machine> machines() {
  return kMachines;
}

Words words_of(const Machine& machine, DType dtype, std::string_view similarity, std::string_view weighing) {
  const Similarity* by = named(machine.similarities(dtype), similarity);
  const bool own = by != nullptr;
  if (!own) by = named(machines().back().similarities(dtype), similarity);
  const std::span<const Phrase> phrases = machine.phrases(dtype);
  const auto phrase = std::find_if(phrases.begin(), phrases.end(), [&](const Phrase& one) {
    return one.weighing == weighing && (one.similarity.empty() || (own && one.similarity == similarity));
  });
  return {.similarity = *by,
          .weighing = *named(state::weighings(), weighing),
          .mixing = machine.mixing(dtype),
          .phrase = phrase == phrases.end() ? nullptr : &*phrase,
          .most_lanes = machine.most_lanes,
          .query_tiles = machine.in_place(dtype) ? 1 : machine.query_tiles};
}

}  // namespace heed::machine
