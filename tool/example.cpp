// heed example: the main job on a real layer: SmolLM2's layer 15 reading the Apache licence. Plan, cost, what each head does, what three
// words look at, and one sheet with the maps of all heads.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include <heed/error.hpp>

#include "analysis.hpp"
#include "numbers.hpp"
#include "outputs.hpp"
#include "report.hpp"
#include "sheet.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLayer = "licence-smollm2-layer15.safetensors";
constexpr const char* kPicture = "licence-attention.png";
constexpr std::size_t kLooks = 5;
constexpr std::array kWords{" License", " Contribution", " patent"};

struct ExampleOptions {
  std::string file, out;
  int threads = 0;
  bool json = false;
};

constexpr const char* kExamples = R"help(Examples:
  heed example
  heed example --out pictures/ --threads 1
  heed example --file other-layer.safetensors --json)help";

fs::path program_folder() {
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  return failure ? fs::current_path() : program.parent_path();
}

/// The layer that comes with heed: where it is installed, or beside a program that is not (a link that CMake makes).
std::string own_layer() {
  std::error_code none;
  const fs::path installed = (program_folder() / HEED_DATA_FOLDER / kLayer).lexically_normal();
  for (const fs::path& path : {installed, program_folder() / "examples" / kLayer}) {
    if (fs::exists(path, none)) return path.string();
  }
  throw Error(
      {"the example's layer is not there", installed.string(), "the file that is installed with heed", "nothing; --file names another"});
}

std::string picture_of(const ExampleOptions& options) {
  if (options.out.empty()) return kPicture;
  std::error_code none;
  return fs::is_directory(options.out, none) ? (fs::path(options.out) / kPicture).string() : options.out;
}

/// The last place in the text of each word that occurs; queries that are their own keys.
std::vector<std::int64_t> chosen_words(const Loaded& loaded) {
  std::vector<std::int64_t> rows;
  if (loaded.problem.queries != loaded.problem.keys) return rows;
  for (const char* wanted : kWords) {
    for (std::size_t i = loaded.tokens.size(); i-- > 0;) {
      if (loaded.tokens[i] != wanted) continue;
      rows.push_back(static_cast<std::int64_t>(i));
      break;
    }
  }
  return rows;
}

/// The words around a token, itself in brackets, on one line.
std::string context(const std::vector<std::string>& tokens, std::int64_t at, std::int64_t before, std::int64_t after) {
  std::string text;
  const std::int64_t first = std::max<std::int64_t>(at - before, 0),
                     last = std::min(at + after, static_cast<std::int64_t>(tokens.size()) - 1);
  for (std::int64_t i = first; i <= last; ++i) {
    const std::string& token = tokens[static_cast<std::size_t>(i)];
    if (token.find_first_not_of(" \n") == std::string::npos)
      text += " ";
    else
      text += i == at ? (token[0] == ' ' ? " [" + token.substr(1) : "[" + token) + "]" : token;
  }
  text.erase(0, text.find_first_not_of(' '));
  for (std::size_t twice = text.find("  "); twice != std::string::npos; twice = text.find("  ")) text.erase(twice, 1);
  if (text.ends_with(' ')) text.pop_back();
  return one_line(text);
}

/// Row `row` (an index into Wanted::rows) of head h.
std::vector<double> weights_of(const Results& results, std::int64_t h, std::int64_t row) {
  const Dims& shape = results.weights.shape();
  const float* const from = results.weights.data<float>() + (h * shape[2] + row) * shape[3];
  return {from, from + shape[3]};
}

/// The `count` keys with most weight in a mean over heads, most first, ties by index; weightless keys are left out.
std::vector<Look> strongest(const std::vector<double>& weights, std::size_t count) {
  std::vector<Look> looks;
  for (std::size_t key = 0; key < weights.size(); ++key) {
    if (weights[key] > 0) looks.push_back({static_cast<std::int64_t>(key), weights[key]});
  }
  const std::size_t kept = std::min(count, looks.size());
  std::partial_sort(looks.begin(), looks.begin() + static_cast<std::ptrdiff_t>(kept), looks.end(),
                    [](const Look& a, const Look& b) { return a.weight != b.weight ? a.weight > b.weight : a.key < b.key; });
  looks.resize(kept);
  return looks;
}

std::vector<double> averaged_over_heads(const Results& results, std::int64_t heads, std::int64_t row) {
  std::vector<double> mean;
  for (std::int64_t h = 0; h < heads; ++h) {
    const std::vector<double> weights = weights_of(results, h, row);
    mean.resize(weights.size());
    for (std::size_t key = 0; key < weights.size(); ++key) mean[key] += weights[key] / static_cast<double>(heads);
  }
  return mean;
}

/// What a word looks at: the first token apart, for it is a sink and would hide the rest.
struct WordLooks {
  std::int64_t query = 0;
  double first_token = 0;
  std::vector<Look> looks;
  std::vector<std::pair<std::int64_t, double>> keenest;  ///< of each look: the head that gives it most, and how much
};

std::pair<std::int64_t, double> keenest_head(const Results& results, std::int64_t heads, std::int64_t row, std::int64_t key) {
  std::pair<std::int64_t, double> best{0, -1.0};
  for (std::int64_t h = 0; h < heads; ++h) {
    const double weight = weights_of(results, h, row)[static_cast<std::size_t>(key)];
    if (weight > best.second) best = {h, weight};
  }
  return best;
}

std::vector<WordLooks> word_looks(const Loaded& loaded, const Results& results, const std::vector<std::int64_t>& rows) {
  std::vector<WordLooks> words;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::vector<double> mean = averaged_over_heads(results, loaded.problem.heads, static_cast<std::int64_t>(row));
    const double first = std::exchange(mean[0], 0.0);
    WordLooks& one = words.emplace_back(WordLooks{rows[row], first, strongest(mean, kLooks), {}});
    for (const Look& look : one.looks)
      one.keenest.push_back(keenest_head(results, loaded.problem.heads, static_cast<std::int64_t>(row), look.key));
  }
  return words;
}

