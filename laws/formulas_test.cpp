// Random formulas, shapes, positions and tables: every evaluator of heed, the plan's proof and every kernel against a second evaluator
// (support/second_evaluator.hpp) that shares no code with them.
//
//   at         Formula::at says the same bits, and has no value at the same places
//   proof      a plan refuses exactly where a visible place lacks a value for some s, and names such a place
//   reference  O and L in double, visible counts and NaN rows as the second evaluator's own softmax has them
//   kernels    the same, up to what heed promises: a final score within 2^-20 max(1, |s|, |x|) of x (2^-44 of f64), the rest by the dtype
//
// Rows in which a decision that reads s is closer than that promise (Answer::open) are not judged, nor by kernels those where a score
// formula sees an s that is not finite, of which nothing is promised; they are counted, and must be few.
// A sample in ./test; 100,000 in ./test --all; more by
//   laws_tests --gtest_filter=Formulas.ASample --formulas=N --seed=S --failures=F    cases S to S + N - 1, up to F failing ones; a
//                                                                                    failure names the seed of its case
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/formula_case.hpp"
#include "laws/support/matrix_unit.hpp"
#include "laws/support/options.hpp"
#include "laws/support/second_evaluator.hpp"
#include "plan/choice.hpp"
#include "plan/kernels.hpp"

namespace heed::laws {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// What a row may differ by beside its scores: of L, relative to the largest of 1 and |L|; of O, relative to the largest |v|.
struct Tolerance {
  double lse, o;
};
Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return {0x1p-8, 0x1p-7};
    case DType::kF16:
      return {0x1p-11, 0x1p-10};
    case DType::kF64:
      return {0x1p-40, 0x1p-40};
    default:
      return {0x1p-20, 0x1p-20};
  }
}

/// A row by the second evaluator: exactly, and how far scores as close as promised may take it.
struct Row {
  bool nan = false, open = false;
  std::int64_t visible = 0;
  double lse = -kInf, lse_low = -kInf, lse_high = -kInf, largest_score = 1, largest_value = 0;
  std::vector<double> o, o_slack;
};

struct Counts {
  int cases = 0, refused = 0, failed = 0;
  std::int64_t rows = 0, open = 0, nan = 0;
  std::map<std::string, int> kernels;
};

/// One case, judged.
class Judge {
 public:
  Judge(const FormulaCase& of, Counts& counts)
      : case_(of),
        p_(of.problem),
        counts_(counts),
        mask_(formula::Formula::mask(p_.mask, p_.tables)),
        score_(formula::Formula::score(p_.scores, p_.tables)) {}

  /// "" or what is wrong.
  std::string verdict() {
    ++counts_.cases;
    for (std::int64_t row = 0; row < p_.batch * p_.heads * p_.queries && wrong_.str().empty(); ++row) read_row(row);
    if (!wrong_.str().empty()) return wrong_.str();
    std::optional<Plan> plan;
    try {
      plan.emplace(p_);
    } catch (const Error& error) {
      ++counts_.refused;
      judge_refusal(error.what());
      return wrong_.str();
    }
    if (lacking_) return "a plan is made though the visible place " + *lacking_ + " lacks a value";
    judge_reference();
    for (const plan::Kernel& kernel : plan::kernels()) {
      if (!kernel.missing().empty()) continue;
      if (kernel.decline(inside(*plan).question, inside(*plan).parts[0].group).empty()) judge_kernel(std::string(kernel.name));
    }
    return wrong_.str();
  }

