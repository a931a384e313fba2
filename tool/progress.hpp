// A bar on standard error while something long runs: time passed against the time expected. Only for a terminal, only past a second.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace heed::tool {

class Progress {
 public:
  /// Shows nothing where standard error is no terminal.
  Progress(std::string what, double expected_seconds);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void draw_until_done();

  std::string what_;
  double expected_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace heed::tool