std::string words_text(const Loaded& loaded, const std::vector<WordLooks>& words) {
  std::string text;
  for (const WordLooks& one : words) {
    text += fmt::format("\nword {} at {}, \"... {} ...\"\n  first token {}; beyond it\n", word(loaded.tokens, one.query),
                        count_text(one.query), context(loaded.tokens, one.query, 7, 0), percent_text(one.first_token));
    Grid grid({"weight", "at", "word", "most by", "in"});
    for (std::size_t i = 0; i < one.looks.size(); ++i) {
      const auto& [key, weight] = one.looks[i];
      grid.row({percent_text(weight), count_text(key), word(loaded.tokens, key),
                fmt::format("head {}: {}", one.keenest[i].first, percent_text(one.keenest[i].second)),
                "... " + context(loaded.tokens, key, 4, 4) + " ..."});
    }
    text += grid.text("    ");
  }
  return text;
}

nlohmann::json words_json(const Loaded& loaded, const std::vector<WordLooks>& words) {
  nlohmann::json list = nlohmann::json::array();
  const auto token = [&](std::int64_t key) { return loaded.tokens[static_cast<std::size_t>(key)]; };
  for (const WordLooks& one : words) {
    nlohmann::json keys = nlohmann::json::array();
    for (const Look& look : one.looks) keys.push_back({{"key", look.key}, {"token", token(look.key)}, {"weight", look.weight}});
    list.push_back({{"row", one.query}, {"token", token(one.query)}, {"first_token_weight", one.first_token}, {"keys", std::move(keys)}});
  }
  return list;
}

void report(const ExampleOptions& options, const Loaded& loaded, const Plan& plan, const Results& results,
            const std::vector<WordLooks>& words, const std::string& picture) {
  const std::vector<HeadSummary> heads = summarise(results);
  if (options.json) {
    nlohmann::json json{{"problem", problem_json(plan.problem())},
                        {"plan", to_json(plan)},
                        {"seconds", results.seconds},
                        {"census_seconds", results.census_seconds},
                        {"words", words_json(loaded, words)},
                        {"nan_rows", to_json(results.nan)},
                        {"notes", loaded.notes},
                        {"written", {{"map", picture}}}};
    for (const HeadSummary& head : heads) json["heads"].push_back(to_json(head, loaded.tokens));
    return say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  say(fmt::format("Exact attention of {}: {} tokens, {} heads.\n\n", fs::path(loaded.paths.front()).filename().string(),
                  count_text(plan.problem().keys), plan.problem().heads));
  say(plan.explain());
  for (const std::string& note : loaded.notes) say("note      " + note + "\n");
  say(fmt::format("\ntook      {} ({:.1f} GFLOP/s), and {} to see where the attention went\n", seconds_text(results.seconds),
                  plan.flops() / std::max(results.seconds, 1e-9) / 1e9, seconds_text(results.census_seconds)));
  say(fmt::format("memory    {} of scratch; the S x S matrix would take {}\n", bytes_text(static_cast<double>(plan.scratch_bytes())),
                  bytes_text(static_cast<double>(plan.square_bytes()))));
  say(text_of(results.nan));
  say("\nWhat each head does (mean over the text; e^entropy is about how many words it weighs)\n" +
      heads_text(heads, plan.problem().batch, loaded.tokens));
  if (!words.empty()) say("\nWhat three words look at (mean over the heads)\n" + words_text(loaded, words));
  say("\nThe maps of all heads: " + picture + "\n");
}

int run(const ExampleOptions& options) {
  ProblemOptions problem;
  problem.file = options.file.empty() ? own_layer() : options.file;
  problem.threads = options.threads;
  Loaded loaded = load(problem);
  loaded.problem.statistics = true;
  const std::string picture = picture_of(options);
  const std::string title =
      options.file.empty() ? "Where a language model looks while it reads the Apache licence" : "Where each head looks";
  const Plan plan = make_plan(loaded.problem);
  const Wanted wanted{.o = true,
                      .statistics = true,
                      .received = true,
                      .map_rows = map_cells(plan.problem().queries),
                      .map_columns = map_cells(plan.problem().keys),
                      .rows = chosen_words(loaded)};
  if (const std::string note = note_of(plan.problem(), wanted); !note.empty()) loaded.notes.push_back(note);
  Results results;
  const Target target = picture_target("--out", picture, [&] { return draw(sheet_of(plan, results, loaded.tokens, title)); });
  check_targets({&target, 1}, loaded.paths);
  results = compute(plan, loaded.inputs, wanted);
  write_targets({&target, 1});
  report(options, loaded, plan, results, word_looks(loaded, results, wanted.rows), picture);
  return 0;
}

}  // namespace

int run_example() {
  return run({});
}

void add_example(CLI::App& app, Task& task) {
  const auto options = std::make_shared<ExampleOptions>();
  CLI::App* const verb = app.add_subcommand("example", "the main job on real data: a language model's layer reading the Apache licence");
  verb->add_option("--file", options->file, "another layer (.safetensors or .npz with q, k, v); default: the one that comes with heed")
      ->type_name("FILE");
  verb->add_option("-o,--out", options->out, std::string("the sheet, a file or a folder; default: ") + kPicture + " in the current folder")
      ->type_name("PATH");
  add_whole(*verb, "--threads", options->threads, {0, kMostThreads}, "0: all cores of this process");
  verb->add_flag("--json", options->json, "one JSON object on standard output; keys in docs/json.md");
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
