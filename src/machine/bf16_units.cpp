#include "machine/bf16_units.hpp"

#include <cstdint>

#include "base/cpu.hpp"
#include "machine/amx/tiles.hpp"
#include "machine/pairs/target.hpp"

namespace heed::machine {

#if HEED_PAIRS
HEED_PAIRS_BEGIN
namespace {

constexpr long kSteps = 64;  // of every chain in a round: a fraction of a microsecond

double dots(long rounds, float& sink) {
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

double tiles(long rounds, float& sink) {
  constexpr double kFlop = 2.0 * 16 * 16 * 32;                    // of one product: 16 x 16 sums of 32 pairs
  alignas(64) float numbers[sizeof(amx::Piece) / sizeof(float)];  // a tile and more; as bf16, pairs of 0 and 1
  for (float& number : numbers) number = 1;
  amx::configure();
  amx::zero<0>();
  amx::zero<1>();
  amx::zero<2>();
  amx::zero<3>();
  amx::load<4>(numbers, 64);
  amx::load<5>(numbers, 64);
  amx::load<6>(numbers, 64);
  amx::load<7>(numbers, 64);
  for (long step = 0; step < rounds * kSteps; ++step) {
    amx::multiply<0, 4, 6>();
    amx::multiply<1, 4, 7>();
    amx::multiply<2, 5, 6>();
    amx::multiply<3, 5, 7>();
  }
  amx::store<0>(numbers, 64);
  amx::release();
  sink = numbers[0];
  return 4 * kFlop * static_cast<double>(rounds * kSteps);
}

}  // namespace
HEED_PAIRS_END

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
