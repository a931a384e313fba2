// The one matrix loop of the simd machine, in float or double: C[m, i] <- C[m, i] rescale[i] + sum_k a(k, m) B[k, i], i over 64 lanes.
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

#include <cstdint>

#include <hwy/highway.h>

#include "base/math-inl.hpp"
#include "machine/simd/chain-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kAcross = 4;
#else
inline constexpr int kAcross = 2;
#endif
inline constexpr int kDown = 6;

/// F: what is summed in. A: what a is stored in, F or narrower.
template <class F, class A = F>
struct Outer {
  using D = hn::CappedTag<F, 64>;
  const A* a;  ///< a(k, m) = a[k * a_k + m * a_m]
  std::int64_t a_k, a_m;
  const F* b;        ///< rows of 64
  int count;         ///< of k
  F* c;              ///< rows of 64
  const F* rescale;  ///< [64]; null: C is not read
};

/// A Look is handed each vector of C and gives back what to store: take(sums, m), row m of its block. This one changes nothing.
struct NotLooked {
  template <class V>
  HWY_INLINE V take(V sum, int) {
    return sum;
  }
};

template <int M, int N, class F, class A, class Look>
HWY_INLINE void outer_block(const Outer<F, A>& o, int row, int lane, Look& look) {
  const typename Outer<F, A>::D d;
  using V = hn::Vec<typename Outer<F, A>::D>;
  const int lanes = static_cast<int>(hn::Lanes(d));
  V sum[M][N], sums[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[m][n] = sums[m][n] = hn::Zero(d);
  }
  const A* a = o.a + row * o.a_m;
  const F* b = o.b + lane;
  for (int k = 0; k < o.count; ++k, a += o.a_k, b += 64) {
    end_chain(d, k, sum, sums);
    V right[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) right[n] = hn::LoadU(d, b + n * lanes);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const auto left = hn::Set(d, static_cast<F>(a[m * o.a_m]));
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sum[m][n] = hn::MulAdd(left, right[n], sum[m][n]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      if constexpr (kChainOf<F> != 0) sum[m][n] = hn::Add(sums[m][n], sum[m][n]);
      F* const place = o.c + (row + m) * 64 + lane + n * lanes;
      if (o.rescale != nullptr) sum[m][n] = hn::MulAdd(hn::LoadU(d, place), hn::LoadU(d, o.rescale + lane + n * lanes), sum[m][n]);
      hn::StoreU(look.take(sum[m][n], m), d, place);
    }
  }
}

template <int N, class F, class A, class Look>
HWY_INLINE void outer_strip(const Outer<F, A>& o, int rows, int lane, Look& look) {
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
template <class F, class A, class Look>
HWY_INLINE void outer(const Outer<F, A>& o, int rows, int lanes, Look& look) {
  const int width = static_cast<int>(hn::Lanes(typename Outer<F, A>::D()));
  int lane = 0;
  for (; lane + (kAcross - 1) * width < lanes; lane += kAcross * width) outer_strip<kAcross>(o, rows, lane, look);
  if constexpr (kAcross == 4) {
    for (; lane + width < lanes; lane += 2 * width) outer_strip<2>(o, rows, lane, look);
  }
  for (; lane < lanes; lane += width) outer_strip<1>(o, rows, lane, look);
}
template <class F, class A>
HWY_INLINE void outer(const Outer<F, A>& o, int rows, int lanes) {
  NotLooked look;
  outer(o, rows, lanes, look);
}

/// The same sums over the places (k, i) alone where seen[k * 64 + i] is not 0. The same bits where a is finite.
template <class F, class A>
HWY_INLINE void outer_of_seen(const Outer<F, A>& o, const std::uint8_t* seen, int rows, int lanes) {
  const typename Outer<F, A>::D d;
  using V = hn::Vec<typename Outer<F, A>::D>;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int m = 0; m < rows; ++m) {
    for (int lane = 0; lane < lanes; lane += width) {
      F* const place = o.c + m * 64 + lane;
      V sum[1][1] = {{hn::Zero(d)}}, sums[1][1] = {{hn::Zero(d)}};
      for (int k = 0; k < o.count; ++k) {
        end_chain(d, k, sum, sums);  // as outer() does: rows that see no harm keep their bits
        const auto visible = base::HWY_NAMESPACE::mask_of_bytes(d, seen + k * 64 + lane);
        const auto left = hn::Set(d, static_cast<F>(o.a[k * o.a_k + m * o.a_m]));
        sum[0][0] = hn::IfThenElse(visible, hn::MulAdd(left, hn::LoadU(d, o.b + k * 64 + lane), sum[0][0]), sum[0][0]);
      }
      if constexpr (kChainOf<F> != 0) sum[0][0] = hn::Add(sums[0][0], sum[0][0]);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, place), hn::LoadU(d, o.rescale + lane), sum[0][0]), d, place);
    }
  }
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