 private:
  static bool same_bits(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)); }

  [[nodiscard]] bool in_double() const { return p_.dtype == DType::kF64; }

  [[nodiscard]] double element(const Tensor& tensor, std::int64_t line, std::int64_t c) const {
    return real_at(tensor.view(), line * tensor.shape()[3] + c);
  }

  [[nodiscard]] Spot spot(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    const std::int64_t g = h / (p_.heads / p_.kv_heads);
    double s = 0;
    for (std::int64_t c = 0; c < p_.dim; ++c)
      s += element(case_.q, (b * p_.heads + h) * p_.queries + i, c) * element(case_.k, (b * p_.kv_heads + g) * p_.keys + j, c);
    return {
        .q = case_.offsets[static_cast<std::size_t>(b)] + i, .k = p_.first_key + j, .b = b, .h = h, .g = g, .i = i, .s = s * case_.scale};
  }

  static std::string named(const Spot& at) {
    return "q = " + std::to_string(at.q) + ", k = " + std::to_string(at.k) + ", b = " + std::to_string(at.b) +
           ", h = " + std::to_string(at.h);
  }

  void check_at(const formula::Formula& formula, const Spot& at, const Answer& answer) {
    const formula::Value value = formula.at({.q = at.q, .k = at.k, .b = at.b, .h = at.h, .g = at.g, .i = at.i, .s = at.s});
    const bool agrees =
        (value.broken >= 0) == answer.broken &&
        (answer.broken || (answer.kind == Answer::Kind::kReal ? same_bits(value.real, answer.real) : value.integer == answer.integer));
    if (!agrees) {
      wrong_ << "Formula::at at " << named(at) << ", s = " << at.s << ": " << (value.broken >= 0 ? "nothing" : std::to_string(value.real))
             << " or " << value.integer << ", second " << (answer.broken ? "nothing" : std::to_string(answer.real)) << " or "
             << answer.integer << "\n";
    }
  }

  /// The final score as the type that holds scores has it.
  [[nodiscard]] double held(double x) const { return !in_double() && std::fabs(x) >= 0x1.ffffffp127 ? std::copysign(kInf, x) : x; }

  /// A score of 0 may be stored with either sign, and 1 / s is then either infinity.
  [[nodiscard]] bool turns_with_sign_of_zero(Spot at, double score) const {
    if (at.s != 0) return false;
    at.s = -at.s;
    const Answer other = second_opinion(p_.scores, p_.tables, at);
    const double turned = other.broken ? std::nan("") : held(other.real);
    const auto spoils = [](double x) { return std::isnan(x) || x == kInf; };
    return spoils(score) ? !spoils(turned) : score != turned;
  }

  void read_row(std::int64_t index) {
    const std::int64_t i = index % p_.queries, h = index / p_.queries % p_.heads, b = index / p_.queries / p_.heads;
    Row row;
    std::vector<double> scores(static_cast<std::size_t>(p_.keys), -kInf), slack(scores.size());
    for (std::int64_t j = 0; j < p_.keys; ++j) {
      const Spot at = spot(b, h, i, j);
      const Answer seen = second_opinion(p_.mask, p_.tables, at), score = second_opinion(p_.scores, p_.tables, at);
      if (!p_.mask.empty()) check_at(mask_, at, seen);
      check_at(score_, at, score);
      const bool visible = !seen.broken && seen.integer != 0;
      if ((seen.broken || (visible && score.lacks)) && !lacking_) lacking_ = named(at);
      if (!visible) continue;
      const auto place = static_cast<std::size_t>(j);
      scores[place] = score.broken ? std::nan("") : held(score.real);
      slack[place] = std::isfinite(scores[place]) ? promised(at.s, scores[place]) * (in_double() ? 0x1p-24 : 1) : 0;
      row.open = row.open || score.open || turns_with_sign_of_zero(at, scores[place]) ||
                 (!score.exact && !in_double() && std::fabs(std::fabs(score.real) * 0x1p-128 - 1) < 0x1p-18);
    }
    weigh(row, scores, slack, b, h);
    rows_.push_back(std::move(row));
  }

  /// log(exp(sink) + sum of exp(score + side * slack))
  static double log_sum(const std::vector<double>& scores, const std::vector<double>& slack, double side, double sink) {
    double top = sink;
    for (std::size_t j = 0; j < scores.size(); ++j) top = std::max(top, scores[j] + side * slack[j]);
    if (top == -kInf) return top;
    double sum = std::exp(sink - top);
    for (std::size_t j = 0; j < scores.size(); ++j) sum += std::exp(scores[j] + side * slack[j] - top);
    return top + std::log(sum);
  }

  /// Softmax and its output, for the scores themselves and for the least and the greatest that they may be.
  void weigh(Row& row, const std::vector<double>& scores, const std::vector<double>& slack, std::int64_t b, std::int64_t h) const {
    for (const double score : scores) {
      row.visible += score != -kInf;
      row.nan = row.nan || std::isnan(score) || score == kInf;
      if (std::isfinite(score)) row.largest_score = std::max(row.largest_score, std::fabs(score));
    }
    row.o.assign(static_cast<std::size_t>(p_.value_dim), 0);
    row.o_slack = row.o;
    if (row.nan) return;
    const double sink = p_.sink.given() ? real_at(p_.sink, h) : -kInf;
    row.lse = log_sum(scores, slack, 0, sink);
    row.lse_low = log_sum(scores, slack, -1, sink);
    row.lse_high = log_sum(scores, slack, 1, sink);
    const std::int64_t g = h / (p_.heads / p_.kv_heads);
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (scores[j] == -kInf) continue;
      const double weight = std::exp(scores[j] - row.lse);
      const double least = std::exp(scores[j] - slack[j] - row.lse_high),
                   most = std::min(1.0, std::exp(scores[j] + slack[j] - row.lse_low));
      for (std::int64_t c = 0; c < p_.value_dim; ++c) {
        const double v = element(case_.v, (b * p_.kv_heads + g) * p_.keys + static_cast<std::int64_t>(j), c);
        row.largest_value = std::max(row.largest_value, std::fabs(v));
        row.o[static_cast<std::size_t>(c)] += weight * v;
        row.o_slack[static_cast<std::size_t>(c)] += std::max(most - weight, weight - least) * std::fabs(v);
      }
    }
  }

  void judge_refusal(const std::string& message) {
    if (!lacking_) {
      wrong_ << "refused though every visible place has a value: " << message;
      return;
    }
    long long q = 0, k = 0, b = -1, h = -1;
    const std::size_t place = message.find("at the visible place ");
    const bool named_one =
        place != std::string::npos &&
        std::sscanf(message.c_str() + place, "at the visible place q = %lld, k = %lld, b = %lld, h = %lld", &q, &k, &b, &h) == 4;
    const auto within = [](long long at, std::int64_t extent) { return at >= 0 && at < extent; };
    if (!named_one || !within(b, p_.batch) || !within(h, p_.heads)) {
      wrong_ << "refused without naming a place: " << message;
      return;
    }
    const std::int64_t i = q - case_.offsets[static_cast<std::size_t>(b)], j = k - p_.first_key;
    const bool exists = within(i, p_.queries) && within(j, p_.keys);
    const Spot at = exists ? spot(b, h, i, j) : Spot{};
    const Answer seen = second_opinion(p_.mask, p_.tables, at);
    const bool lacks = seen.broken || (seen.integer != 0 && second_opinion(p_.scores, p_.tables, at).lacks);
    if (!exists || !lacks) wrong_ << "the place that is named does not lack a value: " << message;
  }

  void judge_reference() {
    const Result exact = truth(p_, case_.inputs());
    each_row([&](const Row& row, std::int64_t at) {
      const double size = row.lse == -kInf ? 1 : std::max(row.largest_score, std::fabs(row.lse));
      judge_row("the definition", exact, row, at,
                {.lse_low = row.lse,
                 .lse_high = row.lse,
                 .lse_tolerance = 1e-12 * size,
                 .o_tolerance = 1e-12 * size * row.largest_value,
                 .slack = 0});
    });
  }

  void judge_kernel(const std::string& name) {
    Problem problem = p_;
    problem.kernel = name;
    problem.statistics = name != "classic";
    const Result result = run(problem, case_.inputs());
    ++counts_.kernels[name];
    const Tolerance tolerance = tolerance_of(p_.dtype);
    each_row([&](const Row& row, std::int64_t at) {
      ++counts_.rows;
      counts_.open += row.open;
      counts_.nan += row.nan;
      if (row.open) return;
      judge_row(name, result, row, at,
                {.lse_low = row.lse_low,
                 .lse_high = row.lse_high,
                 .lse_tolerance = tolerance.lse * std::max(1.0, std::fabs(row.lse)),
                 .o_tolerance = tolerance.o * row.largest_value,
                 .slack = 1});
    });
  }

  struct Bounds {
    double lse_low, lse_high, lse_tolerance, o_tolerance, slack;
  };

  template <class Function>
  void each_row(const Function& function) const {
    for (std::size_t at = 0; at < rows_.size(); ++at) function(rows_[at], static_cast<std::int64_t>(at));
  }

  void judge_row(const std::string& who, const Result& result, const Row& row, std::int64_t at, const Bounds& bounds) {
    const auto complain = [&](const char* what, double got, double expected) {
      if (++complaints_ > 3) return;
      const std::int64_t i = at % p_.queries, h = at / p_.queries % p_.heads, b = at / p_.queries / p_.heads;
      wrong_ << who << ", b " << b << " h " << h << " row " << i << ": " << what << " " << got << ", expected " << expected
             << (row.nan ? " (a NaN row)" : "") << "\n";
    };
    const bool counted = result.visible.shape().rank() != 0;
    if (counted && result.visible.data<std::int64_t>()[at] != row.visible)
      complain("visible", static_cast<double>(result.visible.data<std::int64_t>()[at]), static_cast<double>(row.visible));
    const double lse = real_at(result.lse.view(), at);
    const bool lse_agrees = row.nan ? std::isnan(lse)
                            : row.lse == -kInf
                                ? lse == -kInf
                                : lse >= bounds.lse_low - bounds.lse_tolerance && lse <= bounds.lse_high + bounds.lse_tolerance;
    if (!lse_agrees) complain("L", lse, row.nan ? std::nan("") : row.lse);
    for (std::int64_t c = 0; c < p_.value_dim; ++c) {
      const double o = real_at(result.o.view(), at * p_.value_dim + c), expected = row.o[static_cast<std::size_t>(c)];
      const double allowed = bounds.o_tolerance + bounds.slack * row.o_slack[static_cast<std::size_t>(c)];
      if (row.nan ? !std::isnan(o) : !(std::fabs(o - expected) <= allowed)) complain("O", o, row.nan ? std::nan("") : expected);
    }
  }

  const FormulaCase& case_;
  const Problem& p_;
  Counts& counts_;
  formula::Formula mask_, score_;
  std::vector<Row> rows_;
  std::optional<std::string> lacking_;
  std::ostringstream wrong_;
  int complaints_ = 0;
};

