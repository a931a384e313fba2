// heed bench: time, GFLOP/s, the share of this machine's measured peak and scratch of one problem, beside the classic operator.
//
// Inputs are normal random numbers from a seed. The time is the best of the runs; kernel and classic take turns, so that both see the
// same machine. FLOP: 2 (D + Dv) per pair of a query and a key that it sees: all pairs for a full mask, half of them for one that is
// exactly causal with Tq = Tk (as papers count), else the pairs counted by the kernel's own statistics. --limits measures what the machine
// can do at most and says which part of it the run used; without a problem it says the limits alone.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <random>

#include <heed/error.hpp>
#include <heed/masks.hpp>
#include <heed/version.hpp>

#include "analysis.hpp"
#include "base/threads.hpp"
#include "limits.hpp"
#include "memory.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr double kSecondsOfRuns = 2.0;                     // when --repeat does not say how often
constexpr double kSquareLimit = 2.0 * 1024 * 1024 * 1024;  // bytes of S x S that classic is given here
constexpr int kLeastRuns = 3, kMostRuns = 1000;

struct BenchOptions : FormulaOptions, RunOptions {
  std::int64_t t = 0, tq = 0, tk = 0, batch = 1, heads = 4, kv_heads = 0, d = 64, dv = 0;
  std::uint64_t seed = 1;
  std::string dtype = "bf16";
  int repeat = 0;
  bool alone = false, limits = false;
  bool problem = false;  // an option that speaks of one was given
};

constexpr const char* kExamples = R"help(Examples:
  heed bench --t 4096 --heads 4 --kv-heads 4 --d 64 --dtype bf16 --mask causal --threads 1
  heed bench --tq 1 --tk 32768 --heads 32 --kv-heads 8 --d 128 --mask causal --align end
  heed bench --t 8192 --mask "window(512)" --score "softcap(50)" --json
  heed bench --limits --threads 1
  heed bench --limits --t 4096 --dtype f32 --alone)help";

Tensor random_tensor(DType dtype, const Dims& shape, std::mt19937_64& random) {
  Tensor tensor = make_tensor("random input", dtype, shape);
  std::normal_distribution<double> normal;
  const TensorSpan span = tensor.span();
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(span, i, normal(random));
  return tensor;
}

void take_shapes(const BenchOptions& options, Problem& problem) {
  problem.batch = options.batch;
  problem.heads = options.heads;
  problem.kv_heads = options.kv_heads > 0 ? options.kv_heads : options.heads;
  problem.queries = options.tq > 0 ? options.tq : options.t;
  problem.keys = options.tk > 0 ? options.tk : options.t;
  if (problem.queries == 0 || problem.keys == 0) throw Error({"no length", "command line", "--t, or --tq and --tk", "neither"});
  problem.dim = options.d;
  problem.value_dim = options.dv > 0 ? options.dv : options.d;
  problem.dtype = dtype_from(options.dtype);
}

Loaded prepare(const BenchOptions& options) {
  Loaded loaded;
  load_tables(options, loaded);
  Problem& problem = loaded.problem;
  take_shapes(options, problem);
  if (!options.mask.empty()) problem.mask = parse_option("--mask", options.mask, problem.tables);
  for (const std::string& score : options.scores) problem.scores.push_back(parse_option("--score", score, problem.tables));
  problem.align = align_from(options.align);
  problem.kernel = options.kernel;
  problem.strict = options.strict;
  problem.threads = options.threads;
  return loaded;
}

void fill_inputs(const BenchOptions& options, Loaded& loaded) {
  const Problem& p = loaded.problem;
  std::mt19937_64 random(options.seed);
  loaded.owned["q"] = random_tensor(p.dtype, {p.batch, p.heads, p.queries, p.dim}, random);
  loaded.owned["k"] = random_tensor(p.dtype, {p.batch, p.kv_heads, p.keys, p.dim}, random);
  loaded.owned["v"] = random_tensor(p.dtype, {p.batch, p.kv_heads, p.keys, p.value_dim}, random);
  loaded.inputs = {loaded.owned["q"].view(), loaded.owned["k"].view(), loaded.owned["v"].view()};
}

struct Flop {
  double count = 0;
  std::string rule;
};

std::int64_t visible_pairs(const Plan& plan, const Inputs& inputs) {
  Problem problem = plan.problem();
  problem.statistics = true;
  problem.kernel = problem.dtype == DType::kF64 ? "reference" : "simd";
  problem.strict = false;
  Tensor visible(DType::kI64, {problem.batch, problem.heads, problem.queries});
  Plan(problem).run(inputs, {.visible = visible.span()});
  return std::accumulate(visible.data<std::int64_t>(), visible.data<std::int64_t>() + visible.count(), std::int64_t{0});
}

