// heed attend: computes, writes what is asked for, says what it cost and where the attention went.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <optional>

#include <heed/error.hpp>

#include "analysis.hpp"
#include "numbers.hpp"
#include "outputs.hpp"
#include "packed.hpp"
#include "report.hpp"
#include "sheet.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

struct AttendOptions : ProblemOptions {
  std::map<std::string, std::string> files;  ///< of kFiles, by option
  std::string map, map_size, rows, heads, scores_stage;
  std::int64_t top = 0;
  bool stats = false;
  [[nodiscard]] bool writes(const std::string& option) const { return files.contains(option); }
};

/// A tensor that goes to a file when its option is given.
struct FileOption {
  const char *option, *name;  ///< the tensor's name in .safetensors
  Tensor Results::*tensor;
  const char* what;
};
constexpr FileOption kFiles[] = {
    {"--out", "o", &Results::o, "O [B, Hq, Tq, Dv]"},
    {"--lse", "lse", &Results::lse, "L [B, Hq, Tq], natural log-sum-exp of the scores"},
    {"--maximum", "maximum", &Results::maximum, "largest score of each query [B, Hq, Tq]; -inf where it sees no key"},
    {"--entropy", "entropy", &Results::entropy, "entropy of each query's weights in nats [B, Hq, Tq]"},
    {"--effective", "effective", &Results::effective, "effective number of keys of each query, 1 / sum p^2 [B, Hq, Tq]"},
    {"--visible", "visible", &Results::visible, "how many keys each query sees [B, Hq, Tq], i64"},
    {"--weights", "weights", &Results::square,
     "the weights P [B, Hq, Tq, Tk]: costs the S x S matrix; with --rows of these alone [B, Hq, rows, Tk]"},
    {"--scores", "scores", &Results::scores,
     "the scores that the softmax takes [B, Hq, Tq, Tk], or those of --scores-stage: costs the S x S matrix"},
    {"--received", "received", &Results::received, "weight that each key receives [B, Hq, Tk]"},
    {"--seen-by", "seen_by", &Results::seen_by, "how many queries see each key [B, Hq, Tk], i64"},
    {"--top-keys", "top_keys", &Results::top_keys, "the keys with most weight, most first [B, Hq, rows, N], i64; -1: no more are seen"},
    {"--top-weights", "top_weights", &Results::top_weights, "their weights [B, Hq, rows, N]"},
};
constexpr std::pair<const char*, Scores> kStages[] = {
    {"scaled", Scores::kScaled}, {"altered", Scores::kAltered}, {"masked", Scores::kMasked}};
constexpr std::int64_t kUsualTop = 5, kMostPictureCells = 2048;

constexpr const char* kExamples = R"help(Examples:
  heed attend layer.safetensors --mask causal --out O.npy
  heed attend layer.npz --q query --mask "causal & (q - k < 4096 | k < 4)" --score "softcap(50)" --map maps.png
  heed attend --q Q.npy --k K.npy --v V.npy --mask "documents(ends)" --table ends=ends.npy --lse L.npy
  heed attend --q Q.npy --k K.npy --v V.npy --offsets O.npy --mask causal --out O2.npy
  heed attend examples/licence-smollm2-layer15.safetensors --top 5 --rows 10,200 --stats
  heed attend examples/licence-smollm2-layer15.safetensors --rows 10,200 --weights P.npy --entropy E.npy
  heed attend examples/licence-smollm2-layer15.safetensors --scores S.npy --scores-stage scaled
  heed attend examples/licence-smollm2-layer15.safetensors --map maps.npy --map-size 32,32

O is written in the inputs' element type, float32 for bf16 (.npy has none). A name in .safetensors gives that format, with one tensor,
named after the option (o, lse, top_keys, ...); `--out -` writes the .npy to standard output, and the report goes to standard error.
Of packed sequences (--offsets, FILE:NAME where a file holds several tensors) O is [T_total, Hq, Dv], what there is per query
[T_total, Hq], per key [all keys, Hq]; formulas count q, k and i within a sequence, b is the sequence. Maps, rows, --top, --weights
and --stats go with dense tensors alone.
Nothing at all after `attend`: the embedded example, as `heed example`.)help";

