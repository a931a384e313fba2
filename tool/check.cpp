// heed check: the chosen kernel against the definition in double, on sampled rows; says the largest error and the bound.
//
// Sampled are query indices, spread evenly with both ends; each is checked in every head of every batch entry, so that formulas keep
// their b and h; among them are queries with rows that came out NaN. A sampled query is a problem of its own with one row, placed by its
// alignment, which the reference computes. Exit status 1 when an error exceeds its bound, or a row is NaN that is not NaN by the
// definition.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

#include "analysis.hpp"
#include "memory.hpp"
#include "numbers.hpp"
#include "plan/choice.hpp"
#include "progress.hpp"
#include "reference/accuracy.hpp"
#include "reference/score_rounding.hpp"
#include "reference/softmax.hpp"
#include "report.hpp"
#include "rows.hpp"
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
type) on the same rows, plus half a unit in the last place, plus what it does to O that a score of size x is known to
x 2^-24 only (nothing where scores stay below 16); for L it is 2^-8 (bf16), 2^-11 (f16), 2^-20 (f32) of the largest |L|,
not counting what that does to L.)help";

struct Verdict {
  reference::Accuracy o;
  double l_error = 0, l_bound = 0;
  std::int64_t rows = 0;
  std::int64_t nan = 0, nan_by_definition = 0;  // of the rows compared; of those that are NaN, how many the definition has as NaN too
  [[nodiscard]] bool good() const { return o.holds() && l_error <= l_bound && nan == nan_by_definition; }
};

std::vector<std::int64_t> sampled(std::int64_t queries, std::int64_t heads, std::int64_t rows) {
  const std::int64_t least = std::min<std::int64_t>(queries, 4),
                     wanted = std::clamp((rows + std::max<std::int64_t>(heads, 1) - 1) / std::max<std::int64_t>(heads, 1), least, queries);
  std::set<std::int64_t> chosen;
  for (std::int64_t n = 0; n < wanted; ++n) chosen.insert(wanted == 1 ? queries - 1 : n * (queries - 1) / (wanted - 1));
  return {chosen.begin(), chosen.end()};
}

/// Adds queries with a NaN row, as many as are there already at most, the first among them: each must be one by the definition too.
void add_nan_queries(const NanRows& nan, std::vector<std::int64_t>& queries) {
  if (nan.count == 0) return;
  std::vector<std::int64_t> broken;
  for (std::int64_t i = 0; i < nan.shape[2]; ++i) {
    bool any = false;
    for (std::int64_t head = 0; head < nan.shape[0] * nan.shape[1]; ++head) any |= nan.at(head / nan.shape[1], head % nan.shape[1], i);
    if (any) broken.push_back(i);
  }
  const std::size_t step = (broken.size() + queries.size() - 1) / queries.size();
  std::set<std::int64_t> chosen(queries.begin(), queries.end());
  for (std::size_t n = 0; n < broken.size(); n += step) chosen.insert(broken[n]);
  queries.assign(chosen.begin(), chosen.end());
}

/// Row r of a [B, H, rows, …] collection, as a span of one row.
TensorSpan span_of(Tensor& rows, std::int64_t r) {
  TensorSpan row = rows.span();
  row.data = static_cast<std::byte*>(row.data) + r * row.strides[2] * size_of(row.dtype);
  row.shape[2] = 1;
  return row;
}

/// The sampled rows: as the kernel found them, in double by the definition, and naive.
class Comparison {
 public:
  Comparison(const Plan& plan, const Inputs& inputs, const Results& results, std::int64_t rows)
      : plan_(plan), inputs_(inputs), results_(results) {
    const Problem& p = plan.problem();
    const Dims o{p.batch, p.heads, rows, p.value_dim}, l{p.batch, p.heads, rows};
    found_ = make_tensor("the sampled rows", results.o.dtype(), o);
    truth_ = make_tensor("the sampled rows in double", DType::kF64, o);
    naive_ = make_tensor("the naive rows", p.dtype == DType::kF64 ? DType::kF64 : DType::kF32, o);
    rounding_ = make_tensor("the rounding of scores", DType::kF64, o);
    found_l_ = Tensor(results.lse.dtype(), l);
    truth_l_ = Tensor(DType::kF64, l);
    rounding_l_ = Tensor(DType::kF64, l);
  }

  void add_query(std::int64_t i) {
    const Plan definition(problem_of_row(plan_, i));
    const Inputs row{row_of(inputs_.q, i), inputs_.k, inputs_.v};
    reference::naive(inside(definition).question, row, span_of(naive_, rows_));
    reference::score_rounding(inside(definition).question, row, {.o = span_of(rounding_, rows_), .lse = span_of(rounding_l_, rows_)});
    reference::run(inside(definition).question, row, {.o = span_of(truth_, rows_), .lse = span_of(truth_l_, rows_)});
    copy(row_of(results_.o.view(), i), span_of(found_, rows_));
    copy(row_of(results_.lse.view(), i), span_of(found_l_, rows_));
    ++rows_;
  }

