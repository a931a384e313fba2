// The one matrix loop of the simd kernel: C[m, i] <- C[m, i] rescale[i] + sum_k a(k, m) B[k, i], i over 64 lanes.
//
// a is read element by element and broadcast, B in whole vectors: with a = keys (K[j, c]), B = Qt it makes the scores, with
// a = values (V[j, c]), B = P the mix. Nothing is packed: a may lie anywhere with any two strides.
// Registers: M x N accumulators. Each step costs M broadcasts and N loads for M N fused multiply-adds; N = 4, M = 6 on machines with
// 32 registers, N = 2, M = 6 on those with 16. Each element is one chain of additions in ascending k, from 0, and what was there before
// is added last: rounding errors grow with the keys of a tile and with the tiles, not with their product. Without fused multiply-adds
// it is a chain of short ones (chain-inl.hpp). Whatever M and N, the bits are the same. Flops 2 M N lanes per k.
#if defined(HEED_SIMD_OUTER_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_SIMD_OUTER_INL
#undef HEED_SIMD_OUTER_INL
#else
#define HEED_SIMD_OUTER_INL
#endif

#include <hwy/highway.h>

#include "machine/simd/chain-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 64>;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kAcross = 4;
#else
inline constexpr int kAcross = 2;
#endif
inline constexpr int kDown = 6;

struct Outer {
  const float* a;  ///< a(k, m) = a[k * a_k + m * a_m]
  std::int64_t a_k, a_m;
  const float* b;        ///< rows of 64
  int count;             ///< of k
  float* c;              ///< rows of 64
  const float* rescale;  ///< [64]; null: C is not read
};

/// A Look sees each vector of C as it is stored: see(sums, m), row m of its block. This one looks at nothing.
struct NotLooked {
  HWY_INLINE void see(hn::Vec<DF>, int) {}
};

template <int M, int N, class Look>
HWY_INLINE void outer_block(const Outer& o, int row, int lane, Look& look) {
  const DF d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<DF> sum[M][N], sums[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[m][n] = sums[m][n] = hn::Zero(d);
  }
  const float* a = o.a + row * o.a_m;
  const float* b = o.b + lane;
  for (int k = 0; k < o.count; ++k, a += o.a_k, b += 64) {
    end_chain(d, k, sum, sums);
    hn::Vec<DF> right[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) right[n] = hn::LoadU(d, b + n * lanes);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const auto left = hn::Set(d, a[m * o.a_m]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sum[m][n] = hn::MulAdd(left, right[n], sum[m][n]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      if constexpr (kChain != 0) sum[m][n] = hn::Add(sums[m][n], sum[m][n]);
      float* const place = o.c + (row + m) * 64 + lane + n * lanes;
      if (o.rescale != nullptr) sum[m][n] = hn::MulAdd(hn::LoadU(d, place), hn::LoadU(d, o.rescale + lane + n * lanes), sum[m][n]);
      hn::StoreU(sum[m][n], d, place);
      look.see(sum[m][n], m);
    }
  }
}

template <int N, class Look>
HWY_INLINE void outer_strip(const Outer& o, int rows, int lane, Look& look) {
  int row = 0;
  for (; row + kDown <= rows; row += kDown) outer_block<kDown, N>(o, row, lane, look);
  switch (rows - row) {
    case 5:
      return outer_block<5, N>(o, row, lane, look);
    case 4:
      return outer_block<4, N>(o, row, lane, look);
    case 3:
      return outer_block<3, N>(o, row, lane, look);
    case 2:
      return outer_block<2, N>(o, row, lane, look);
    case 1:
      return outer_block<1, N>(o, row, lane, look);
    default:
      return;
  }
}

/// All of C: `rows` rows, lanes 0 to `lanes` (rounded up to whole vectors).
template <class Look>
HWY_INLINE void outer(const Outer& o, int rows, int lanes, Look& look) {
  const int width = static_cast<int>(hn::Lanes(DF()));
  int lane = 0;
  for (; lane + (kAcross - 1) * width < lanes; lane += kAcross * width) outer_strip<kAcross>(o, rows, lane, look);
  if constexpr (kAcross == 4) {
    for (; lane + width < lanes; lane += 2 * width) outer_strip<2>(o, rows, lane, look);
  }
  for (; lane < lanes; lane += width) outer_strip<1>(o, rows, lane, look);
}
HWY_INLINE void outer(const Outer& o, int rows, int lanes) {
  NotLooked look;
  outer(o, rows, lanes, look);
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