/// What has rows or maps of one shape does not go with packed sequences.
void check_packed_outputs(const AttendOptions& options) {
  if (options.offsets.empty()) return;
  std::string found;
  for (const auto& [option, value] :
       {std::pair<const char*, const std::string*>{"--map", &options.map}, {"--map-size", &options.map_size}, {"--rows", &options.rows}})
    if (!value->empty()) found = option + (" " + *value);
  for (const char* option : {"--weights", "--scores", "--top-keys", "--top-weights"}) {
    if (options.writes(option)) found = option + (" " + options.files.at(option));
  }
  if (options.top > 0) found = "--top " + std::to_string(options.top);
  if (options.stats) found = "--stats";
  if (found.empty()) return;
  throw Error({"packed sequences have no rows, maps and tables of one shape", "--offsets " + options.offsets,
               "files of --out, --lse, --maximum, --entropy, --effective, --visible, --received or --seen-by", found});
}

std::vector<std::int64_t> rows_given(const AttendOptions& options, const Problem& problem) {
  std::vector<std::int64_t> rows = integers_from("--rows", options.rows);
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= problem.queries)
      throw Error({"no such row", "--rows", "0 to " + std::to_string(problem.queries - 1), std::to_string(row)});
  }
  return rows;
}

/// Some heads, for files of what has a number per key of each head; a report speaks of all heads.
std::vector<std::int64_t> heads_given(const AttendOptions& options, const Problem& problem) {
  if (options.heads.empty()) return {};
  if (options.stats || (!options.map.empty() && !names_array(options.map)))
    throw Error(
        {"a report and a picture show all heads", "--heads", "files of numbers", options.stats ? "--stats" : "--map " + options.map});
  const bool any = !options.map.empty() || options.writes("--received") || options.writes("--seen-by") || options.writes("--top-keys") ||
                   options.writes("--top-weights") || (options.writes("--weights") && !options.rows.empty());
  if (!any) {
    throw Error({"heads of nothing", "--heads",
                 "--received, --seen-by, --map FILE.npy, --top-keys, --top-weights, or --weights with --rows", "none of them"});
  }
  std::vector<std::int64_t> heads = integers_from("--heads", options.heads);
  for (const std::int64_t head : heads) {
    if (head < 0 || head >= problem.heads)
      throw Error({"no such head", "--heads", "0 to " + std::to_string(problem.heads - 1), std::to_string(head)});
  }
  return heads;
}

/// The rows whose strongest keys are told: those of --rows, for --top the last where none are given. None where --heads picks heads.
std::vector<std::int64_t> told_rows(const AttendOptions& options, const Problem& problem) {
  if (!options.heads.empty()) return {};
  if (!options.rows.empty()) return rows_given(options, problem);
  if (options.top == 0 || problem.queries == 0) return {};
  return {problem.queries - 1};
}

void take_map_size(const AttendOptions& options, const Problem& problem, Wanted& wanted) {
  if (options.map.empty()) {
    if (!options.map_size.empty()) throw Error({"a size without a map", "--map-size", "--map FILE", "no --map"});
    return;
  }
  wanted.map_rows = map_cells(problem.queries);
  wanted.map_columns = map_cells(problem.keys);
  if (options.map_size.empty()) return;
  const std::vector<std::int64_t> size = integers_from("--map-size", options.map_size);
  if (size.size() != 2) throw Error({"no size of a map", "--map-size", "R,C: rows and columns", "\"" + options.map_size + "\""});
  const std::int64_t most = names_array(options.map) ? std::int64_t{1} << 40 : kMostPictureCells;
  const std::int64_t rows = std::min(std::max<std::int64_t>(problem.queries, 1), most),
                     columns = std::min(std::max<std::int64_t>(problem.keys, 1), most);
  if (size[0] < 1 || size[0] > rows || size[1] < 1 || size[1] > columns) {
    throw Error({"no size of this map", "--map-size",
                 "1 to " + std::to_string(rows) + " rows, 1 to " + std::to_string(columns) + " columns" +
                     (most == kMostPictureCells ? " (a .npy file holds one per place)" : ""),
                 options.map_size});
  }
  wanted.map_rows = size[0];
  wanted.map_columns = size[1];
}

