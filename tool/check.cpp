// heed check: the chosen kernel against the definition in double, on sampled rows; says the largest error and the bound.
//
// Sampled are query indices, spread evenly with both ends; each is checked in every head of every batch entry, so that formulas keep
// their b and h. A sampled query is a problem of its own with one row, placed by its alignment, which the reference computes on copies
// of the inputs in double. Exit status 1 when an error exceeds its bound.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

#include "analysis.hpp"
#include "memory.hpp"
#include "naive.hpp"
#include "plan/body.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

struct CheckOptions : ProblemOptions {
  int rows = 64;
};

constexpr const char* kExamples = R"help(Examples:
  heed check layer.safetensors --mask causal
  heed check layer.npz --mask "window(512)" --score "softcap(30)" --kernel classic --rows 256

The bound for O is twice the error of the naive computation (scores and softmax in f32, weights rounded to the inputs'
type) on the same rows, plus half a unit in the last place; for L it is 2^-8 (bf16), 2^-11 (f16), 2^-20 (f32) of max(1, |L|).)help";

struct Verdict {
  double o_error = 0, naive_error = 0, largest = 0, l_error = 0;
  std::int64_t rows = 0;
  [[nodiscard]] double o_bound(DType dtype) const { return 2 * naive_error + unit_in_last_place(dtype, largest) / 2; }
};

double l_bound(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return 0x1p-8;
    case DType::kF16:
      return 0x1p-11;
    case DType::kF64:
      return 0x1p-40;
    default:
      return 0x1p-20;
  }
}

/// Zero for equal values, infinities and NaN among them; infinite where only one is finite.
double difference(double found, double expected) {
  if (found == expected || (std::isnan(found) && std::isnan(expected))) return 0;
  const double away = std::abs(found - expected);
  return std::isnan(away) ? INFINITY : away;
}

std::vector<std::int64_t> sampled(std::int64_t queries, std::int64_t heads, std::int64_t rows) {
  const std::int64_t least = std::min<std::int64_t>(queries, 4),
                     wanted = std::clamp((rows + std::max<std::int64_t>(heads, 1) - 1) / std::max<std::int64_t>(heads, 1), least, queries);
  std::set<std::int64_t> chosen;
  for (std::int64_t n = 0; n < wanted; ++n) chosen.insert(wanted == 1 ? queries - 1 : n * (queries - 1) / (wanted - 1));
  return {chosen.begin(), chosen.end()};
}

Tensor in_double(const TensorView& source) {
  Tensor copy = make_tensor("a copy in double", DType::kF64, source.shape);
  std::int64_t to = 0;
  const auto& [shape, strides] = std::pair(source.shape, source.strides);
  for (std::int64_t b = 0; b < shape[0]; ++b) {
    for (std::int64_t h = 0; h < shape[1]; ++h) {
      for (std::int64_t t = 0; t < shape[2]; ++t) {
        for (std::int64_t c = 0; c < shape[3]; ++c)
          copy.data<double>()[to++] = real_at(source, b * strides[0] + h * strides[1] + t * strides[2] + c * strides[3]);
      }
    }
  }
  return copy;
}

/// Query i alone: a view of one row.
TensorView row_of(const TensorView& tensor, std::int64_t i) {
  TensorView row = tensor;
  row.data = static_cast<const std::byte*>(tensor.data) + i * tensor.strides[2] * size_of(tensor.dtype);
  row.shape[2] = 1;
  return row;
}

class Comparison {
 public:
  Comparison(const Plan& plan, const Inputs& inputs, const Results& results)
      : plan_(plan), inputs_(inputs), results_(results), q_(in_double(inputs.q)), k_(in_double(inputs.k)), v_(in_double(inputs.v)) {}

  void add_query(std::int64_t i) {
    const Problem& whole = plan_.problem();
    Problem problem = whole;
    problem.dtype = DType::kF64;
    problem.queries = 1;
    problem.kernel = "reference";
    problem.strict = false;
    problem.align = Align::at(plan_.body().layout.offsets);
    for (std::int64_t& offset : problem.align.offsets) offset += i;
    Tensor o(DType::kF64, {whole.batch, whole.heads, 1, whole.value_dim}), lse(DType::kF64, {whole.batch, whole.heads, 1});
    Plan(problem).run({row_of(q_.view(), i), k_.view(), v_.view()}, {.o = o.span(), .lse = lse.span()});
    std::vector<double> naive(static_cast<std::size_t>(whole.value_dim));
    for (std::int64_t head = 0; head < whole.batch * whole.heads; ++head) {
      naive_row(plan_, inputs_, head / whole.heads, head % whole.heads, i, naive);
      compare(head, i, o.data<double>() + head * whole.value_dim, lse.data<double>()[head], naive);
    }
  }

