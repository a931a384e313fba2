#include "analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "packed.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

/// Means of a head over its rows [first, first + queries): those that see a key and are not NaN.
void add_means(HeadSummary& head, const Results& results, std::int64_t first, std::int64_t queries) {
  std::int64_t seen = 0, broken = 0;
  for (std::int64_t row = first; row < first + queries; ++row) {
    if (results.nan.is_nan[static_cast<std::size_t>(row)]) {
      if (head.nan++ == 0) head.first_nan = row - first;
    }
    const double effective = real_at(results.effective.view(), row), entropy = real_at(results.entropy.view(), row);
    if (std::isnan(real_at(results.lse.view(), row)) || std::isnan(effective) || std::isnan(entropy)) {
      ++broken;
    } else if (effective == 0) {
      ++head.empty;
    } else {
      head.entropy += entropy;
      head.effective += effective;
      ++seen;
    }
  }
  const double count = seen > 0 ? static_cast<double>(seen) : broken > 0 ? std::numeric_limits<double>::quiet_NaN() : 1;
  head.entropy /= count;
  head.effective /= count;
}

}  // namespace

std::string number(double value, std::string text) {
  return std::isnan(value) ? "NaN" : text;
}

std::vector<HeadSummary> summarise(const Results& results) {
  const Dims& shape = results.received.shape();
  const std::int64_t queries = results.lse.shape()[2], keys = shape[2];
  std::vector<HeadSummary> heads;
  for (std::int64_t head = 0; head < shape[0] * shape[1]; ++head) {
    HeadSummary summary{.b = head / shape[1], .h = head % shape[1]};
    add_means(summary, results, head * queries, queries);
    const float* const received = results.received.data<float>() + head * keys;
    const double all = std::accumulate(received, received + keys, 0.0);
    if (std::isnan(all)) summary.share = std::numeric_limits<double>::quiet_NaN();
    if (all > 0) {
      summary.key = std::max_element(received, received + keys) - received;
      summary.share = static_cast<double>(received[summary.key]) / all;
    }
    heads.push_back(summary);
  }
  return heads;
}

nlohmann::json to_json(const HeadSummary& head, const std::vector<std::string>& tokens) {
  nlohmann::json json{{"batch", head.b},
                      {"head", head.h},
                      {"mean_entropy", head.entropy},
                      {"mean_effective_keys", head.effective},
                      {"top_key", head.key},
                      {"top_key_share", head.share},
                      {"empty_rows", head.empty},
                      {"nan_rows", head.nan},
                      {"first_nan_row", head.nan > 0 ? nlohmann::json(head.first_nan) : nlohmann::json()}};
  if (!tokens.empty() && head.key >= 0) json["top_key_token"] = tokens[static_cast<std::size_t>(head.key)];
  return json;
}

std::string heads_text(const std::vector<HeadSummary>& heads, std::int64_t batch, const std::vector<std::string>& tokens) {
  Grid grid(batch > 1 ? std::vector<std::string>{"batch", "head", "mean entropy", "effective keys", "receives most", "its share"}
                      : std::vector<std::string>{"head", "mean entropy", "effective keys", "receives most", "its share"});
  for (const HeadSummary& head : heads) {
    std::vector<std::string> cells{
        std::to_string(head.h), number(head.entropy, fmt::format("{:.2f} nats", head.entropy)),
        number(head.effective, fmt::format("{:.1f}", head.effective)),
        head.key < 0 ? number(head.share, "none") : "key " + count_text(head.key) + (tokens.empty() ? "" : " " + word(tokens, head.key)),
        number(head.share, percent_text(head.share))};
    if (batch > 1) cells.insert(cells.begin(), std::to_string(head.b));
    grid.row(std::move(cells));
  }
  return grid.text("  ");
}

std::vector<Look> strongest(const Results& results, std::int64_t b, std::int64_t h, std::int64_t row) {
  const Dims& shape = results.top_keys.shape();
  const std::int64_t first = ((b * shape[1] + h) * shape[2] + row) * shape[3];
  std::vector<Look> looks;
  for (std::int64_t at = first; at < first + shape[3]; ++at) {
    const Look look{results.top_keys.data<std::int64_t>()[at], static_cast<double>(results.top_weights.data<float>()[at])};
    if (look.weight != 0) looks.push_back(look);
  }
  return looks;
}

std::string word(const std::vector<std::string>& tokens, std::int64_t key) {
  if (tokens.empty()) return "key " + count_text(key);
  std::string text = tokens[static_cast<std::size_t>(key)];
  if (text.find_first_not_of(" \n\t") == std::string::npos) {
    return text.find('\n') != std::string::npos ? "\"\\n\"" : "\" \"";  // white space of any length is the end of a line, or a gap
  }
  text.erase(0, text.find_first_not_of(' '));
  return "\"" + one_line(text) + "\"";
}

std::optional<InFloat32> say_float32(const Plan& plan, Loaded& loaded) {
  const Problem& p = plan.problem();
  if (p.dtype != DType::kF64 || p.batch * p.heads * p.queries * p.keys == 0) return std::nullopt;
  InFloat32 costs = in_float32(plan, loaded.inputs);
  loaded.notes.push_back(costs.text());
  return costs;
}

nlohmann::json to_json(const InFloat32& costs) {
  return {{"double_seconds", costs.double_seconds}, {"expected_seconds", costs.seconds}, {"kernel", costs.kernel}};
}

nlohmann::json to_json(const Plan& plan) {
  const TileCounts& tiles = plan.tiles();
  nlohmann::json refusals = nlohmann::json::array();
  for (const Refusal& refusal : plan.refusals()) refusals.push_back({{"kernel", refusal.kernel}, {"reason", refusal.reason}});
  nlohmann::json json{{"kernel", plan.kernel()},
                      {"threads", plan.threads()},
                      {"tiles", {{"empty", tiles.empty}, {"partial", tiles.partial}, {"full", tiles.full}}},
                      {"scratch_bytes", plan.scratch_bytes()},
                      {"square_bytes", plan.square_bytes()},
                      {"flop", plan.flops()},
                      {"plan_seconds", plan.planning_seconds()},
                      {"expected_seconds", plan.expected().seconds},
                      {"binds", plan.expected().limit},
                      {"refusals", refusals}};
  if (is_packed(plan.problem())) json["classes"] = classes_json(plan);
  return json;
}

}  // namespace heed::tool