struct Wanted {
  std::uint64_t first = 1, cases = 2000, failures = 10;
};
Wanted wanted;

/// --name=N sets a member of `wanted`.
Option number_option(const char* name, const char* what, std::uint64_t Wanted::*member) {
  return {name, what, [name, member](const std::string& text) { wanted.*member = number_of(name, text); }};
}
const Option kSeed = number_option("seed", "S: the first case of Formulas.ASample; default 1", &Wanted::first);
const Option kCases = number_option("formulas", "N: how many cases of Formulas.ASample; default 2000", &Wanted::cases);
const Option kFailures = number_option("failures", "F: stop after so many failing cases of random formulas; default 10", &Wanted::failures);

class Formulas : public testing::Test {
 protected:
  void SetUp() override {
    emulated_ = base::real_cpu().avx512_bf16 && !base::real_cpu().amx_bf16 && MatrixUnit::possible();
    if (emulated_) base::pretend_cpu(base::Cpu{.avx512_bf16 = true, .amx_bf16 = true});
  }
  void TearDown() override { base::pretend_cpu({}); }

  void judge_cases(std::uint64_t first, std::uint64_t count) {
    const auto enough = static_cast<int>(wanted.failures);
    Counts counts;
    for (std::uint64_t seed = first; seed < first + count && counts.failed < enough; ++seed) {
      const FormulaCase one(seed);
      const std::string wrong = Judge(one, counts).verdict();
      if (wrong.empty()) continue;
      ++counts.failed;
      ADD_FAILURE() << one.text() << "\n" << wrong;
    }
    report(counts);
    if (count < 1000 || counts.failed > 0) return;
    EXPECT_GT(counts.cases - counts.refused, counts.cases / 3) << "too few cases run";
    EXPECT_GT(counts.refused, counts.cases / 50) << "too few are refused";
    EXPECT_LT(counts.open, counts.rows / 5) << "too many rows are not judged";
    EXPECT_GT(counts.nan, 0);
  }

