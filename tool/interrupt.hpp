// Ctrl-C while something computes: the first one asks the work to stop, so that nothing half made is written and the exit status is 130;
// the second ends the process as ever.
#pragma once

#include <csignal>

#include <heed/watch.hpp>

#include "progress.hpp"

namespace heed::tool {

/// While it lives. One at a time.
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  /// Stops at Ctrl-C, and tells a bar how far it is.
  [[nodiscard]] Watch watch(Progress& progress) const;

 private:
  struct sigaction before_ {};
};

}  // namespace heed::tool
