// The table of walks that compute O.
#include "walk/classic.hpp"
#include "walk/fold.hpp"
#include "walk/walk.hpp"

namespace heed::walk {
namespace {

constexpr Walk kWalks[] = {
    {.name = "fold",
     .what = "fused: {}; memory linear in T",
     .any_machine = true,
     .fused = true,
     .decline = fold_declines,
     .scratch = fold_scratch,
     .run = fold},
    {.name = "classic",
     .what = "bmm, softmax, bmm on the whole S x S matrix; returns it when wanted",
     .every_tile = true,
     .slowness = 2,
     .decline = classic_declines,
     .scratch = classic_scratch,
     .run = classic},
};

}  // namespace

std::span<const Walk> walks() {
  return kWalks;
}

}  // namespace heed::walk
