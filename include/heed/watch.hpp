// Watch: a hand on a run while it computes: stopping it, seeing how far it is, and the memory it works in.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>

namespace heed {

struct Watch {
  /// Looked at once per block of keys, so within some milliseconds; once true, the run ends with Cancelled. Null: nobody stops it.
  const std::atomic<bool>* cancel = nullptr;
  /// Called with the share of the work that is done, growing from 0 to 1, by whichever thread has just done some, never by two at once.
  std::function<void(double done)> progress{};
  /// Memory of the caller's for a run: Plan::scratch_bytes() or more, at a multiple of 64 bytes; then heed asks for none itself. Empty:
  /// heed asks for it. Not for several runs at once. Census has its own.
  std::span<std::byte> scratch{};
};

/// A run was stopped by its Watch. What it wrote until then is no result.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

}  // namespace heed
