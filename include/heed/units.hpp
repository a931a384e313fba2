// Numbers in human units, as plans in words and the tool say them. A point for decimals in any locale.
#pragma once

#include <cstdint>
#include <string>

namespace heed {

/// "1.4 MiB"
[[nodiscard]] std::string bytes_text(double bytes);
/// "12.3 ms", "4.10 s", "3 min 20 s"
[[nodiscard]] std::string seconds_text(double seconds);
/// "2,224"
[[nodiscard]] std::string count_text(std::int64_t count);
/// 0.263 -> "26.3 %"
[[nodiscard]] std::string percent_text(double share);
/// "12.3 GFLOP"
[[nodiscard]] std::string flop_text(double flop);

}  // namespace heed
