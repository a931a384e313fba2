// A tenth of a program's tests, another one for every seed: `--tenth=SEED`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace heed::laws {

/// Of these names those whose hash with the seed is smallest: a tenth, rounded up.
[[nodiscard]] std::vector<std::string> tenth_of(std::vector<std::string> names, std::uint64_t seed);

/// After GoogleTest has made its tests: narrows --gtest_filter to a tenth of what it lets through, and says so.
void keep_a_tenth(std::uint64_t seed);

}  // namespace heed::laws
