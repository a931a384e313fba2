// Packing: the keys and values of a block as the products read them, where they lie or packed, once for all tiles of queries of a band.
#pragma once

#include <cstdint>

#include "walk/fold_worker.hpp"

namespace heed::walk {

/// Operands of one tile of keys, packed into place `place` of the buffers where the products do not read them where they lie.
void pack_tile(const FoldView& view, FoldWorker& w, Block& block, std::int64_t tile, std::int64_t place);
/// All tiles of a block that any tile of the band sees.
void pack(const FoldView& view, FoldWorker& w, const Band& band, Block& block);

}  // namespace heed::walk
