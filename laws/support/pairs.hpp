// Pairs: cases over many factors such that every two values of two factors meet in some case, without the full product.
//
// Greedy and seeded: for the next pair that has met in no case, candidates that hold it are drawn, the other factors chosen one by one for
// the pairs that they bring or at random, and the best that is not refused becomes a case. A pair of which every one of many candidates is
// refused is one that cannot be: it is kept with the last reason. So every pair has run or says why it did not.
// Source: Cohen, Dalal, Fredman & Patton 1997 (AETG). Checked: laws/combinations_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace heed::laws {

struct Factor {
  std::string name;
  std::vector<std::string> values;
};

using Row = std::vector<std::size_t>;  ///< the number of a value for each factor

struct Met {
  std::size_t factor = 0, value = 0, other_factor = 0, other_value = 0;
};

struct RefusedPair {
  Met pair;
  Row row;  ///< the last that was refused
  std::string reason;
};

struct Covering {
  std::vector<Row> rows;  ///< none of them refused
  std::size_t pairs = 0;  ///< of all factors
  std::size_t met = 0;    ///< of those, in a row
  std::vector<RefusedPair> refused;
  std::vector<std::string> reasons;  ///< of every row that was refused on the way
};

struct Cover {
  std::uint64_t seed = 1;
  std::size_t most_rows = std::numeric_limits<std::size_t>::max();
  std::function<bool(const Row&)> takes;           ///< false: no candidate (too dear); every pair must have one that is
  std::function<std::string(const Row&)> refusal;  ///< "": a case
};

[[nodiscard]] Covering cover_pairs(const std::vector<Factor>& factors, const Cover& how);

}  // namespace heed::laws
