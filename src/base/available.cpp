#include <heed/available.hpp>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <tbb/info.h>

namespace heed {

int available_threads() {
  return std::max(1, tbb::info::default_concurrency());
}

double available_memory() {
  double least = std::numeric_limits<double>::infinity();
  std::ifstream facts("/proc/meminfo");
  for (std::string key, unit; facts >> key;) {
    double kib = 0;
    if (key == "MemAvailable:" && facts >> kib) least = kib * 1024;
    std::getline(facts, unit);
  }
  double limit = 0;
  std::ifstream group("/sys/fs/cgroup/memory.max");  // "max" where there is none: no number
  return group >> limit ? std::min(least, limit) : least;
}

}  // namespace heed