Scores scores_wanted(const AttendOptions& options) {
  if (!options.writes("--scores")) {
    if (!options.scores_stage.empty()) throw Error({"a stage without scores", "--scores-stage", "--scores FILE", "no --scores"});
    return Scores::kNone;
  }
  for (const auto& [name, scores] : kStages) {
    if (options.scores_stage == name) return scores;
  }
  return Scores::kMasked;
}

Wanted wanted_by(const AttendOptions& options, const Problem& problem) {
  const bool rows = !options.rows.empty();
  Wanted wanted{.o = options.writes("--out"),
                .statistics = options.stats || options.writes("--entropy") || options.writes("--effective"),
                .maximum = options.writes("--maximum"),
                .visible = options.writes("--visible"),
                .square = options.writes("--weights") && !rows,
                .scores = scores_wanted(options),
                .received = options.stats || options.writes("--received"),
                .seen_by = options.writes("--seen-by")};
  take_map_size(options, problem, wanted);
  if (options.writes("--weights") && rows) wanted.rows = rows_given(options, problem);
  wanted.top = options.top > 0 ? options.top : kUsualTop;
  const bool written = options.writes("--top-keys") || options.writes("--top-weights");
  if (written && !rows) {
    wanted.top_rows.resize(static_cast<std::size_t>(problem.queries));
    std::iota(wanted.top_rows.begin(), wanted.top_rows.end(), std::int64_t{0});
  } else {
    wanted.top_rows = written ? rows_given(options, problem) : told_rows(options, problem);
  }
  wanted.heads = heads_given(options, problem);
  if (!written) wanted.top = std::min(wanted.top, problem.keys);
  return wanted;
}

std::vector<Target> targets_of(const AttendOptions& options, const Plan& plan, const Results& results, const Loaded& loaded,
                               const Wanted& wanted) {
  std::vector<Target> targets;
  for (const FileOption& file : kFiles) {
    const auto path = options.files.find(file.option);
    if (path == options.files.end()) continue;
    const bool chosen = file.tensor == &Results::square && !wanted.square;
    targets.push_back(array_target(file.option, path->second, file.name, results.*(chosen ? &Results::weights : file.tensor)));
    if (file.tensor == &Results::scores) targets.back().hint = " (a score formula goes to --score)";
  }
  if (options.map.empty()) return targets;
  if (names_array(options.map)) {
    targets.push_back(array_target("--map", options.map, "map", results.map));
  } else {
    targets.push_back(
        picture_target("--map", options.map, [&] { return draw(sheet_of(plan, results, loaded.tokens, "Where each head looks")); }));
  }
  targets.back().endings = {".png", ".npy", ".safetensors"};
  return targets;
}

void add_notes(const Plan& plan, const Wanted& wanted, Loaded& loaded) {
  if (wanted.square) {
    loaded.notes.push_back("--weights holds the S x S matrices of all heads, " + bytes_text(static_cast<double>(plan.square_bytes())) +
                           " in float32: the " + plan.kernel() + " operator's; --rows gives chosen rows without them");
  }
  if (wanted.scores != Scores::kNone) {
    const double bytes = static_cast<double>(plan.square_bytes()) * (plan.problem().dtype == DType::kF64 ? 2 : 1);
    loaded.notes.push_back("--scores holds the S x S matrices of all heads, " + bytes_text(bytes) + ": the " + plan.kernel() +
                           " operator's");
  }
  if (const std::string note = note_of(plan.problem(), wanted); !note.empty()) loaded.notes.push_back(note);
}