Flop flop_of(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const double pair = 2.0 * static_cast<double>(p.dim + p.value_dim);
  const double all =
      static_cast<double>(p.batch) * static_cast<double>(p.heads) * static_cast<double>(p.queries) * static_cast<double>(p.keys);
  if (p.mask.empty() || same(p.mask, full())) return {pair * all, "full: 2 (D + Dv) B Hq Tq Tk"};
  if (same(p.mask, causal()) && p.queries == p.keys) return {pair * all / 2, "causal: half of 2 (D + Dv) B Hq Tq Tk"};
  return {pair * static_cast<double>(visible_pairs(plan, inputs)), "visible pairs: 2 (D + Dv) for each"};
}

/// A plan with room for its outputs, and the best time seen.
struct Contender {
  Plan plan;
  Tensor o, lse;
  double best = INFINITY;
  explicit Contender(const Problem& p)
      : plan(p),
        o(make_tensor("O", p.dtype, {p.batch, p.heads, p.queries, p.value_dim})),
        lse(make_tensor("L", p.dtype == DType::kF64 ? DType::kF64 : DType::kF32, {p.batch, p.heads, p.queries})) {}
  double run(const Inputs& inputs) {
    const auto start = std::chrono::steady_clock::now();
    plan.run(inputs, {.o = o.span(), .lse = lse.span()});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    return seconds;
  }
};

/// Why classic does not run beside; empty when it does.
std::string without_classic(const BenchOptions& options, const Plan& plan) {
  if (options.alone) return "--alone";
  if (plan.kernel() == "classic") return "it is the kernel itself";
  if (plan.problem().dtype == DType::kF64) return "it works in float32";
  const auto square = static_cast<double>(plan.square_bytes());
  return square > kSquareLimit ? "its S x S matrix would take " + bytes_text(square) + ", more than 2 GiB" : "";
}

int take_turns(const BenchOptions& options, const Inputs& inputs, Contender& kernel, Contender* classic) {
  require_scratch(kernel.plan);
  if (classic != nullptr) require_scratch(classic->plan);
  const Progress progress("running", kSecondsOfRuns);
  double spent = 0;
  int runs = 0;
  const auto enough = [&] {
    return options.repeat > 0 ? runs >= options.repeat : (runs >= kLeastRuns && spent > kSecondsOfRuns) || runs >= kMostRuns;
  };
  for (; !enough(); ++runs) {
    spent += kernel.run(inputs);
    if (classic != nullptr) spent += classic->run(inputs);
  }
  return runs;
}

struct Report {
  const Loaded& loaded;
  const Contender& kernel;
  const Contender* classic;
  std::string no_classic;
  Flop flop;
  double peak;  // GFLOP/s
  std::optional<plan::Limits> limits;
  double read;  // bytes/s of a plain read of as many bytes, with the limits
  int runs;
  [[nodiscard]] Uses uses() const { return uses_of(kernel.plan, kernel.best, *limits, read); }
  [[nodiscard]] double rate(double seconds) const { return flop.count / std::max(seconds, 1e-9) / 1e9; }
};

nlohmann::json json_of(const Report& r) {
  const Plan& plan = r.kernel.plan;
  nlohmann::json json{{"problem", problem_json(plan.problem())},
                      {"kernel", plan.kernel()},
                      {"threads", plan.threads()},
                      {"seconds", r.kernel.best},
                      {"gflops", r.rate(r.kernel.best)},
                      {"peak_gflops", r.peak},
                      {"peak_share", r.rate(r.kernel.best) / r.peak},
                      {"scratch_bytes", plan.scratch_bytes()},
                      {"square_bytes", plan.square_bytes()},
                      {"runs", r.runs},
                      {"flop", {{"count", r.flop.count}, {"rule", r.flop.rule}}},
                      {"instruction_sets", instruction_sets()}};
  if (r.classic != nullptr) {
    json["classic"] = {{"seconds", r.classic->best},
                       {"gflops", r.rate(r.classic->best)},
                       {"scratch_bytes", r.classic->plan.scratch_bytes()},
                       {"speedup", r.classic->best / r.kernel.best}};
  } else {
    json["classic"] = {{"skipped", r.no_classic}};
  }
  if (r.limits) {
    json["limits"] = to_json(*r.limits);
    json["limits"]["same_bytes"] = r.read;
    json["used"] = to_json(r.uses());
  }
  return json;
}

std::string limits_text(const plan::Limits& limits, int threads) {
  return fmt::format("limits of this machine, measured on {} thread{}\n", threads, threads == 1 ? "" : "s") + text_of(limits);
}

