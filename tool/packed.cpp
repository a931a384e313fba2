#include "packed.hpp"

#include <algorithm>

#include <heed/error.hpp>
#include <heed/units.hpp>

#include "inputs.hpp"

namespace heed::tool {
namespace {

constexpr const char* kBegins = "where each sequence begins and the last ends";

/// The integers of a file.
std::vector<std::int64_t> offsets_from(const std::string& option, const std::string& spec, Loaded& loaded) {
  const Tensor tensor = read_tensor(spec, option);
  loaded.paths.push_back(path_of(spec));
  const std::string where = option + " " + spec;
  if (is_real(tensor.dtype()) || tensor.dtype() == DType::kBool)
    throw Error({"offsets are no integers", where, std::string("integers, ") + kBegins, std::string(name_of(tensor.dtype()))});
  if (tensor.shape().rank() != 1) throw Error({"wrong rank", where, std::string("[sequences + 1], ") + kBegins, to_text(tensor.shape())});
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(tensor.count()));
  for (std::size_t n = 0; n < offsets.size(); ++n) offsets[n] = integer_at(tensor.view(), static_cast<std::int64_t>(n));
  return offsets;
}

/// The place in the words of the command line.
std::string in_options(std::string where, const ProblemOptions& options) {
  const std::string query = "--offsets " + options.offsets, key = options.key_offsets.empty()
                                                                      ? query + " (of the keys too, without --key-offsets)"
                                                                      : "--key-offsets " + options.key_offsets;
  if (where == "problem, query_offsets and key_offsets") return query + " and " + key;
  for (const auto& [name, option] : {std::pair<std::string, std::string>{"problem, query_offsets", query}, {"problem, key_offsets", key}}) {
    if (where.starts_with(name)) return option + where.substr(name.size());
  }
  return where;
}

}  // namespace

bool is_packed(const Problem& problem) {
  return !problem.query_offsets.empty();
}

Dims lines_shape(const Problem& problem) {
  if (is_packed(problem)) return {problem.query_offsets.back(), problem.heads};
  return {problem.batch, problem.heads, problem.queries};
}

Dims rows_shape(const Problem& problem, std::int64_t last) {
  Dims shape = lines_shape(problem);
  shape.push(last);
  return shape;
}

Dims keys_shape(const Problem& problem, std::int64_t heads) {
  if (is_packed(problem)) return {problem.key_offsets.back(), heads};
  return {problem.batch, heads, problem.keys};
}

Problem packed_problem(const ProblemOptions& options, Loaded& loaded) {
  std::vector<std::int64_t> queries = offsets_from("--offsets", options.offsets, loaded);
  std::vector<std::int64_t> keys = options.key_offsets.empty() ? queries : offsets_from("--key-offsets", options.key_offsets, loaded);
  try {
    return problem_of(loaded.inputs.q, loaded.inputs.k, loaded.inputs.v, std::move(queries), std::move(keys));
  } catch (const Error& error) {
    Error::Parts parts = error.parts();
    parts.where = in_options(parts.where, options);
    throw Error(parts);
  }
}

void check_packed_options(const ProblemOptions& options) {
  if (options.offsets.empty() && !options.key_offsets.empty())
    throw Error(
        {"offsets of keys without those of queries", "--key-offsets " + options.key_offsets, "--offsets FILE beside it", "no --offsets"});
  if (!options.offsets.empty() && !options.layout.empty())
    throw Error({"packed sequences have one order of axes", "--layout beside --offsets", "q, k and v [T_total, H, D], without --layout",
                 options.layout});
}

PackedRow packed_row(const std::vector<std::int64_t>& offsets, std::int64_t row) {
  if (offsets.empty()) return {0, row};
  const auto after = std::upper_bound(offsets.begin(), offsets.end(), row);
  return {after - offsets.begin() - 1, row - *(after - 1)};
}

nlohmann::json packed_json(const Problem& problem) {
  return {{"sequences", problem.batch}, {"queries", problem.query_offsets.back()}, {"keys", problem.key_offsets.back()}};
}

nlohmann::json classes_json(const Plan& plan) {
  const std::vector<std::int64_t>& offsets = plan.problem().query_offsets;
  nlohmann::json list = nlohmann::json::array();
  for (const SequenceClass& one : plan.classes()) {
    std::int64_t fewest = one.sequences.empty() ? 0 : INT64_MAX, most = 0;
    for (const std::int64_t b : one.sequences) {
      const std::int64_t queries = offsets[static_cast<std::size_t>(b) + 1] - offsets[static_cast<std::size_t>(b)];
      fewest = std::min(fewest, queries);
      most = std::max(most, queries);
    }
    nlohmann::json refusals = nlohmann::json::array();
    for (const Refusal& refusal : one.refusals) refusals.push_back({{"kernel", refusal.kernel}, {"reason", refusal.reason}});
    list.push_back({{"kernel", one.kernel},
                    {"sequences", one.sequences.size()},
                    {"fewest_queries", fewest},
                    {"most_queries", most},
                    {"refusals", std::move(refusals)}});
  }
  return list;
}

std::string kernels_text(const Plan& plan) {
  const std::vector<SequenceClass> classes = plan.classes();
  if (classes.size() == 1) return "kernel " + plan.kernel();
  std::string text;
  for (const SequenceClass& one : classes)
    text += (text.empty() ? "kernels " : ", ") + one.kernel + " of " + count_text(static_cast<std::int64_t>(one.sequences.size())) +
            (text.empty() ? " sequences" : "");
  return text;
}

}  // namespace heed::tool
