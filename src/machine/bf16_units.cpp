#include "machine/bf16_units.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "base/cpu.hpp"
#endif

namespace heed::machine {

#if defined(__x86_64__)
namespace {

constexpr long kSteps = 64;  // of every chain in a round: a fraction of a microsecond

__attribute__((target("avx512f,avx512bf16"))) double dots(long rounds, float& sink) {
  constexpr int kChains = 12;  // a latency of six times two units
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.25f));
  const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(-1.0f), _mm512_set1_ps(1.0f));
  __m512 chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = _mm512_set1_ps(sink + static_cast<float>(i));  // unlike, or one would serve for all
  for (long step = 0; step < rounds * kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = _mm512_dpbf16_ps(chain[i], a, b);
  }
  __m512 all = chain[0];
  for (int i = 1; i < kChains; ++i) all = _mm512_add_ps(all, chain[i]);
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, all);
  sink = lanes[0];
  return 4.0 * 16 * kChains * static_cast<double>(rounds * kSteps);
}

/// The tile registers' shapes: eight of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

__attribute__((target("amx-tile,amx-bf16"))) double tiles(long rounds, float& sink) {
  constexpr double kFlop = 2.0 * 16 * 16 * 32;  // of one product: 16 x 16 sums of 32 pairs
  const TileConfig config;
  alignas(64) float numbers[16 * 16];  // a tile; as bf16, pairs of 0 and 1
  for (float& number : numbers) number = 1;
  // The intrinsics tell the compiler of too little memory, or of none: what they read has to stand there before.
  asm volatile("" : : "r"(&config), "r"(numbers) : "memory");
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, numbers, 64);
  _tile_loadd(5, numbers, 64);
  _tile_loadd(6, numbers, 64);
  _tile_loadd(7, numbers, 64);
  for (long step = 0; step < rounds * kSteps; ++step) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, numbers, 64);
  _tile_release();
  asm volatile("" : : "r"(numbers) : "memory");
  sink = numbers[0];
  return 4 * kFlop * static_cast<double>(rounds * kSteps);
}

}  // namespace

double bf16_dots(long rounds, float& sink) {
  return base::real_cpu().avx512_bf16 ? dots(rounds, sink) : 0;
}

double matrix_products(long rounds, float& sink) {
  return base::real_cpu().amx_bf16 ? tiles(rounds, sink) : 0;
}

#else

double bf16_dots(long, float&) {
  return 0;
}

double matrix_products(long, float&) {
  return 0;
}

#endif

}  // namespace heed::machine
