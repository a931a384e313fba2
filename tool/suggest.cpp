#include "suggest.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <heed/error.hpp>
#include <heed/spelling.hpp>

#include "report.hpp"

namespace heed::tool {
namespace {

const CLI::App& chosen(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? app : *verbs.front();
}

std::vector<std::string> known_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

struct Meant {
  std::string_view name, words;  ///< what it is here; the words that people try for it, American where spellings differ
};
constexpr Meant kMeant[] = {
    {"attend", " attention attn run compute calculate forward analyze infer "},
    {"bench", " benchmark time perf measure profile speed "},
    {"check", " verify test validate compare "},
    {"draw", " show plot visualize view render picture paint mask color "},
    {"explain", " plan why describe info inspect "},
    {"example", " demo try tour "},
    {"list", " catalog ls masks scores kernels "},
    {"man", " manual manpage docs "},
    {"completions", " completion complete "},
    {"--help", " help usage "},
    {"--version", " version "},
    {"--mask", " --mask-mod --attn-mask --attention-mask --causal --window --pattern "},
    {"--score", " --bias --score-mod --softcap --alibi --attn-bias "},
    {"--table", " --bind --operand --lookup "},
    {"--align", " --alignment --offset --position "},
    {"--scale", " --softmax-scale --sm-scale --temperature "},
    {"--layout", " --order --axes --format "},
    {"--out", " --output --write --save --result "},
    {"--lse", " --logsumexp --log-sum-exp --softmax-lse "},
    {"--q", " --query --queries "},
    {"--k", " --key --keys "},
    {"--v", " --value --values "},
    {"--stats", " --statistics --summarize --summary "},
    {"--map", " --heatmap --picture --plot --visualize --image "},
    {"--map-size", " --resolution --pool --size "},
    {"--weights", " --probs --probabilities --attention --attn --attn-weights "},
    {"--scores", " --logits --qk --similarity --similarities --attn-scores --attention-scores --score-matrix "},
    {"--scores-stage", " --stage --mode --qk-matmul-output-mode "},
    {"--maximum", " --max --rowmax "},
    {"--visible", " --count --counts --seen "},
    {"--effective", " --perplexity "},
    {"--threads", " --num-threads --jobs --cores --workers --parallelize "},
    {"--kernel", " --backend --implementation --algorithm "},
    {"--t", " --n --seq --seqlen --length --tokens "},
    {"--tq", " --queries "},
    {"--tk", " --keys "},
    {"--d", " --dim --head-dim --headdim "},
    {"--heads", " --num-heads --q-heads "},
    {"--kv-heads", " --num-kv-heads --kv --groups "},
    {"--dtype", " --type --precision "},
    {"--repeat", " --iterations --iters --runs "},
    {"--limits", " --peak --roofline "},
};

/// A word as it is spelt in America: analyse, visualise, catalogue, colour.
std::string american(std::string word) {
  constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {{"yse", "yze"}, {"ise", "ize"}, {"isation", "ization"},
                                                                          {"ogue", "og"}, {"our", "or"},  {"entre", "enter"}};
  for (const auto& [british, usual] : kSpellings) {
    const std::size_t at = word.rfind(british);
    if (at != std::string::npos && at > 0) word.replace(at, british.size(), usual);
  }
  return word;
}

/// " (did you mean --mask?)", or nothing where no name is near.
std::string guess(const CLI::App& app, const std::string& unknown) {
  const std::string word = unknown.substr(0, unknown.find('='));
  const std::vector<std::string> names = known_names(app);
  for (const Meant& meant : kMeant) {
    const bool tried = meant.words.find(" " + american(word) + " ") != std::string_view::npos;
    if (tried && std::ranges::find(names, meant.name) != names.end()) return " (did you mean " + std::string(meant.name) + "?)";
  }
  if (const std::string best = nearest(word, names); !best.empty()) return " (did you mean " + best + "?)";
  std::error_code none;
  const bool file = app.get_parent() == nullptr && !word.starts_with('-') && std::filesystem::is_regular_file(word, none);
  return file ? " (it is a file: did you mean heed attend " + one_line(word) + "?)" : "";
}

}  // namespace

std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> list;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "-m") argument = "--mask";
    if (argument == "-s") argument = "--score";
    const bool formula = argument == "--mask" || argument == "--score" || argument == "--align" || argument == "--rows";
    if (formula && i + 1 < argc) argument += std::string("=") + argv[++i];
    list.push_back(std::move(argument));
  }
  std::reverse(list.begin(), list.end());
  return list;
}

std::string unknown_verb(const CLI::App& app) {
  if (&chosen(app) != &app) return "";
  for (const std::string& extra : app.remaining(true)) {
    if (!extra.starts_with('-')) return "unknown verb " + one_line(extra) + guess(app, extra) + "; see heed --help";
  }
  return "";
}

void refuse_empty_values(const CLI::App& app) {
  for (const CLI::Option* option : chosen(app).get_options()) {
    for (const std::string& value : option->results()) {
      if (value.empty()) throw Error({"an empty value", option->get_name(), option->get_type_name(), "\"\""});
    }
  }
}

std::string parse_message(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = chosen(app);
  const std::string help = "; see heed " + (&verb == &app ? "" : verb.get_name() + " ") + "--help";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty()) {
      const bool option = extras.front().starts_with('-');
      return (option          ? "unknown option "
              : &verb == &app ? "unknown verb "
                              : "unexpected argument ") +
             one_line(extras.front()) + guess(verb, extras.front()) + help;
    }
  }
  return one_line(error.what()) + help;
}

}  // namespace heed::tool