  void report(const Counts& counts) const {
    std::cout << "  " << counts.cases << " cases, " << counts.refused << " refused; of " << counts.rows << " rows " << counts.nan
              << " NaN, " << counts.open << " too close to a decision to be judged\n";
    for (const plan::Kernel& kernel : plan::kernels()) {
      const std::string name(kernel.name), missing = kernel.missing();
      const auto found = counts.kernels.find(name);
      std::cout << "  " << name << ": "
                << (missing.empty() ? std::to_string(found == counts.kernels.end() ? 0 : found->second) + " cases"
                                    : "did not run: " + missing)
                << (name == "amx" && emulated_ ? " (its instructions emulated)" : "") << "\n";
    }
  }

  MatrixUnit unit_;
  bool emulated_ = false;
};
using SlowFormulas = Formulas;

TEST_F(Formulas, ASample) {
  judge_cases(wanted.first, wanted.cases);
}

/// What the top of this file tells people to type.
TEST(FormulasOptions, AreKnown) {
  for (const char* name : {"formulas", "seed", "failures"})
    EXPECT_EQ(std::ranges::count(options(), name, [](const Option& option) { return option.name; }), 1) << name;
  EXPECT_EQ(number_of("seed", "77"), 77u);
  EXPECT_THROW((void)number_of("seed", "7x"), std::invalid_argument);
  EXPECT_THROW((void)number_of("seed", ""), std::invalid_argument);
}

