// heed bench: time, GFLOP/s, the share of this machine's measured peak and scratch of one problem, beside the classic operator.
//
// Inputs are normal random numbers from a seed. The time is the best of the runs; kernel and classic take turns, so that both see the
// same machine. FLOP: 2 (D + Dv) per pair of a query and a key that it sees: all pairs for a full mask, half of them for one that is
// exactly causal with Tq = Tk (as papers count), else the pairs counted by the kernel's own statistics. --limits measures what the machine
// can do at most and says which part of it the run used; without a problem it says the limits alone. A list of sizes makes a row for each
// and says with which exponent the time grows (series.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <random>

#include <heed/available.hpp>
#include <heed/error.hpp>
#include <heed/masks.hpp>
#include <heed/version.hpp>

#include "analysis.hpp"
#include "limits.hpp"
#include "memory.hpp"
#include "numbers.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "series.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr double kSecondsOfRuns = 2.0;                     // when --repeat does not say how often
constexpr double kSquareLimit = 2.0 * 1024 * 1024 * 1024;  // bytes of S x S that classic is given here
constexpr const char* kSizeGroup = "Sizes";
constexpr int kLeastRuns = 3, kMostRuns = 1000;

/// A size option: one value, or a list that makes a row for each.
struct SizeOption {
  const char* name;
  const char* what;
  std::int64_t usual;  ///< 0: follows from another
  std::vector<std::int64_t> values{};
};

struct BenchOptions : FormulaOptions, RunOptions {
  SizeOption t{"--t", "queries and keys", 0}, tq{"--tq", "queries; default --t", 0}, tk{"--tk", "keys; default --t", 0},
      batch{"--batch", "batch entries; default 1", 1}, heads{"--heads", "query heads; default 4", 4},
      kv_heads{"--kv-heads", "key/value heads; default as many", 0}, d{"--d", "dimension of q and k; default 64", 64},
      dv{"--dv", "dimension of v; default --d", 0};
  [[nodiscard]] std::array<const SizeOption*, 8> sizes() const { return {&t, &tq, &tk, &batch, &heads, &kv_heads, &d, &dv}; }
  [[nodiscard]] std::array<SizeOption*, 8> sizes() { return {&t, &tq, &tk, &batch, &heads, &kv_heads, &d, &dv}; }
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
  heed bench --t 1024,2048,4096,8192 --mask "window(256)" --alone
  heed bench --limits --threads 1
  heed bench --limits --t 4096 --dtype f32 --alone)help";

Tensor random_tensor(DType dtype, const Dims& shape, std::mt19937_64& random) {
  Tensor tensor = make_tensor("random input", dtype, shape);
  std::normal_distribution<double> normal;
  const TensorSpan span = tensor.span();
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(span, i, normal(random));
  return tensor;
}

/// How many rows the lists ask for, and the option that varies (null: none does).
struct Rows {
  std::size_t count = 1;
  const SizeOption* over = nullptr;
};

Rows rows_of(const BenchOptions& options) {
  Rows rows;
  for (const SizeOption* size : options.sizes()) {
    if (size->values.size() < 2) continue;
    if (rows.over != nullptr && size->values.size() != rows.count) {
      throw Error({"lists of different lengths", std::string(rows.over->name) + " and " + size->name, "as many values in each",
                   std::to_string(rows.count) + " and " + std::to_string(size->values.size())});
    }
    if (rows.over == nullptr) rows = {size->values.size(), size};
  }
  return rows;
}

std::int64_t size_at(const SizeOption& size, std::size_t row) {
  return size.values.empty() ? size.usual : size.values.size() == 1 ? size.values[0] : size.values[row];
}