std::string text_of(const Report& r) {
  const Plan& plan = r.kernel.plan;
  std::string text = plan.problem().text() + "\n" + flop_text(r.flop.count) + " (" + r.flop.rule + "), " + std::to_string(r.runs) +
                     " runs, the best of each\n";
  Grid grid({"kernel", "threads", "time", "GFLOP/s", "of peak", "scratch"});
  const auto row = [&](const Contender& one) {
    grid.row({one.plan.kernel(), std::to_string(one.plan.threads()), seconds_text(one.best), fmt::format("{:.1f}", r.rate(one.best)),
              percent_text(r.rate(one.best) / r.peak), bytes_text(static_cast<double>(one.plan.scratch_bytes()))});
  };
  row(r.kernel);
  if (r.classic != nullptr) row(*r.classic);
  text += grid.text("  ");
  text += fmt::format("peak of f32 multiply-adds, measured here: {:.1f} GFLOP/s\n", r.peak);
  if (r.limits) text += limits_text(*r.limits, plan.threads()) + "what " + plan.kernel() + " used of them:\n" + text_of(r.uses());
  if (r.classic != nullptr)
    return text + fmt::format("{} is {:.2f} times as fast as classic\n", plan.kernel(), r.classic->best / r.kernel.best);
  return text + "classic not run: " + r.no_classic + "\n";
}

plan::Limits measured_limits(int threads) {
  constexpr double kUsualSeconds = 1.0;
  const Progress progress("measuring the limits", kUsualSeconds);
  asking_for("the buffers that are read to measure the limits");
  return plan::measure_limits(threads, plan::Effort::kThorough);
}

int run_limits(const BenchOptions& options) {
  const int threads = options.threads > 0 ? options.threads : base::available_threads();
  const plan::Limits limits = measured_limits(threads);
  const nlohmann::json json{{"threads", threads}, {"limits", to_json(limits)}, {"instruction_sets", instruction_sets()}};
  say(options.json ? json.dump(2) + "\n" : limits_text(limits, threads));
  return 0;
}

int run(const BenchOptions& options) {
  if (options.limits && !options.problem) return run_limits(options);
  Loaded loaded = prepare(options);
  asking_for("the plan");
  Contender kernel(loaded.problem);
  fill_inputs(options, loaded);
  std::string no_classic = without_classic(options, kernel.plan);
  std::unique_ptr<Contender> classic;
  if (no_classic.empty()) {
    Problem problem = loaded.problem;
    problem.kernel = "classic";
    problem.strict = false;
    classic = std::make_unique<Contender>(problem);
  }
  const Flop flop = flop_of(kernel.plan, loaded.inputs);
  std::optional<plan::Limits> limits;
  if (options.limits) limits = measured_limits(kernel.plan.threads());
  const double peak = (limits ? limits->multiply_add : plan::measure_multiply_add(kernel.plan.threads())) / 1e9;
  const int runs = take_turns(options, loaded.inputs, kernel, classic.get());
  const double read = limits ? plan::measure_read(kernel.plan.threads(), bytes_of_tensors(kernel.plan)) : 0;
  const Report report{loaded, kernel, classic.get(), std::move(no_classic), flop, peak, limits, read, runs};
  say(options.json ? json_of(report).dump(2) + "\n" : text_of(report));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Task& task) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* const verb =
      app.add_subcommand("bench", "time, GFLOP/s, share of the measured peak and scratch, beside classic in the same run");
  const auto size = [&](const char* name, std::int64_t& value, const char* what) {
    verb->add_option(name, value, what)->type_name("N")->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40).description(""));
  };
  size("--t", options->t, "queries and keys");
  size("--tq", options->tq, "queries; default --t");
  size("--tk", options->tk, "keys; default --t");
  size("--batch", options->batch, "batch entries; default 1");
  size("--heads", options->heads, "query heads; default 4");
  size("--kv-heads", options->kv_heads, "key/value heads; default as many");
  size("--d", options->d, "dimension of q and k; default 64");
  size("--dv", options->dv, "dimension of v; default --d");
  verb->add_option("--dtype", options->dtype, "f32, bf16, f16 or f64; default bf16")->type_name("TYPE");
  verb->add_option("--seed", options->seed, "of the random inputs; default 1")->type_name("N");
  verb->add_flag("--alone", options->alone, "without classic beside it");
  verb->add_option("--repeat", options->repeat, "runs; default: what fits into 2 s, at least 3")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  verb->add_flag("--limits", options->limits,
                 "what this machine can do at most, and the share of it that the run used; alone without a problem");
  add_mask_options(*verb, *options);
  add_score_options(*verb, *options);
  add_run_options(*verb, *options);
  verb->footer(kExamples);
  verb->callback([options, verb, &task] {
    options->problem = std::ranges::any_of(verb->get_options(), [](const CLI::Option* option) {
      const std::string name = option->get_single_name();
      return option->count() > 0 && name != "limits" && name != "threads" && name != "json";
    });
    task = [options] { return run(*options); };
  });
}

}  // namespace heed::tool
