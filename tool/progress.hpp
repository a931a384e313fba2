// A bar on standard error while something long runs: the share done where the work reports it, else time passed against the time
// expected, else time passed alone. Only for a terminal, only past a second.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace heed::tool {

class Progress {
 public:
  /// Shows nothing where standard error is no terminal. expected_seconds 0: nobody knows.
  Progress(std::string what, double expected_seconds);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// So much of the work is done, of 1.
  void reached(double share) { share_ = share; }

 private:
  void draw_until_done();
  [[nodiscard]] std::string line(double passed) const;

  std::string what_;
  double expected_;
  std::atomic<double> share_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace heed::tool
