// heed draw: a mask as a picture, in the terminal and as PNG, with how much of it is seen and how many tiles a kernel skips.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include <heed/catalogue.hpp>
#include <heed/error.hpp>

#include "memory.hpp"
#include "numbers.hpp"
#include "outputs.hpp"
#include "picture.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr std::int64_t kFar = std::int64_t{1} << 40;

struct DrawOptions : FormulaOptions {
  std::int64_t queries = 64, keys = 64, batch = 0, head = 0;
  std::string out;
};

constexpr const char* kExamples = R"help(Examples:
  heed draw --mask "window(16) | k < 4"
  heed draw --mask "causal & !(k / 8 == q / 8)" --tq 32 --tk 32 --out mask.png
  heed draw --mask "documents(ends)" --table ends=ends.npy --tq 4096 --tk 4096
  heed draw --mask causal --tq 8 --tk 64 --align end

Tables that are not bound are taken from the small ones that the examples of `heed list` use (positions up to 64).)help";

/// The mask over the tables given, else over those and the example tables.
void take_mask(const DrawOptions& options, Loaded& loaded) {
  Problem& problem = loaded.problem;
  Tables all = example_tables();
  for (const auto& [name, view] : problem.tables) all.insert_or_assign(name, view);
  try {
    problem.mask = parse_option("--mask", options.mask, problem.tables);
  } catch (const Error&) {
    try {
      problem.mask = parse_option("--mask", options.mask, all);
    } catch (const Error&) {
      (void)parse_option("--mask", options.mask, problem.tables);  // the error that speaks of the tables given
    }
    loaded.notes.emplace_back("a table is the small example one; bind your own with --table NAME=FILE");
    problem.tables = std::move(all);
  }
}

Drawing drawing_of(const Problem& problem) {
  asking_for("the tiles of the mask");
  const Progress progress("finding the tiles", 0);
  return Drawing(problem);
}

int run(const DrawOptions& options) {
  Loaded loaded;
  load_tables(options, loaded);
  take_mask(options, loaded);
  Problem& problem = loaded.problem;
  problem.batch = options.batch + 1;
  problem.heads = problem.kv_heads = options.head + 1;
  problem = fitted_to_tables(std::move(problem));
  problem.queries = options.queries;
  problem.keys = options.keys;
  problem.dim = problem.value_dim = 64;
  problem.align = align_from(options.align);
  std::vector<Target> targets;
  const Drawing drawing = drawing_of(problem);
  if (!options.out.empty()) {
    targets.push_back(picture_target("--out", options.out, [&] { return mask_canvas(drawing, options.batch, options.head); }));
  }
  check_targets(targets, loaded.paths);
  write_targets(targets);
  const TerminalSize size = terminal_size();
  say("mask " + to_text(problem.mask) + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(terminal_picture(drawing, options.batch, options.head, size.columns, size.rows));
  say(tiles_text(drawing));
  for (const Target& target : targets) say("wrote " + target.path + "\n");
  return 0;
}

}  // namespace

void add_draw(CLI::App& app, Task& task) {
  const auto options = std::make_shared<DrawOptions>();
  CLI::App* const verb = app.add_subcommand("draw", "a mask as a picture, in the terminal and as PNG");
  add_mask_options(*verb, *options);
  // get_option() ends the program where memory is short.
  for (CLI::Option* option : verb->get_options([](const CLI::Option* one) { return one->get_lnames().front() == "mask"; }))
    option->required();
  add_whole(*verb, "--tq", options->queries, {1, kFar}, "queries; default 64")->group(kFormulaGroup);
  add_whole(*verb, "--tk", options->keys, {1, kFar}, "keys; default 64")->group(kFormulaGroup);
  add_whole(*verb, "--b", options->batch, {0, 1'000'000}, "batch entry to draw; default 0")->group(kFormulaGroup);
  add_whole(*verb, "--h", options->head, {0, 1'000'000}, "query head to draw; default 0")->group(kFormulaGroup);
  verb->add_option("-o,--out", options->out, "the picture as PNG")->type_name("M.png")->group(kOutputGroup);
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