/// What a report speaks of.
struct Told {
  const AttendOptions& options;
  const Loaded& loaded;
  const Plan& plan;
  const Results& results;
  const Wanted& wanted;
  const std::vector<Target>& targets;
  const std::optional<InFloat32>& float32;
  std::vector<std::int64_t> rows{};  ///< whose strongest keys are told
  /// Those of a query, which Wanted::top_rows holds.
  [[nodiscard]] std::vector<Look> looks(std::int64_t b, std::int64_t h, std::int64_t query) const {
    return strongest(results, b, h, std::ranges::find(wanted.top_rows, query) - wanted.top_rows.begin());
  }
};

std::string top_text(const Told& told) {
  std::string text;
  const Loaded& loaded = told.loaded;
  const Problem& p = loaded.problem;
  for (const std::int64_t query : told.rows) {
    const bool named = !loaded.tokens.empty() && p.queries == p.keys;
    text += fmt::format("\nquery {}{} looks at\n", count_text(query), named ? " " + word(loaded.tokens, query) : "");
    Grid grid(p.batch > 1 ? std::vector<std::string>{"batch", "head", "keys, most first"}
                          : std::vector<std::string>{"head", "keys, most first"});
    for (std::int64_t head = 0; head < p.batch * p.heads; ++head) {
      std::string looks;
      const std::vector<Look> found = told.looks(head / p.heads, head % p.heads, query);
      const bool unknown = !found.empty() && std::isnan(found.front().weight);
      for (const Look& look : found) {
        const std::string name =
            loaded.tokens.empty() ? count_text(look.key) : fmt::format("{} ({})", word(loaded.tokens, look.key), look.key);
        looks += (looks.empty() ? "" : "   ") + name + " " + percent_text(look.weight);
      }
      std::vector<std::string> cells{std::to_string(head % p.heads), unknown ? "NaN" : looks.empty() ? "nothing" : looks};
      if (p.batch > 1) cells.insert(cells.begin(), std::to_string(head / p.heads));
      grid.row(std::move(cells));
    }
    text += grid.text("  ");
  }
  return text;
}

nlohmann::json top_json(const Told& told) {
  nlohmann::json list = nlohmann::json::array();
  const Loaded& loaded = told.loaded;
  const Problem& p = loaded.problem;
  for (const std::int64_t query : told.rows) {
    for (std::int64_t head = 0; head < p.batch * p.heads; ++head) {
      nlohmann::json keys = nlohmann::json::array();
      for (const Look& look : told.looks(head / p.heads, head % p.heads, query)) {
        if (std::isnan(look.weight)) continue;
        nlohmann::json key{{"key", look.key}, {"weight", look.weight}};
        if (!loaded.tokens.empty()) key["token"] = loaded.tokens[static_cast<std::size_t>(look.key)];
        keys.push_back(std::move(key));
      }
      list.push_back({{"row", query},
                      {"batch", head / p.heads},
                      {"head", head % p.heads},
                      {"nan", told.results.nan.at(head / p.heads, head % p.heads, query)},
                      {"keys", std::move(keys)}});
    }
  }
  return list;
}

