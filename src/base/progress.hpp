// Progress: how a walk tells a Watch of its blocks, and learns that it is to stop.
#pragma once

#include <atomic>
#include <cstdint>

#include <heed/watch.hpp>

namespace heed::base {

class Progress {
 public:
  explicit Progress(const Watch& watch) : watch_(watch) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// What follows is so much of the whole: from `begin` on, `share` of it.
  void enter(double begin, double share);
  /// So many steps make this part.
  void expect(std::int64_t steps) { steps_ = steps; }
  /// Some more are done. Throws Cancelled.
  void step(std::int64_t done = 1);

 private:
  void tell();

  const Watch& watch_;
  double begin_ = 0, share_ = 1;
  std::int64_t steps_ = 0;
  std::atomic<std::int64_t> done_{0};
  std::atomic_flag telling_{};
};

}  // namespace heed::base
