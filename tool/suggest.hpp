// The command line before and after parsing: formulas that begin with a minus, and errors with the nearest name.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace heed::tool {

/// The arguments for CLI::App::parse, last first. What follows --mask, --score,
/// --align or --rows is joined to it, since it may begin with a minus.
[[nodiscard]] std::vector<std::string> arguments(int argc, char** argv);

/// One line for an error of the parser; an unknown name comes with the nearest known one.
[[nodiscard]] std::string parse_message(const CLI::App& app, const CLI::ParseError& error);

/// The error when help is asked of a verb that is not there ("heed grad --help"); empty: it is.
[[nodiscard]] std::string unknown_verb(const CLI::App& app);

/// Throws Error for an option that was given an empty value.
void refuse_empty_values(const CLI::App& app);

}  // namespace heed::tool
