#include "kernel/simd/simd.hpp"

namespace heed::kernel::simd {

const Words& words() {
  static constexpr Words kWords{.name = "simd",
                                .widen = widen,
                                .load_queries = load_queries,
                                .scores = scores,
                                .finite = finite,
                                .scores_again = scores_again,
                                .modify = modify,
                                .see = see,
                                .hide = hide,
                                .absorb = absorb,
                                .mix = mix,
                                .mix_careful = mix_careful,
                                .absorb_double = absorb_double,
                                .mix_double = mix_double,
                                .weigh = weigh,
                                .tally = tally,
                                .merge = merge,
                                .finish = finish};
  return kWords;
}

}  // namespace heed::kernel::simd
