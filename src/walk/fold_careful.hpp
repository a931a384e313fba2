// Rows folded again: those that met numbers which the products do not take, and those that came out NaN though they see none.
#pragma once

#include "walk/fold_worker.hpp"

namespace heed::walk {

/// After a block was folded into `part`: rows that met numbers which the products do not take (NaN and infinities behind the mask, too) are
/// folded again, by the careful words, and adopted; the others keep their bits.
void mend(const FoldView& view, FoldWorker& w, const FoldState& part, const Band& band, std::int64_t n, Block& block);

}  // namespace heed::walk