void take_shapes(const BenchOptions& options, std::size_t row, Problem& problem) {
  const auto size = [&](const SizeOption& option, std::int64_t otherwise) {
    const std::int64_t given = size_at(option, row);
    return given > 0 ? given : otherwise;
  };
  problem.batch = size(options.batch, 1);
  problem.heads = size(options.heads, 1);
  problem.kv_heads = size(options.kv_heads, problem.heads);
  problem.queries = size(options.tq, size_at(options.t, row));
  problem.keys = size(options.tk, size_at(options.t, row));
  if (problem.queries == 0 || problem.keys == 0) throw Error({"no length", "command line", "--t, or --tq and --tk", "neither"});
  problem.dim = size(options.d, 1);
  problem.value_dim = size(options.dv, problem.dim);
  problem.dtype = dtype_from(options.dtype);
}

Loaded prepare(const BenchOptions& options, std::size_t row) {
  Loaded loaded;
  load_tables(options, loaded);
  Problem& problem = loaded.problem;
  take_shapes(options, row, problem);
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
  const Progress progress("making the inputs", 0);
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
  problem.kernel = problem.dtype == DType::kF64 ? "double" : "simd";
  problem.strict = false;
  const Progress progress("counting what is seen", 0);
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

/// Of f64 a vector holds half as many.
bool in_double(const Plan& plan) {
  return plan.problem().dtype == DType::kF64;
}

/// A plan with room for its outputs, and the best time seen.
struct Contender {
  Plan plan;
  Tensor o, lse;
  double best = INFINITY;
  explicit Contender(const Problem& p)
      : plan(make_plan(p)),
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
  if (in_double(plan)) return "it works in float32";
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

/// One problem, measured.
struct Report {
  Loaded loaded;
  std::unique_ptr<Contender> kernel, classic;  ///< classic null: not run
  std::string no_classic;
  Flop flop;
  double peak = 0;  // GFLOP/s
  std::optional<Limits> limits{};
  double read = 0;  // bytes/s of a plain read of as many bytes, with the limits
  int runs = 0;
  [[nodiscard]] Uses uses() const { return uses_of(kernel->plan, kernel->best, *limits, read); }
  [[nodiscard]] double rate(double seconds) const { return flop.count / std::max(seconds, 1e-9) / 1e9; }
};

nlohmann::json json_of(const Report& r) {
  const Plan& plan = r.kernel->plan;
  nlohmann::json json{{"problem", problem_json(plan.problem())},
                      {"kernel", plan.kernel()},
                      {"threads", plan.threads()},
                      {"seconds", r.kernel->best},
                      {"gflops", r.rate(r.kernel->best)},
                      {"peak_gflops", r.peak},
                      {"peak_share", r.rate(r.kernel->best) / r.peak},
                      {"scratch_bytes", plan.scratch_bytes()},
                      {"square_bytes", plan.square_bytes()},
                      {"runs", r.runs},
                      {"flop", {{"count", r.flop.count}, {"rule", r.flop.rule}}},
                      {"instruction_sets", instruction_sets()}};
  if (r.classic != nullptr) {
    json["classic"] = {{"seconds", r.classic->best},
                       {"gflops", r.rate(r.classic->best)},
                       {"scratch_bytes", r.classic->plan.scratch_bytes()},
                       {"speedup", r.classic->best / r.kernel->best}};
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

std::string limits_text(const Limits& limits, int threads) {
  return fmt::format("limits of this machine, measured on {} thread{}\n", threads, threads == 1 ? "" : "s") + text_of(limits);
}

std::string text_of(const Report& r) {
  const Plan& plan = r.kernel->plan;
  std::string text = plan.problem().text() + "\n" + flop_text(r.flop.count) + " (" + r.flop.rule + "), " + std::to_string(r.runs) +
                     " runs, the best of each\n";
  Grid grid({"kernel", "threads", "time", "GFLOP/s", "of peak", "scratch"});
  const auto row = [&](const Contender& one) {
    grid.row({one.plan.kernel(), std::to_string(one.plan.threads()), seconds_text(one.best), fmt::format("{:.1f}", r.rate(one.best)),
              percent_text(r.rate(one.best) / r.peak), bytes_text(static_cast<double>(one.plan.scratch_bytes()))});
  };
  row(*r.kernel);
  if (r.classic != nullptr) row(*r.classic);
  text += grid.text("  ");
  text += in_double(plan) ? fmt::format("peak of f64 multiply-adds, half of f32's as measured here: {:.1f} GFLOP/s\n", r.peak)
                          : fmt::format("peak of f32 multiply-adds, measured here: {:.1f} GFLOP/s\n", r.peak);
  if (r.limits) text += limits_text(*r.limits, plan.threads()) + "what " + plan.kernel() + " used of them:\n" + text_of(r.uses());
  if (r.classic != nullptr)
    return text + fmt::format("{} is {:.2f} times as fast as classic\n", plan.kernel(), r.classic->best / r.kernel->best);
  return text + "classic not run: " + r.no_classic + "\n";
}

Limits measured_limits(int threads) {
  constexpr double kUsualSeconds = 1.0;
  const Progress progress("measuring the limits", kUsualSeconds);
  asking_for("the buffers that are read to measure the limits");
  return measure_limits(threads, Effort::kThorough);
}

int run_limits(const BenchOptions& options) {
  const int threads = options.threads > 0 ? options.threads : available_threads();
  const Limits limits = measured_limits(threads);
  const nlohmann::json json{{"threads", threads}, {"limits", to_json(limits)}, {"instruction_sets", instruction_sets()}};
  say(options.json ? json.dump(2) + "\n" : limits_text(limits, threads));
  return 0;
}

/// `peak` and `limits` are measured by the first row and serve all.
Report measure(const BenchOptions& options, std::size_t row, double& peak, std::optional<Limits>& limits) {
  Report report{.loaded = prepare(options, row), .kernel = nullptr, .classic = nullptr, .no_classic = "", .flop = {}};
  report.kernel = std::make_unique<Contender>(report.loaded.problem);
  const Plan& plan = report.kernel->plan;
  fill_inputs(options, report.loaded);
  report.no_classic = without_classic(options, plan);
  if (report.no_classic.empty()) {
    Problem problem = report.loaded.problem;
    problem.kernel = "classic";
    problem.strict = false;
    report.classic = std::make_unique<Contender>(problem);
  }
  report.flop = flop_of(plan, report.loaded.inputs);
  if (options.limits && !limits) limits = measured_limits(plan.threads());
  if (peak == 0) peak = (limits ? limits->multiply_add : measure_multiply_add(plan.threads())) / 1e9;
  report.peak = in_double(plan) ? peak / 2 : peak;
  report.limits = limits;
  report.runs = take_turns(options, report.loaded.inputs, *report.kernel, report.classic.get());
  if (limits) report.read = measure_read(plan.threads(), plan.work().dram);
  return report;
}

/// What is kept of each row of a series: its inputs and outputs are not.
struct SeriesRow {
  nlohmann::json json;
  std::string kernel;
  double size, seconds, classic, gflops, scratch;
};

struct Fit {
  double kernel, classic;  ///< exponents; NaN: not measured
};

std::string series_text(const SizeOption& over, const std::vector<SeriesRow>& rows, const Fit& fit) {
  const bool both = std::ranges::any_of(rows, [](const SeriesRow& row) { return std::isfinite(row.classic); });
  const std::string name = std::string(over.name).substr(2);
  std::vector<std::string> header{name, "kernel", "time", "GFLOP/s", "scratch"};
  if (both) header.insert(header.end(), {"classic", "classic / kernel"});
  Grid grid(header);
  std::vector<double> sizes;
  Series kernel{"the kernel", {}}, classic{"classic", {}};
  for (const SeriesRow& row : rows) {
    std::vector<std::string> cells{count_text(static_cast<std::int64_t>(row.size)), row.kernel, seconds_text(row.seconds),
                                   fmt::format("{:.1f}", row.gflops), bytes_text(row.scratch)};
    const bool beside = std::isfinite(row.classic);
    if (both)
      cells.insert(cells.end(),
                   {beside ? seconds_text(row.classic) : "-", beside ? fmt::format("{:.2f}", row.classic / row.seconds) : "-"});
    grid.row(std::move(cells));
    sizes.push_back(row.size);
    kernel.seconds.push_back(row.seconds);
    classic.seconds.push_back(row.classic);
  }
  std::string text = grid.text("  ") + fmt::format("time grows with {} to the power {:.2f}", name, fit.kernel);
  if (std::isfinite(fit.classic)) text += fmt::format("; classic's to the power {:.2f}", fit.classic);
  return text + "\n" + plot_text(name, sizes, both ? std::vector{kernel, classic} : std::vector{kernel}, terminal_size().columns);
}

int run_series(const BenchOptions& options, const Rows& lists) {
  double peak = 0;
  std::optional<Limits> limits;
  std::vector<SeriesRow> rows;
  std::vector<double> sizes, seconds, classics;
  std::string problem;
  for (std::size_t row = 0; row < lists.count; ++row) {
    const Report report = measure(options, row, peak, limits);
    const Plan& plan = report.kernel->plan;
    if (row == 0) problem = plan.problem().text();
    rows.push_back({.json = json_of(report),
                    .kernel = plan.kernel(),
                    .size = static_cast<double>(lists.over->values[row]),
                    .seconds = report.kernel->best,
                    .classic = report.classic ? report.classic->best : INFINITY,
                    .gflops = report.rate(report.kernel->best),
                    .scratch = static_cast<double>(plan.scratch_bytes())});
    sizes.push_back(rows.back().size);
    seconds.push_back(rows.back().seconds);
    classics.push_back(rows.back().classic);
  }
  const Fit fit{exponent_of(sizes, seconds), exponent_of(sizes, classics)};
  if (!options.json) {
    say("first of " + std::to_string(rows.size()) + ": " + problem + "\n" + series_text(*lists.over, rows, fit));
    return 0;
  }
  nlohmann::json json{{"over", std::string(lists.over->name).substr(2)}, {"rows", nlohmann::json::array()}};
  for (SeriesRow& row : rows) json["rows"].push_back(std::move(row.json));
  json["exponent"] = std::isfinite(fit.kernel) ? nlohmann::json(fit.kernel) : nlohmann::json(nullptr);
  json["classic_exponent"] = std::isfinite(fit.classic) ? nlohmann::json(fit.classic) : nlohmann::json(nullptr);
  say(json.dump(2) + "\n");
  return 0;
}

int run(const BenchOptions& options) {
  if (options.limits && !options.problem) return run_limits(options);
  if (const Rows lists = rows_of(options); lists.over != nullptr) return run_series(options, lists);
  double peak = 0;
  std::optional<Limits> limits;
  const Report report = measure(options, 0, peak, limits);
  say(options.json ? json_of(report).dump(2) + "\n" : text_of(report));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Task& task) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* const verb =
      app.add_subcommand("bench", "time, GFLOP/s, share of the measured peak and scratch, beside classic in the same run");
  for (SizeOption* size : options->sizes()) {
    const auto take = [size](const std::string& text) { size->values = integers_from(size->name, text, {1, std::int64_t{1} << 40}); };
    verb->add_option_function<std::string>(size->name, take, size->what)->type_name("N[,N...]")->group(kSizeGroup);
  }
  verb->add_option("--dtype", options->dtype, "f32, bf16, f16 or f64; default bf16")->type_name("TYPE")->group(kSizeGroup);
  add_whole(*verb, "--seed", options->seed, {.first = 0}, "of the random inputs; default 1")->group(kRunGroup);
  verb->add_flag("--alone", options->alone, "without classic beside it")->group(kRunGroup);
  add_whole(*verb, "--repeat", options->repeat, {1, 1'000'000}, "runs; default: what fits into 2 s, at least 3")->group(kRunGroup);
  verb->add_flag("--limits", options->limits,
                 "what this machine can do at most, and the share of it that the run used; alone without a problem")
      ->group(kRunGroup);
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