void report_json(const Told& told) {
  const auto& [options, loaded, plan, results, wanted, targets, float32, rows] = told;
  nlohmann::json json{
      {"problem", problem_json(plan.problem())}, {"plan", to_json(plan)}, {"seconds", results.seconds}, {"notes", loaded.notes}};
  json["written"] = nlohmann::json::object();
  for (const Target& target : targets) json["written"][target.option.substr(2)] = target.path;
  json["nan_rows"] = to_json(results.nan, plan.problem().query_offsets);
  if (wanted.census()) json["census_seconds"] = results.census_seconds;
  if (options.stats) {
    for (const HeadSummary& head : summarise(results)) json["heads"].push_back(to_json(head, loaded.tokens));
  }
  if (float32) json["float32"] = to_json(*float32);
  if (!rows.empty()) json["top"] = top_json(told);
  say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void report_text(const Told& told) {
  const auto& [options, loaded, plan, results, wanted, targets, float32, rows] = told;
  say(plan.problem().text() + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(fmt::format("{}, {} thread{}: {} for {} ({:.1f} GFLOP/s), scratch {} where the S x S matrix would take {}\n", kernels_text(plan),
                  plan.threads(), plan.threads() == 1 ? "" : "s", seconds_text(results.seconds), flop_text(plan.flops()),
                  results.seconds > 0 ? plan.flops() / results.seconds / 1e9 : 0.0, bytes_text(static_cast<double>(plan.scratch_bytes())),
                  bytes_text(static_cast<double>(plan.square_bytes()))));
  say(text_of(results.nan, plan.problem().query_offsets));
  if (wanted.census()) say("where it went: " + seconds_text(results.census_seconds) + "\n");
  if (options.stats) say("\n" + heads_text(summarise(results), plan.problem().batch, loaded.tokens));
  say(top_text(told));
  if (!targets.empty()) say("\n");
  for (const Target& target : targets) say("wrote " + target.path + "\n");
}

int run(const AttendOptions& options) {
  check_packed_outputs(options);
  Loaded loaded = load(options);
  const Wanted wanted = wanted_by(options, loaded.problem);
  loaded.problem.statistics = wanted.row_statistics();
  loaded.problem.weights = wanted.square;
  loaded.problem.wanted_scores = wanted.scores;
  Results results;
  const Plan plan = make_plan(loaded.problem);
  const std::vector<Target> targets = targets_of(options, plan, results, loaded, wanted);
  check_targets(targets, loaded.paths);
  add_notes(plan, wanted, loaded);
  const std::optional<InFloat32> float32 = say_float32(plan, loaded);
  Bar bar;
  if (float32) bar = {"attending in double" + float32->beside(), float32->double_seconds};
  results = compute(plan, loaded.inputs, wanted, bar);
  write_targets(targets);
  const Told told{options, loaded, plan, results, wanted, targets, float32, told_rows(options, plan.problem())};
  (options.json ? report_json : report_text)(told);
  return 0;
}

}  // namespace

void add_attend(CLI::App& app, Task& task) {
  const auto options = std::make_shared<AttendOptions>();
  CLI::App* const verb = app.add_subcommand("attend", "computes attention; writes results and says where the attention went");
  add_problem_options(*verb, *options);
  for (const FileOption& file : kFiles) {
    const std::string name = file.option;
    verb->add_option_function<std::string>(
            name == "--out" ? "-o,--out" : name, [name, options = options.get()](const std::string& path) { options->files[name] = path; },
            file.what)
        ->type_name("FILE.npy")
        ->group(kOutputGroup);
  }
  verb->add_option("--map", options->map, "the pooled map of every head: a sheet as .png, numbers [B, Hq, R, C] as .npy")
      ->type_name("FILE.png|.npy")
      ->group(kOutputGroup);
  verb->add_option("--map-size", options->map_size, "rows and columns of the maps; default: at most 280 of each")
      ->type_name("R,C")
      ->group(kOutputGroup);
  verb->add_option("--scores-stage", options->scores_stage,
                   "which scores: scaled (before any formula), altered (by the formulas) or masked (-inf where hidden); default masked")
      ->check(CLI::IsMember({"scaled", "altered", "masked"}).description(""))
      ->type_name("STAGE")
      ->group(kOutputGroup);
  add_whole(*verb, "--top", options->top, {1, 1'000'000}, "shows the N keys that the rows of --rows look at most; default 5")
      ->group(kOutputGroup);
  verb->add_option("--rows", options->rows,
                   "query indices for --top, --weights, --top-keys and --top-weights; default: all, for --top the last")
      ->type_name("I,J,...")
      ->group(kOutputGroup);
  verb->add_option("--heads", options->heads,
                   "of these query heads alone, in this order: the files of --received, --seen-by, --map, --top-keys, --top-weights and "
                   "--weights with --rows")
      ->type_name("H,H,...")
      ->group(kOutputGroup);
  verb->add_flag("--stats", options->stats, "per head: mean entropy, effective keys, the key that receives most")->group(kOutputGroup);
  verb->footer(kExamples);
  verb->callback([verb, options, &task] {
    bool bare = true;
    for (const CLI::Option* option : verb->get_options()) bare &= option->count() == 0;
    task = [bare, options] { return bare ? run_example() : run(*options); };
  });
}

}  // namespace heed::tool
