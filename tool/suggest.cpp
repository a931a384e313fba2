#include "suggest.hpp"

#include <algorithm>

#include "base/slips.hpp"
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

/// " (did you mean --mask?)", or nothing where no name is near.
std::string nearest(const CLI::App& app, const std::string& unknown) {
  const std::string word = unknown.substr(0, unknown.find('='));
  std::string best;
  std::size_t least = word.size() / 3;
  for (const std::string& name : known_names(app)) {
    const std::size_t changes = base::slips(word, name);
    if (changes <= least && (best.empty() || changes < least)) {
      least = changes;
      best = name;
    }
  }
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