  [[nodiscard]] const Verdict& verdict() const { return verdict_; }

 private:
  void compare(std::int64_t head, std::int64_t i, const double* o, double lse, const std::vector<double>& naive) {
    const std::int64_t row = head * plan_.problem().queries + i;
    for (std::size_t c = 0; c < naive.size(); ++c) {
      const double found = real_at(results_.o.view(), row * static_cast<std::int64_t>(naive.size()) + static_cast<std::int64_t>(c));
      verdict_.o_error = std::max(verdict_.o_error, difference(found, o[c]));
      if (const double error = difference(naive[c], o[c]); std::isfinite(error))
        verdict_.naive_error = std::max(verdict_.naive_error, error);
      if (std::isfinite(o[c])) verdict_.largest = std::max(verdict_.largest, std::abs(o[c]));
    }
    const double away = difference(real_at(results_.lse.view(), row), lse);
    verdict_.l_error = std::max(verdict_.l_error, std::isfinite(lse) ? away / std::max(1.0, std::abs(lse)) : away);
    ++verdict_.rows;
  }

  const Plan& plan_;
  const Inputs& inputs_;
  const Results& results_;
  Tensor q_, k_, v_;
  Verdict verdict_;
};

void report(const CheckOptions& options, const Loaded& loaded, const Plan& plan, const Results& results, const Verdict& verdict,
            bool good) {
  const DType dtype = plan.problem().dtype;
  if (options.json) {
    const nlohmann::json json{{"problem", problem_json(plan.problem())},
                              {"kernel", plan.kernel()},
                              {"seconds", results.seconds},
                              {"rows", verdict.rows},
                              {"o_error", verdict.o_error},
                              {"o_bound", verdict.o_bound(dtype)},
                              {"naive_error", verdict.naive_error},
                              {"lse_error", verdict.l_error},
                              {"lse_bound", l_bound(dtype)},
                              {"good", good},
                              {"notes", loaded.notes}};
    return say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  say(plan.problem().text() + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(fmt::format("kernel {} took {}; compared with the definition in double on {} rows\n", plan.kernel(), seconds_text(results.seconds),
                  count_text(verdict.rows)));
  say(fmt::format("  O  largest error {:.3g}, bound {:.3g} (naive: {:.3g})\n", verdict.o_error, verdict.o_bound(dtype),
                  verdict.naive_error));
  say(fmt::format("  L  largest error {:.3g}, bound {:.3g} (relative to max(1, |L|))\n", verdict.l_error, l_bound(dtype)));
  say(good ? "good: within the bounds\n" : "WRONG: beyond a bound\n");
}

/// O in the inputs' own type: what the accuracy rule speaks of.
Results run_kernel(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  Results results;
  results.o = make_tensor("O", p.dtype, {p.batch, p.heads, p.queries, p.value_dim});
  results.lse = make_tensor("L", statistic, {p.batch, p.heads, p.queries});
  require_scratch(plan);
  const auto start = std::chrono::steady_clock::now();
  plan.run(inputs, {.o = results.o.span(), .lse = results.lse.span()});
  results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return results;
}

int run(const CheckOptions& options) {
  const Loaded loaded = load(options);
  const Plan plan(loaded.problem);
  const Problem& p = plan.problem();
  const Results results = run_kernel(plan, loaded.inputs);
  Comparison comparison(plan, loaded.inputs, results);
  {
    constexpr double kSecondsPerProduct = 8e-9;  // of the reference and the naive loop together; for the bar alone
    const std::vector<std::int64_t> queries = sampled(p.queries, p.batch * p.heads, options.rows);
    const Progress progress("checking", kSecondsPerProduct * static_cast<double>(queries.size()) * static_cast<double>(p.batch * p.heads) *
                                            static_cast<double>(p.keys) * static_cast<double>(p.dim + p.value_dim));
    for (const std::int64_t i : queries) comparison.add_query(i);
  }
  const Verdict& verdict = comparison.verdict();
  const bool good = verdict.o_error <= verdict.o_bound(p.dtype) && verdict.l_error <= l_bound(p.dtype);
  report(options, loaded, plan, results, verdict, good);
  return good ? 0 : 1;
}

}  // namespace

void add_check(CLI::App& app, Task& task) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* const verb =
      app.add_subcommand("check", "the run against the definition in double on sampled rows; exit status 1 beyond the bound");
  add_problem_options(*verb, *options);
  verb->add_option("--rows", options->rows, "rows to compare, over all heads; default 64")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000).description(""));
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
