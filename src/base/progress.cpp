#include "base/progress.hpp"

#include <algorithm>

namespace heed::base {

void Progress::enter(double begin, double share) {
  begin_ = begin;
  share_ = share;
  steps_ = 0;
  done_ = 0;
}

void Progress::step(std::int64_t done) {
  if (watch_.cancel != nullptr && watch_.cancel->load(std::memory_order_relaxed)) throw Cancelled();
  if (!watch_.progress) return;
  done_ += done;
  if (telling_.test_and_set()) return;  // another thread tells
  struct Clear {
    std::atomic_flag& flag;
    ~Clear() { flag.clear(); }
  } const clear{telling_};
  tell();
}

void Progress::tell() {
  if (steps_ <= 0) return;
  watch_.progress(begin_ + share_ * std::min(1.0, static_cast<double>(done_) / static_cast<double>(steps_)));
}

}  // namespace heed::base
