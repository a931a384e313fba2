// heed attend: computes, writes what is asked for, says what it cost and where the attention went.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include <heed/error.hpp>

#include "analysis.hpp"
#include "outputs.hpp"
#include "report.hpp"
#include "sheet.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

struct AttendOptions : ProblemOptions {
  std::string out, lse, map, received, rows;
  std::int64_t top = 0;
  bool stats = false;
};

constexpr const char* kExamples = R"help(Examples:
  heed attend layer.safetensors --mask causal --out O.npy
  heed attend layer.npz --q query --mask "causal & (q - k < 4096 | k < 4)" --score "softcap(50)" --map maps.png
  heed attend --q Q.npy --k K.npy --v V.npy --mask "documents(ends)" --table ends=ends.npy --lse L.npy
  heed attend examples/licence-smollm2-layer15.safetensors --top 5 --rows 10,200 --stats

O is written in the inputs' element type, float32 for bf16 (.npy has none). A name in .safetensors gives that format, with one tensor
o, lse or received; `--out -` writes the .npy to standard output, and the report goes to standard error.
Nothing at all after `attend`: the embedded example, as `heed example`.)help";

std::vector<std::int64_t> chosen_rows(const AttendOptions& options, const Problem& problem) {
  if (options.top == 0 && options.rows.empty()) return {};
  if (options.rows.empty()) return problem.queries > 0 ? std::vector{problem.queries - 1} : std::vector<std::int64_t>{};
  std::vector<std::int64_t> rows = integers_from("--rows", options.rows);
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= problem.queries)
      throw Error({"no such row", "--rows", "0 to " + std::to_string(problem.queries - 1), std::to_string(row)});
  }
  return rows;
}

Wanted wanted_by(const AttendOptions& options, const Problem& problem) {
  Wanted wanted{.o = !options.out.empty(), .statistics = options.stats, .received = options.stats || !options.received.empty()};
  if (!options.map.empty()) {
    wanted.map_rows = map_cells(problem.queries);
    wanted.map_columns = map_cells(problem.keys);
  }
  wanted.rows = chosen_rows(options, problem);
  check_wanted(problem, wanted);
  return wanted;
}

std::vector<Target> targets_of(const AttendOptions& options, const Plan& plan, const Results& results,
                               const std::vector<std::string>& tokens) {
  std::vector<Target> targets;
  const auto add = [&](const char* option, const std::string& path, const char* name, const Tensor& tensor) {
    if (!path.empty()) targets.push_back(array_target(option, path, name, tensor));
  };
  add("--out", options.out, "o", results.o);
  add("--lse", options.lse, "lse", results.lse);
  add("--received", options.received, "received", results.received);
  if (!options.map.empty()) {
    targets.push_back(picture_target("--map", options.map, [&] { return draw(sheet_of(plan, results, tokens, "Where each head looks")); }));
  }
  return targets;
}

bool unknown(const std::vector<double>& weights) {
  return std::ranges::any_of(weights, [](double weight) { return std::isnan(weight); });
}

std::string top_text(const Results& results, const Wanted& wanted, std::size_t top, const Loaded& loaded) {
  std::string text;
  const Problem& p = loaded.problem;
  for (std::size_t row = 0; row < wanted.rows.size(); ++row) {
    const std::int64_t query = wanted.rows[row];
    const bool named = !loaded.tokens.empty() && p.queries == p.keys;
    text += fmt::format("\nquery {}{} looks at\n", count_text(query), named ? " " + word(loaded.tokens, query) : "");
    Grid grid(p.batch > 1 ? std::vector<std::string>{"batch", "head", "keys, most first"}
                          : std::vector<std::string>{"head", "keys, most first"});
    for (std::int64_t head = 0; head < p.batch * p.heads; ++head) {
      std::string looks;
      const std::vector<double> weights = weights_of(results, head / p.heads, head % p.heads, static_cast<std::int64_t>(row));
      for (const Look& look : strongest(weights, top)) {
        const std::string name =
            loaded.tokens.empty() ? count_text(look.key) : fmt::format("{} ({})", word(loaded.tokens, look.key), look.key);
        looks += (looks.empty() ? "" : "   ") + name + " " + percent_text(look.weight);
      }
      std::vector<std::string> cells{std::to_string(head % p.heads), unknown(weights) ? "NaN" : looks.empty() ? "nothing" : looks};
      if (p.batch > 1) cells.insert(cells.begin(), std::to_string(head / p.heads));
      grid.row(std::move(cells));
    }
    text += grid.text("  ");
  }
  return text;
}

