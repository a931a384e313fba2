// The verbs: each adds its subcommand to the app; when it was chosen, `task` holds what to do, which returns the exit status.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "problem_options.hpp"

namespace heed::tool {

using Task = std::function<int()>;

void add_attend(CLI::App& app, Task& task);
void add_explain(CLI::App& app, Task& task);
void add_draw(CLI::App& app, Task& task);
void add_check(CLI::App& app, Task& task);
void add_bench(CLI::App& app, Task& task);
void add_list(CLI::App& app, Task& task);
void add_example(CLI::App& app, Task& task);
void add_completions(CLI::App& app, Task& task);
void add_man(CLI::App& app, Task& task);

/// The embedded example with its defaults: what `heed` does when asked for nothing.
int run_example();

/// The problem as JSON, for all verbs.
[[nodiscard]] nlohmann::json problem_json(const Problem& problem);

}  // namespace heed::tool
