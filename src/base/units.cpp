// Checked by units_test.cpp.
#include <heed/units.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace heed {
namespace {

std::string fixed(double value, int digits) {
  std::array<char, 400> text{};  // the largest double has 309 digits before the point
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  return {text.data(), end};
}

/// A value in the first unit in which it is below `step`.
template <std::size_t N>
std::string scaled(double value, double step, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  while (std::abs(value) >= step && unit + 1 < N) {
    value /= step;
    ++unit;
  }
  return fixed(value, value == std::floor(value) && unit == 0 ? 0 : 1) + " " + units[unit];
}

}  // namespace

std::string bytes_text(double bytes) {
  return scaled(bytes, 1024, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string seconds_text(double seconds) {
  if (seconds < 1e-3) return fixed(seconds * 1e6, 0) + " us";
  if (seconds < 1) return fixed(seconds * 1e3, 1) + " ms";
  if (seconds < 120) return fixed(seconds, 2) + " s";
  const auto whole = std::llround(std::min(seconds, 1e15));
  if (whole < 7200) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return count_text(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string percent_text(double share) {
  return fixed(100 * share, 1) + " %";
}

std::string flop_text(double flop) {
  return scaled(flop, 1000, std::array{"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"});
}

}  // namespace heed
