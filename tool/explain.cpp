// heed explain: the plan without the run.
#include <memory>

#include "analysis.hpp"
#include "memory.hpp"
#include "packed.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr const char* kExamples = R"help(Examples:
  heed explain layer.safetensors --mask "window(512)"
  heed explain --q Q.npy --k K.npy --v V.npy --mask causal --align end --strict
  heed explain --q Q.npy --k K.npy --v V.npy --offsets O.npy --key-offsets P.npy --mask causal --align end)help";

int run(const ProblemOptions& options) {
  Loaded loaded = load(options);
  const Plan plan = make_plan(loaded.problem);
  const std::optional<InFloat32> float32 = say_float32(plan, loaded);
  if (options.json) {
    nlohmann::json json{{"problem", problem_json(plan.problem())}, {"plan", to_json(plan)}, {"notes", loaded.notes}};
    if (float32) json["float32"] = to_json(*float32);
    say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    return 0;
  }
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(plan.explain());
  return 0;
}

}  // namespace

nlohmann::json problem_json(const Problem& problem) {
  nlohmann::json scores = nlohmann::json::array();
  for (const Expr& score : problem.scores) scores.push_back(to_text(score));
  nlohmann::json json{{"batch", problem.batch},
                      {"heads", problem.heads},
                      {"kv_heads", problem.kv_heads},
                      {"queries", problem.queries},
                      {"keys", problem.keys},
                      {"dim", problem.dim},
                      {"value_dim", problem.value_dim},
                      {"dtype", std::string(name_of(problem.dtype))},
                      {"mask", problem.mask.empty() ? "full" : to_text(problem.mask)},
                      {"scores", scores},
                      {"sink", problem.sink.given()},
                      {"text", problem.text()}};
  if (is_packed(problem)) json["packed"] = packed_json(problem);
  return json;
}

void add_explain(CLI::App& app, Task& task) {
  const auto options = std::make_shared<ProblemOptions>();
  CLI::App* const verb = app.add_subcommand("explain", "the plan: kernel, tiles, scratch, expected time, who declined and why");
  add_problem_options(*verb, *options);
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
