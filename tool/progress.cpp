#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "report.hpp"

namespace heed::tool {
namespace {

constexpr int kCells = 30;
constexpr std::chrono::milliseconds kFirst{1000}, kNext{200};

std::string bar(double share) {
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kCells);
  return "[" + std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(kCells - full), ' ') + "]";
}

}  // namespace

Progress::Progress(std::string what, double expected_seconds) : what_(std::move(what)), expected_(expected_seconds) {
  if (::isatty(STDERR_FILENO) != 0) thread_ = std::thread([this] { draw_until_done(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::string Progress::line(double passed) const {
  const double share = share_;
  if (share <= 0 && expected_ <= 0) return fmt::format("{} {}", what_, seconds_text(passed));
  const double total = share > 0 ? passed / share : std::max(expected_, passed);
  return fmt::format("{} {} {} of about {}", what_, bar(passed / total), seconds_text(passed), seconds_text(total));
}

void Progress::draw_until_done() {
  const auto start = std::chrono::steady_clock::now();
  bool drawn = false;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, drawn ? kNext : kFirst, [this] { return done_; })) {
    const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::fputs(("\r\x1b[K" + line(passed)).c_str(), stderr);
    drawn = true;
  }
  if (drawn) std::fputs("\r\x1b[K", stderr);
}

}  // namespace heed::tool
