// What is told of a run: where the attention of each head went, what chosen rows look at.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <heed/plan.hpp>

#include "compute.hpp"
#include "in_float32.hpp"
#include "problem_options.hpp"

namespace heed::tool {

/// Where the attention of one head went.
struct HeadSummary {
  std::int64_t b = 0, h = 0;
  double entropy = 0;      ///< nats, mean over the queries that see a key and have an L; NaN where all of these have none
  double effective = 0;    ///< keys, mean likewise
  std::int64_t key = -1;   ///< the one that receives most; -1 where nothing was received, or NaN
  double share = 0;        ///< of all the weight on keys; NaN where some of it is
  std::int64_t empty = 0;  ///< rows that see no key
  std::int64_t nan = 0;    ///< rows that are NaN
  std::int64_t first_nan = -1;
};
[[nodiscard]] std::vector<HeadSummary> summarise(const Results& results);
[[nodiscard]] nlohmann::json to_json(const HeadSummary& head, const std::vector<std::string>& tokens);
[[nodiscard]] std::string heads_text(const std::vector<HeadSummary>& heads, std::int64_t batch, const std::vector<std::string>& tokens);

/// `text`, or "NaN" where the value is.
[[nodiscard]] std::string number(double value, std::string text);

/// A key and the weight a row gives it.
struct Look {
  std::int64_t key = 0;
  double weight = 0;
};
/// What row `row` (an index into Wanted::top_rows) of head (b, h) looks at most, as census found it; weightless keys are left out. Of a row
/// that is NaN the weights are.
[[nodiscard]] std::vector<Look> strongest(const Results& results, std::int64_t b, std::int64_t h, std::int64_t row);

/// "\"patent\"" with tokens, else "key 812".
[[nodiscard]] std::string word(const std::vector<std::string>& tokens, std::int64_t key);
/// Of an f64 problem that has something to compute: what it would cost in float32, with a note.
[[nodiscard]] std::optional<InFloat32> say_float32(const Plan& plan, Loaded& loaded);
[[nodiscard]] nlohmann::json to_json(const InFloat32& costs);
/// The plan as JSON: kernel, threads, tiles, bytes, expected seconds, refusals.
[[nodiscard]] nlohmann::json to_json(const Plan& plan);

}  // namespace heed::tool
