#include "memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include <heed/error.hpp>

#include "report.hpp"

namespace heed::tool {
namespace {

std::string asked;

/// Bytes that can still be had, by Linux's own estimate and the limit of the control group; infinite where neither is known.
double available() {
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

}  // namespace

void asking_for(std::string what) {
  asked = std::move(what);
}

const std::string& asked_for() {
  return asked;
}

void require_memory(const std::string& what, double bytes) {
  asking_for(what + ", " + bytes_text(bytes));
  constexpr double kSmall = 64.0 * 1024 * 1024;  // not worth asking
  if (bytes <= kSmall) return;
  const double left = available();
  if (bytes > left) throw Error({"not enough memory", what, bytes_text(bytes), bytes_text(left) + " available"});
}

Tensor make_tensor(const std::string& what, DType dtype, const Dims& shape) {
  require_memory(what, static_cast<double>(count_of(shape)) * static_cast<double>(size_of(dtype)));
  return {dtype, shape};
}

}  // namespace heed::tool
