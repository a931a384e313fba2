// The simd machine: every word written once with Google Highway and compiled for each instruction set of targets.hpp; the best one that
// the processor has is picked at the first call.
#pragma once

#include "kernel/products.hpp"
#include "kernel/words.hpp"

namespace heed::kernel::simd {

void widen(const Rows& source, int count, int columns, float* rows);
void load_queries(const Rows& source, const std::int64_t* slots, int count, int columns, float scale, float* qt);
bool scores(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float* s);
bool finite(const float* s, int keys, int lanes);
void scores_again(const float* qt, const float* k, std::int64_t k_stride, int dim, int keys, int lanes, float of_score, float* s);
void modify(const formula::TileFrame& frame, int keys, int lanes, float* s);
void see(const formula::TileFrame& frame, int keys, int lanes, std::uint8_t* seen);
void hide(const std::uint8_t* seen, int keys, int lanes, float* s);
void absorb(float* s, int keys, int lanes, const SoftmaxRows& state, float* rescale);
void mix(const float* p, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes, const float* rescale, float* o);
void mix_careful(const float* p, const std::uint8_t* seen, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                 const float* rescale, float* o);
void absorb_double(const float* s, int keys, int lanes, const DoubleRows& state, double* rescale, double* p);
void mix_double(const double* p, const float* s, const float* v, std::int64_t v_stride, int value_dim, int keys, int lanes,
                const double* rescale, double* o);
void weigh(const float* lse, int keys, int lanes, float* s);
void tally(const float* s, int keys, int lanes, const TallyRows& tally);
void merge(const SoftmaxRows& state, const SoftmaxRows& part, int value_dim, int lanes);
void finish(const SoftmaxRows& state, int value_dim, int lanes, const OutputRows& out);

/// All of them.
[[nodiscard]] const Words& words();

// Products on O as [Dv, 64]: also those of other machines that keep it so.
void adopt(const SoftmaxRows& state, const SoftmaxRows& exact, std::uint64_t lanes, int value_dim);
/// Bit i: O of lane i is not finite.
[[nodiscard]] std::uint64_t infinite_lanes(const SoftmaxRows& state, int value_dim, int lanes);
void finish_lanes(const SoftmaxRows& state, int value_dim, int first, int lanes, const OutputRows& out);
[[nodiscard]] const Products& products(DType dtype);
/// For at most kFewLanes queries (few.hpp).
[[nodiscard]] const Products& few_products(DType dtype);

}  // namespace heed::kernel::simd
