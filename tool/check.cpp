// heed check: the chosen kernel against the definition in double, on sampled rows; says the largest error and the bound.
//
// Sampled are query indices, spread evenly with both ends, in every head of every batch entry; among them are queries with rows that came
// out NaN. Exit status 1 when an error exceeds its bound, or a row is NaN that is not NaN by the definition.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include <heed/check.hpp>

#include "analysis.hpp"
#include "interrupt.hpp"
#include "memory.hpp"
#include "numbers.hpp"
#include "packed.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

struct CheckOptions : ProblemOptions {
  int rows = 64;
};

constexpr double kBytesPerElement = 4 * 8;  // of O as found, in double, its rounding, naive

constexpr const char* kExamples = R"help(Examples:
  heed check layer.safetensors --mask causal
  heed check --q Q.npy --k K.npy --v V.npy --offsets O.npy --mask causal
  heed check layer.npz --mask "window(512)" --score "softcap(30)" --kernel classic --rows 256

The bound for O is twice the error of the naive computation (scores and softmax in f32, weights rounded to the inputs'
type) on the same rows, plus half a unit in the last place, plus what it does to O that a score of size x is known to
x 2^-24 only (nothing where scores stay below 16); for L it is 2^-8 (bf16), 2^-11 (f16), 2^-20 (f32) of the largest |L|,
not counting what that does to L.)help";

/// How many sequences have one of these packed rows; 0 of a dense problem.
std::int64_t sequences_of(const Problem& problem, const std::vector<std::int64_t>& rows) {
  std::int64_t count = 0, last = -1;
  for (const std::int64_t row : is_packed(problem) ? rows : std::vector<std::int64_t>{}) {
    const std::int64_t sequence = packed_row(problem.query_offsets, row).sequence;
    count += sequence != last;
    last = sequence;
  }
  return count;
}

struct Checked {
  const Plan& plan;
  const Results& results;
  const Comparison& compared;
  std::int64_t sequences;  ///< of which rows were compared; 0: dense
};

void report(const CheckOptions& options, const Loaded& loaded, const Checked& checked) {
  const auto& [plan, results, compared, sequences] = checked;
  if (options.json) {
    nlohmann::json json{{"problem", problem_json(plan.problem())},
                        {"kernel", plan.kernel()},
                        {"seconds", results.seconds},
                        {"rows", compared.rows},
                        {"nan_rows", to_json(results.nan, plan.problem().query_offsets)},
                        {"nan_compared", compared.nan},
                        {"nan_by_definition", compared.nan_by_definition},
                        {"o_error", compared.o_error},
                        {"o_bound", compared.o_bound},
                        {"o_rms_error", compared.o_rms_error},
                        {"o_rms_bound", compared.o_rms_bound},
                        {"lse_error", compared.lse_error},
                        {"lse_bound", compared.lse_bound},
                        {"good", compared.good()},
                        {"notes", loaded.notes}};
    if (is_packed(plan.problem())) {
      json["sequences"] = sequences;
      json["classes"] = classes_json(plan);
    }
    return say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  say(plan.problem().text() + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(fmt::format("{} took {}; compared with the definition in double on {} rows{}\n", kernels_text(plan), seconds_text(results.seconds),
                  count_text(compared.rows), sequences > 0 ? " of " + count_text(sequences) + " sequences" : ""));
  say(fmt::format("  O  largest error {:.3g}, bound {:.3g}; RMS error {:.3g}, bound {:.3g}\n", compared.o_error, compared.o_bound,
                  compared.o_rms_error, compared.o_rms_bound));
  say(fmt::format("  L  largest error {:.3g}, bound {:.3g} (of the largest |L|, at least 1)\n", compared.lse_error, compared.lse_bound));
  say(text_of(results.nan, plan.problem().query_offsets));
  if (compared.nan > 0)
    say(fmt::format("  of the rows compared {} {} NaN, {} of them by the definition too\n", count_text(compared.nan),
                    compared.nan == 1 ? "is" : "are", count_text(compared.nan_by_definition)));
  say(compared.good() ? "good: within the bounds\n" : "WRONG: beyond a bound\n");
}

/// O in the inputs' own type: what the accuracy rule speaks of.
Results run_kernel(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  Results results;
  results.o = make_tensor("O", p.dtype, rows_shape(p, p.value_dim));
  results.lse = make_tensor("L", statistic, lines_shape(p));
  require_scratch(plan);
  Progress progress("attending", seconds_for_bar(plan));
  const Interruptible interruptible;
  const auto start = std::chrono::steady_clock::now();
  plan.run(inputs, {.o = results.o.span(), .lse = results.lse.span()}, interruptible.watch(progress));
  results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  results.nan = nan_rows(results.o.view(), results.lse.view());
  return results;
}

int run(const CheckOptions& options) {
  const Loaded loaded = load(options);
  const Plan plan = make_plan(loaded.problem);
  const Problem& p = plan.problem();
  Results results = run_kernel(plan, loaded.inputs);
  const std::vector<std::int64_t> queries = sampled_queries(p, options.rows, results.nan);
  const auto rows = static_cast<double>(queries.size()) * static_cast<double>((is_packed(p) ? 1 : p.batch) * p.heads);
  require_memory("the rows compared", rows * static_cast<double>(p.value_dim) * kBytesPerElement);
  constexpr double kSecondsPerProduct = 9e-9;  // of the reference and the accuracy rule together; for the bar alone
  const Comparison compared = [&] {
    Progress progress("checking", kSecondsPerProduct * rows * static_cast<double>(p.keys) * static_cast<double>(p.dim + p.value_dim));
    return compare(plan, loaded.inputs, {.o = results.o.span(), .lse = results.lse.span()}, queries,
                   [&](std::size_t done) { progress.reached(static_cast<double>(done) / static_cast<double>(queries.size())); });
  }();
  report(options, loaded, {plan, results, compared, sequences_of(p, queries)});
  return compared.good() ? 0 : 1;
}

}  // namespace

void add_check(CLI::App& app, Task& task) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* const verb =
      app.add_subcommand("check", "the run against the definition in double on sampled rows; exit status 1 beyond the bound");
  add_problem_options(*verb, *options);
  add_whole(*verb, "--rows", options->rows, {1, 1'000'000'000}, "rows to compare, over all heads; default 64")->group(kRunGroup);
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
