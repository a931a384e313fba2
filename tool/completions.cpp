// heed completions: scripts for bash, zsh and fish, made from the parser's own verbs and options.
#include <fmt/format.h>

#include <memory>

#include <heed/error.hpp>

#include "outline.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

using Outlines = std::vector<VerbOutline>;

constexpr const char* kExamples = R"help(Examples:
  heed completions bash > ~/.local/share/bash-completion/completions/heed
  heed completions zsh > "${fpath[1]}/_heed"
  heed completions fish > ~/.config/fish/completions/heed.fish)help";

std::string joined_names(const VerbOutline& verb) {
  std::string names;
  for (const OptionOutline& option : verb.options) {
    for (const std::string& name : option.names) names += (names.empty() ? "" : " ") + name;
  }
  return names;
}

std::string verb_names(const Outlines& outlines) {
  std::string names;
  for (std::size_t i = 1; i < outlines.size(); ++i) names += (i > 1 ? " " : "") + outlines[i].name;
  return names;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

/// Text between single quotes of a shell.
std::string quoted(const std::string& text) {
  return "'" + replaced(text, "'", "'\\''") + "'";
}

/// fish knows \\ and \' between single quotes.
std::string fish_quoted(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string bash(const Outlines& outlines) {
  std::string text =
      "# bash completion of heed; written by `heed completions bash`\n_heed() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" names\n  case "
      "\"${COMP_WORDS[1]}\" in\n";
  for (std::size_t i = 1; i < outlines.size(); ++i)
    text += fmt::format("    {}) names=\"{}\" ;;\n", outlines[i].name, joined_names(outlines[i]));
  text += fmt::format("    *) names=\"{} {}\" ;;\n  esac\n", verb_names(outlines), joined_names(outlines[0]));
  text += fmt::format("  (( COMP_CWORD == 1 )) && names=\"{} {}\"\n", verb_names(outlines), joined_names(outlines[0]));
  return text +
         "  if [[ \"$word\" == -* || COMP_CWORD -eq 1 ]]; then\n    COMPREPLY=( $(compgen -W \"$names\" -- \"$word\") )\n  else\n    "
         "COMPREPLY=( $(compgen -f -- \"$word\") )\n  fi\n}\ncomplete -o filenames -F _heed heed\n";
}

std::string zsh_meaning(const std::string& text) {
  return replaced(replaced(replaced(text, "[", "("), "]", ")"), ":", "\\:");
}

std::string zsh(const Outlines& outlines) {
  std::string text = "#compdef heed\n# zsh completion of heed; written by `heed completions zsh`\n_heed() {\n  local -a verbs\n  verbs=(\n";
  for (std::size_t i = 1; i < outlines.size(); ++i) text += "    " + quoted(outlines[i].name + ":" + outlines[i].meaning) + "\n";
  text +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe verb verbs\n    return\n  fi\n  shift words\n  (( CURRENT-- ))\n  case "
      "\"$words[1]\" in\n";
  for (std::size_t i = 1; i < outlines.size(); ++i) {
    text += "    " + outlines[i].name + ")\n      _arguments";
    for (const OptionOutline& option : outlines[i].options) {
      for (const std::string& name : option.names) {
        text += " \\\n        " + quoted("*" + name + "[" + zsh_meaning(option.meaning) + "]" +
                                         (option.flag ? "" : ":" + zsh_meaning(option.value) + ":_files"));
      }
      if (option.names.empty()) text += " \\\n        " + quoted("*:" + option.value + ":_files");
    }
    text += " ;;\n";
  }
  return text + "  esac\n}\n_heed \"$@\"\n";
}

std::string fish(const Outlines& outlines) {
  std::string text = "# fish completion of heed; written by `heed completions fish`\n";
  for (const VerbOutline& verb : outlines) {
    const bool top = &verb == &outlines.front();
    const std::string condition = top ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + verb.name;
    if (!top) text += fmt::format("complete -c heed -f -n __fish_use_subcommand -a {} -d {}\n", verb.name, fish_quoted(verb.meaning));
    for (const OptionOutline& option : verb.options) {
      if (option.names.empty()) continue;
      text += "complete -c heed -n " + fish_quoted(condition);
      for (const std::string& name : option.names) text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      text += std::string(option.flag ? "" : " -r") + " -d " + fish_quoted(option.meaning) + "\n";
    }
  }
  return text;
}

}  // namespace

void add_completions(CLI::App& app, Task& task) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const verb = app.add_subcommand("completions", "a completion script for bash, zsh or fish");
  verb->add_option("SHELL", *shell, "bash, zsh or fish")
      ->type_name("")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
  verb->footer(kExamples);
  verb->callback([shell, &app, &task] {
    task = [shell, &app] {
      const Outlines outlines = outline_of(app);
      say(*shell == "bash" ? bash(outlines) : *shell == "zsh" ? zsh(outlines) : fish(outlines));
      return 0;
    };
  });
}

}  // namespace heed::tool
