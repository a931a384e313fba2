// The command line as data, read from the parser itself: what completions and the man page are made of.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace heed::tool {

struct OptionOutline {
  std::vector<std::string> names;  ///< "-m", "--mask"; empty for a positional
  std::string value;               ///< "TEXT"; empty for a flag
  std::string meaning;
  bool flag = false;
};

struct VerbOutline {
  std::string name, meaning, footer;
  std::vector<OptionOutline> options;
};

/// The app itself first (name "heed"), then its verbs.
[[nodiscard]] std::vector<VerbOutline> outline_of(const CLI::App& app);

}  // namespace heed::tool