  [[nodiscard]] Verdict verdict() const {
    const DType dtype = plan_.problem().dtype;
    const NanRows nan = nan_rows(found_, found_l_), by_definition = nan_rows(truth_, truth_l_);
    std::int64_t both = 0;
    for (std::size_t row = 0; row < nan.is_nan.size(); ++row) both += nan.is_nan[row] && by_definition.is_nan[row];
    return {.o = reference::judge(found_.view(), truth_.view(), {naive_.view(), rounding_.view()}, dtype),
            .l_error = reference::statistic_error(found_l_.view(), truth_l_.view(), truth_l_.view(), rounding_l_.view()),
            .l_bound = reference::statistic_tolerance(dtype),
            .rows = rows_ * plan_.problem().batch * plan_.problem().heads,
            .nan = nan.count,
            .nan_by_definition = both};
  }

 private:
  /// One row of every head; rank 3 or 4.
  static void copy(const TensorView& from, const TensorSpan& to) {
    for (std::int64_t b = 0; b < from.shape[0]; ++b) {
      for (std::int64_t h = 0; h < from.shape[1]; ++h) {
        for (std::int64_t c = 0; c < (from.shape.rank() == 4 ? from.shape[3] : 1); ++c)
          store_real(to, b * to.strides[0] + h * to.strides[1] + c, real_at(from, b * from.strides[0] + h * from.strides[1] + c));
      }
    }
  }

  const Plan& plan_;
  const Inputs& inputs_;
  const Results& results_;
  Tensor found_, truth_, naive_, rounding_, found_l_, truth_l_, rounding_l_;
  std::int64_t rows_ = 0;
};

void report(const CheckOptions& options, const Loaded& loaded, const Plan& plan, const Results& results, const Verdict& verdict) {
  if (options.json) {
    const nlohmann::json json{{"problem", problem_json(plan.problem())},
                              {"kernel", plan.kernel()},
                              {"seconds", results.seconds},
                              {"rows", verdict.rows},
                              {"nan_rows", results.nan.json()},
                              {"nan_compared", verdict.nan},
                              {"nan_by_definition", verdict.nan_by_definition},
                              {"o_error", verdict.o.max_error},
                              {"o_bound", verdict.o.max_bound},
                              {"o_rms_error", verdict.o.rms_error},
                              {"o_rms_bound", verdict.o.rms_bound},
                              {"lse_error", verdict.l_error},
                              {"lse_bound", verdict.l_bound},
                              {"good", verdict.good()},
                              {"notes", loaded.notes}};
    return say(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  say(plan.problem().text() + "\n");
  for (const std::string& note : loaded.notes) say("note: " + note + "\n");
  say(fmt::format("kernel {} took {}; compared with the definition in double on {} rows\n", plan.kernel(), seconds_text(results.seconds),
                  count_text(verdict.rows)));
  say(fmt::format("  O  largest error {:.3g}, bound {:.3g}; RMS error {:.3g}, bound {:.3g}\n", verdict.o.max_error, verdict.o.max_bound,
                  verdict.o.rms_error, verdict.o.rms_bound));
  say(fmt::format("  L  largest error {:.3g}, bound {:.3g} (of the largest |L|, at least 1)\n", verdict.l_error, verdict.l_bound));
  say(results.nan.text());
  if (verdict.nan > 0)
    say(fmt::format("  of the rows compared {} {} NaN, {} of them by the definition too\n", count_text(verdict.nan),
                    verdict.nan == 1 ? "is" : "are", count_text(verdict.nan_by_definition)));
  say(verdict.good() ? "good: within the bounds\n" : "WRONG: beyond a bound\n");
}

/// O in the inputs' own type: what the accuracy rule speaks of.
Results run_kernel(const Plan& plan, const Inputs& inputs) {
  const Problem& p = plan.problem();
  const DType statistic = p.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  Results results;
  results.o = make_tensor("O", p.dtype, {p.batch, p.heads, p.queries, p.value_dim});
  results.lse = make_tensor("L", statistic, {p.batch, p.heads, p.queries});
  require_scratch(plan);
  const Progress progress("attending", seconds_for_bar(plan));
  const auto start = std::chrono::steady_clock::now();
  plan.run(inputs, {.o = results.o.span(), .lse = results.lse.span()});
  results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  results.nan = nan_rows(results.o, results.lse);
  return results;
}

int run(const CheckOptions& options) {
  const Loaded loaded = load(options);
  const Plan plan = make_plan(loaded.problem);
  const Problem& p = plan.problem();
  const Results results = run_kernel(plan, loaded.inputs);
  std::vector<std::int64_t> queries = sampled(p.queries, p.batch * p.heads, options.rows);
  add_nan_queries(results.nan, queries);
  Comparison comparison(plan, loaded.inputs, results, static_cast<std::int64_t>(queries.size()));
  {
    constexpr double kSecondsPerProduct = 9e-9;  // of the reference and the accuracy rule together; for the bar alone
    Progress progress("checking", kSecondsPerProduct * static_cast<double>(queries.size()) * static_cast<double>(p.batch * p.heads) *
                                      static_cast<double>(p.keys) * static_cast<double>(p.dim + p.value_dim));
    for (std::size_t n = 0; n < queries.size(); ++n) {
      comparison.add_query(queries[n]);
      progress.reached(static_cast<double>(n + 1) / static_cast<double>(queries.size()));
    }
  }
  const Verdict verdict = comparison.verdict();
  report(options, loaded, plan, results, verdict);
  return verdict.good() ? 0 : 1;
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