TEST_F(SlowFormulas, AHundredThousand) {
  judge_cases(1'000'000, 100'000);
}

/// The second evaluator itself, on what docs/formula.md says.
TEST(SecondEvaluator, KnowsTheLanguage) {
  Tensor table(DType::kI32, {3});
  table.data<std::int32_t>()[2] = 5;
  const Tables tables{{"t", table.view()}};
  const auto read = [&](const char* text, double s = 0.25) {
    const Expr chain[] = {parse(text, tables)};
    return second_opinion(chain, tables, {.q = 7, .k = 2, .b = 0, .h = 3, .g = 1, .s = s});
  };
  EXPECT_EQ(read("-7 / 2 + -7 % 2 * 10 + t[k] * 100 + g").real, 507);
  EXPECT_EQ(read("select(s < 0.5, min(q, k) - h, 9.5)").real, -1);
  EXPECT_EQ(read("floor(-s) + abs(-(2)) + max(s, 1)").real, 2);
  EXPECT_TRUE(read("t[q]").lacks);
  EXPECT_TRUE(read("select(s > 9.0, t[q], s)").lacks);
  EXPECT_FALSE(read("select(s > 9.0, t[q], s)").broken);
  EXPECT_FALSE(read("select(s > 9.0 & q < 3, t[q], s)").lacks);
  EXPECT_TRUE(read("floor(s / 0.0)").broken);
  EXPECT_FALSE(read("floor(s / 0.0)").lacks);
  EXPECT_TRUE(read("select(q < 3 & t[q] > 0, 1, 0)").real == 0);
  EXPECT_TRUE(read("select(exp(s) > 1.2840254, 1, 0)").open);
  EXPECT_FALSE(read("select(exp(s) > 1.3, 1, 0)").open);
  EXPECT_FALSE(read("select(s >= 0.25, 1, 0)").open);
  EXPECT_TRUE(read("9223372036854775807 + q").lacks);
}

}  // namespace
}  // namespace heed::laws
