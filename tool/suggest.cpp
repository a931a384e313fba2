#include "suggest.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <heed/error.hpp>

#include "report.hpp"

namespace heed::tool {

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

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

/// Words that people try for a verb or an option of heed's.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kMeant{{{"attention", "attend"},
                                                                                {"run", "attend"},
                                                                                {"compute", "attend"},
                                                                                {"benchmark", "bench"},
                                                                                {"verify", "check"},
                                                                                {"test", "check"},
                                                                                {"show", "draw"},
                                                                                {"plot", "draw"},
                                                                                {"plan", "explain"},
                                                                                {"help", "--help"},
                                                                                {"demo", "example"},
                                                                                {"catalog", "list"},
                                                                                {"catalogue", "list"},
                                                                                {"manual", "man"},
                                                                                {"completion", "completions"},
                                                                                {"--bias", "--score"},
                                                                                {"--output", "--out"},
                                                                                {"--alignment", "--align"}}};

/// " (did you mean --mask?)", or nothing where no name is near.
std::string nearest(const CLI::App& app, const std::string& unknown) {
  const std::string word = unknown.substr(0, unknown.find('='));
  const std::vector<std::string> names = known_names(app);
  std::string best;
  std::size_t least = word.size() / 3;
  for (const std::string& name : names) {
    const std::size_t changes = distance(word, name);
    if (changes <= least && (best.empty() || changes < least)) {
      least = changes;
      best = name;
    }
  }
  const auto* const meant = std::ranges::find(kMeant, word, &std::pair<std::string_view, std::string_view>::first);
  if (best.empty() && meant != kMeant.end() && std::ranges::find(names, meant->second) != names.end()) best = meant->second;
  return best.empty() ? "" : " (did you mean " + best + "?)";
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
    if (!extra.starts_with('-')) return "unknown verb " + one_line(extra) + nearest(app, extra) + "; see heed --help";
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
             one_line(extras.front()) + nearest(verb, extras.front()) + help;
    }
  }
  return one_line(error.what()) + help;
}

}  // namespace heed::tool
