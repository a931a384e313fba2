// From the command line to a Problem: the options that attend, explain and check share, and the files behind them.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <heed/plan.hpp>

namespace heed::tool {

/// The groups in which help shows options.
inline constexpr const char *kInputGroup = "Inputs", *kFormulaGroup = "Formula", *kOutputGroup = "Outputs", *kRunGroup = "Run";
inline constexpr int kMostThreads = 1024;  ///< the library's own limit

/// What formulas need: shared by all verbs that take a mask.
struct FormulaOptions {
  std::string mask;
  std::vector<std::string> scores{}, tables{};
  std::string align;
};

/// How to run: shared by all verbs that run something.
struct RunOptions {
  std::string kernel;
  bool strict = false;
  int threads = 0;
  bool json = false;
};

struct ProblemOptions : FormulaOptions, RunOptions {
  std::string file, q, k, v, layout, sink;
  std::string offsets, key_offsets;  ///< files; of packed sequences
  std::optional<double> scale;
};

void add_mask_options(CLI::App& verb, FormulaOptions& options);
void add_score_options(CLI::App& verb, FormulaOptions& options);
void add_run_options(CLI::App& verb, RunOptions& options);
void add_problem_options(CLI::App& verb, ProblemOptions& options);

/// A problem with the data it speaks of.
struct Loaded {
  Problem problem;
  Inputs inputs;
  std::vector<std::string> tokens;      ///< words of the keys, from the file's metadata; empty without
  std::vector<std::string> notes;       ///< what was taken from elsewhere than the command line
  std::vector<std::string> paths;       ///< files read
  std::map<std::string, Tensor> owned;  ///< keeps the data alive
};

/// Reads the files, parses the formulas. Throws Error for anything that does not fit, naming the option.
[[nodiscard]] Loaded load(const ProblemOptions& options);

/// Reads NAME=FILE tables into `loaded.owned` and binds them.
void load_tables(const FormulaOptions& options, Loaded& loaded);
/// parse() and the check of its type, a number for --score, else a boolean. Errors name the option.
[[nodiscard]] Expr parse_option(const std::string& option, const std::string& text, const Tables& tables);
/// "start", "end", "3" or "3,0,7"; errors name `where`.
[[nodiscard]] Align align_from(const std::string& text, const std::string& where = "--align");

}  // namespace heed::tool
