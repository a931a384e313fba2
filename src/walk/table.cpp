// The table of walks that compute O.
#include "walk/classic.hpp"
#include "walk/fold.hpp"
#include "walk/in_double.hpp"
#include "walk/walk.hpp"

namespace heed::walk {
namespace {

constexpr Walk kWalks[] = {
    {.name = "fold", .what = "fused: {}; memory linear in T", .any_machine = true, .fused = true, .decline = fold_declines, .run = fold},
    {.name = "double",
     .what = "fused: as simd, in double, for f64 tensors; memory linear in T",
     .fused = true,
     .decline = in_double_declines,
     .run = in_double},
    {.name = "classic",
     .what = "bmm, softmax, bmm on the whole S x S matrix; returns it, or its scores, when wanted",
     .every_tile = true,
     .slowness = 2,
     .decline = classic_declines,
     .run = classic},
};

}  // namespace

std::span<const Walk> walks() {
  return kWalks;
}

}  // namespace heed::walk
