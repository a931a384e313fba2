// What a run used of the machine's limits, as text and as JSON.
//
// Work is counted as the kernel does it: all pairs of the tiles that it visits. Bytes are Q, K, V and O, each once.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include <heed/limits.hpp>
#include <heed/plan.hpp>

namespace heed::tool {

/// Work of one kind that a run did, in units (flop, exps, bytes) per second, beside the limit.
struct Use {
  std::string name;    // products, exp, dram
  std::string limit;   // whose name in Limits
  double count = 0;    // units of the whole run
  double rate = 0;     // units per second
  double highest = 0;  // the limit, per second
  [[nodiscard]] double share() const { return rate / highest; }
};

struct Uses {
  Use products, exp, dram;
  [[nodiscard]] const Use& binding() const;  // the largest share
};

/// Products are counted in steps of the unit that the kernel multiplies with, and held against its limit.
/// `read`: a plain read of as many bytes as the tensors have, bytes per second.
[[nodiscard]] Uses uses_of(const Plan& plan, double seconds, const Limits& limits, double read);

[[nodiscard]] nlohmann::json to_json(const Limits& limits);
[[nodiscard]] nlohmann::json to_json(const Uses& uses);
[[nodiscard]] std::string text_of(const Limits& limits);
[[nodiscard]] std::string text_of(const Uses& uses);

}  // namespace heed::tool