nlohmann::json top_json(const Results& results, const Wanted& wanted, std::size_t top, const Loaded& loaded) {
  nlohmann::json list = nlohmann::json::array();
  const Problem& p = loaded.problem;
  for (std::size_t row = 0; row < wanted.rows.size(); ++row) {
    for (std::int64_t head = 0; head < p.batch * p.heads; ++head) {
      nlohmann::json keys = nlohmann::json::array();
      for (const Look& look : strongest(weights_of(results, head / p.heads, head % p.heads, static_cast<std::int64_t>(row)), top)) {
        nlohmann::json key{{"key", look.key}, {"weight", look.weight}};
        if (!loaded.tokens.empty()) key["token"] = loaded.tokens[static_cast<std::size_t>(look.key)];
        keys.push_back(std::move(key));
      }
      list.push_back({{"row", wanted.rows[row]},
                      {"batch", head / p.heads},
                      {"head", head % p.heads},
                      {"nan", results.nan.at(head / p.heads, head % p.heads, wanted.rows[row])},
                      {"keys", std::move(keys)}});
    }
  }
  return list;
}

void report_json(const AttendOptions& options, const Loaded& loaded, const Plan& plan, const Results& results, const Wanted& wanted,
                 const std::vector<Target>& targets, std::size_t top) {
  nlohmann::json json{
      {"problem", problem_json(plan.problem())}, {"plan", to_json(plan)}, {"seconds", results.seconds}, {"notes", loaded.notes}};
  json["written"] = nlohmann::json::object();
  for (const Target& target : targets) json["written"][target.option.substr(2)] = target.path;
  json["nan_rows"] = results.nan.json();
  if (wanted.census()) json["census_seconds"] = results.census_seconds;
  if (options.stats) {
    for (const HeadSummary& head : summarise(results)) json["heads"].push_back(to_json(head, loaded.tokens));
  }
  if (!wanted.rows.empty()) json["top"] = top_json(results, wanted, top, loaded);
  say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void report_text(const AttendOptions& options, const Loaded& loaded, const Plan& plan, const Results& results, const Wanted& wanted,
                 const std::vector<Target>& targets, std::size_t top) {
  say(plan.problem().text() + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(fmt::format("kernel {}, {} thread{}: {} for {} ({:.1f} GFLOP/s), scratch {} where the S x S matrix would take {}\n", plan.kernel(),
                  plan.threads(), plan.threads() == 1 ? "" : "s", seconds_text(results.seconds), flop_text(plan.flops()),
                  results.seconds > 0 ? plan.flops() / results.seconds / 1e9 : 0.0, bytes_text(static_cast<double>(plan.scratch_bytes())),
                  bytes_text(static_cast<double>(plan.square_bytes()))));
  say(results.nan.text());
  if (wanted.census()) say("where it went: " + seconds_text(results.census_seconds) + "\n");
  if (options.stats) say("\n" + heads_text(summarise(results), plan.problem().batch, loaded.tokens));
  say(top_text(results, wanted, top, loaded));
  if (!targets.empty()) say("\n");
  for (const Target& target : targets) say("wrote " + target.path + "\n");
}

int run(const AttendOptions& options) {
  Loaded loaded = load(options);
  const Wanted wanted = wanted_by(options, loaded.problem);
  loaded.problem.statistics = wanted.statistics;
  Results results;
  const Plan plan(loaded.problem);
  const std::vector<Target> targets = targets_of(options, plan, results, loaded.tokens);
  check_targets(targets, loaded.paths);
  results = compute(plan, loaded.inputs, wanted);
  write_targets(targets);
  const std::size_t top = options.top > 0 ? static_cast<std::size_t>(options.top) : 5;
  (options.json ? report_json : report_text)(options, loaded, plan, results, wanted, targets, top);
  return 0;
}

}  // namespace

void add_attend(CLI::App& app, Task& task) {
  const auto options = std::make_shared<AttendOptions>();
  CLI::App* const verb = app.add_subcommand("attend", "computes attention; writes results and says where the attention went");
  add_problem_options(*verb, *options);
  verb->add_option("-o,--out", options->out, "O [B, Hq, Tq, Dv]")->type_name("O.npy");
  verb->add_option("--lse", options->lse, "L [B, Hq, Tq], natural log-sum-exp of the scores")->type_name("L.npy");
  verb->add_option("--map", options->map, "a sheet with the pooled map of every head")->type_name("M.png");
  verb->add_option("--received", options->received, "weight that each key receives [B, Hq, Tk]")->type_name("R.npy");
  verb->add_option("--top", options->top, "the N keys that the rows of --rows look at most")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  verb->add_option("--rows", options->rows, "query indices for --top; default: the last")->type_name("I,J,...");
  verb->add_flag("--stats", options->stats, "per head: mean entropy, effective keys, the key that receives most");
  verb->footer(kExamples);
  verb->callback([verb, options, &task] {
    bool bare = true;
    for (const CLI::Option* option : verb->get_options()) bare &= option->count() == 0;
    task = [bare, options] { return bare ? run_example() : run(*options); };
  });
}

}  // namespace heed::tool
