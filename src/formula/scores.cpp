// Named scores: each alteration of a score as one function, and its row in the table that parser, catalogue and tests read.
//
// A score formula sees the previous result as s; the first s is the scaled similarity. Formulas chain in the order given.
// Numerics: tables that are made here hold exactly what the reference programs compute: ALiBi's slopes rounded to float32, T5's
// buckets computed in float32. Each function states its formula and its source. Checked by scores_test.cpp.
#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include <heed/error.hpp>
#include <heed/scores.hpp>

#include "formula/literals.hpp"
#include "formula/named.hpp"
#include "formula/node.hpp"

namespace heed {
namespace {

using formula::Argument;
using formula::integer_literal;
using formula::Named;
using formula::NamedTable;
using formula::negated;
using formula::refuse;
using formula::require_at_least;
using namespace symbols;

constexpr std::int64_t kMostHeads = 65'536;
constexpr std::int64_t kMostDistance = std::int64_t{1} << 20;

// The paper's rule for a power of two: 2^(-8/n), and its powers.
double slope_of_power_of_two(std::int64_t n, std::int64_t i) {
  return std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(n));
}

// The authors' get_slopes: other numbers of heads take the slopes of the power of two below, then every second one of the power above.
Tensor alibi_slopes(std::int64_t heads) {
  Tensor slopes(DType::kF32, {heads});
  const auto below = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  for (std::int64_t i = 0; i < heads; ++i) {
    const double slope = i < below ? slope_of_power_of_two(below, i) : slope_of_power_of_two(2 * below, 2 * (i - below));
    slopes.data<float>()[i] = static_cast<float>(slope);
  }
  return slopes;
}

// T5Attention._relative_position_bucket of transformers for one distance k - q, in float32 as there.
std::int32_t t5_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t max_distance, bool bidirectional) {
  std::int64_t first = 0;
  if (bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = -std::min<std::int64_t>(distance, 0);
  }
  const std::int64_t exact = buckets / 2;
  if (distance < exact) return static_cast<std::int32_t>(first + distance);
  const auto whole = static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const float part = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / whole * static_cast<float>(buckets - exact);
  return static_cast<std::int32_t>(first + std::min(exact + static_cast<std::int64_t>(part), buckets - 1));
}

// [2 m + 1]: the bucket of each distance -m..m. From m on the logarithm's part is full, so the last bucket holds for all beyond.
Table t5_buckets(std::int64_t buckets, std::int64_t m, bool bidirectional) {
  Tensor data(DType::kI32, {2 * m + 1});
  for (std::int64_t i = 0; i <= 2 * m; ++i) data.data<std::int32_t>()[i] = t5_bucket(i - m, buckets, m, bidirectional);
  return {"bucket_" + std::to_string(buckets) + "_" + std::to_string(m) + (bidirectional ? "" : "_back"), data};
}

Expr clamped_distance(const Expr& m) {
  return min(max(k - q, negated(m)), m) + m;
}

// The value of a literal number.
std::optional<double> number(const Expr& argument) {
  if (argument.empty()) return std::nullopt;
  const formula::Node& node = argument.node();
  if (node.op == formula::Op::kInteger) return static_cast<double>(node.integer);
  if (node.op == formula::Op::kReal) return node.real;
  // "-inf" and "-5" are negations of literals until the formula is checked.
  if (node.op == formula::Op::kNegate) {
    if (const auto value = number(node.args[0])) return -*value;
  }
  return std::nullopt;
}

// Throws Error for a literal that is infinite (every score would be 0, infinite or NaN).
void require_finite(const Expr& argument, std::string_view call, std::string_view parameter, const std::string& expected) {
  if (argument.empty()) refuse(call, std::string(parameter) + " is empty", expected, "Expr()");
  const auto value = number(argument);
  if (value && !std::isfinite(*value)) refuse(call, std::string(parameter) + " is not finite", expected, to_text(argument));
}

// Throws Error for a literal that is not above zero, or infinite.
void require_positive(const Expr& argument, std::string_view call, std::string_view parameter) {
  require_finite(argument, call, parameter, "a finite number above 0");
  const auto value = number(argument);
  if (value && !(*value > 0)) refuse(call, std::string(parameter) + " is not positive", "a finite number above 0", to_text(argument));
}

}  // namespace

/// s * factor
Expr scale(const Expr& factor) {
  require_finite(factor, "scale", "factor", "a finite number");
  return s * factor;
}

/// cap * tanh(s / cap): bounded by cap, almost s while s is small. Before the mask, or a masked score would return from -inf to -cap.
/// Bello et al. 2017; Gemma team 2024 (Gemma 2), section 2.
Expr softcap(const Expr& cap) {
  require_positive(cap, "softcap", "cap");
  return cap * tanh(s / cap);
}

/// s + dense(slope, h) * (k - q): for a causal mask minus slope times distance; keys ahead, where seen, gain (flash-attention's -slope |k -
/// q| differs there). Press, Smith, Lewis 2022, Train Short, Test Long, section 3.
Expr alibi(const Table& slope) {
  return s + slope.fitted({h}) * (k - q);
}

/// The same with the slopes of the authors' program for so many heads, as float32.
Expr alibi(std::int64_t heads) {
  if (heads < 1 || heads > kMostHeads)
    refuse("alibi", "no such number of heads", "1 to " + std::to_string(kMostHeads), std::to_string(heads));
  const Table slope("slope_" + std::to_string(heads), alibi_slopes(heads));
  // The slope of one head is not that of every head: a free lookup, which does not broadcast.
  return heads == 1 ? s + slope[h] * (k - q) : alibi(slope);
}

/// s + dense(bias, h, bucket[min(max(k - q, -m), m) + m]), m = max_distance. bias is the transpose of transformers' [buckets, heads].
/// Raffel et al. 2020 (T5), section 2.1; transformers, T5Attention._relative_position_bucket.
Expr t5(const Table& bias, std::int64_t buckets, std::int64_t max_distance, bool bidirectional) {
  const std::int64_t exact = buckets / (bidirectional ? 4 : 2);
  if (exact < 1 || buckets > kMostDistance)
    refuse("t5", "no such number of buckets", bidirectional ? "at least 4" : "at least 2", std::to_string(buckets));
  if (max_distance <= exact || max_distance > kMostDistance) {
    refuse("t5", "no such max_distance",
           "more than the " + std::to_string(exact) + " exact buckets, at most " + std::to_string(kMostDistance),
           std::to_string(max_distance));
  }
  const Table bucket = t5_buckets(buckets, max_distance, bidirectional);
  return s + bias.fitted({h, bucket[clamped_distance(max_distance)]});
}

/// s + dense(table, h, min(max(k - q, -m), m) + m): a learned scalar per clipped distance. Shaw, Uszkoreit, Vaswani 2018, section 3.2 (the
/// clip); Raffel et al. 2020 (the scalar).
Expr relative(const Table& table, const Expr& m) {
  require_at_least(0, m, "relative", "m");
  return s + table.fitted({h, clamped_distance(m)});
}

/// s + table[b, h, i, k] with the leading axes that it has, each the problem's or 1, which broadcasts; -inf hides.
Expr bias(const Table& table, const Dims& shape) {
  return s + formula::dense_by_rank("bias", table, shape);
}

/// s / t. Hinton, Vinyals, Dean 2015, equation 1.
Expr temperature(const Expr& t) {
  require_finite(t, "temperature", "t", "a finite number other than 0");
  if (number(t) == 0.0) refuse("temperature", "t is zero", "a finite number other than 0", to_text(t));
  return s / t;
}

namespace formula {
namespace {

Expr t5_of(std::span<const Argument> args) {
  const NamedTable bias = table_argument(args[0], "t5", "bias");
  const std::int64_t buckets = integer_argument(args[1], "t5", "buckets");
  const std::int64_t max_distance = integer_argument(args[2], "t5", "max_distance");
  const Expr bidirectional = expression_argument(args[3], "t5", "bidirectional");
  if (bidirectional.node().op != Op::kBoolean)
    refuse("t5", "bidirectional is not a boolean literal", "true or false", to_text(bidirectional));
  if (bias.view.shape.rank() != 2 || bias.view.shape[1] != buckets) {
    refuse("t5", "table `" + bias.name + "` has not one column per bucket", "[Hq, " + std::to_string(buckets) + "]",
           heed::to_text(bias.view.shape));
  }
  return t5(Table(bias.name), buckets, max_distance, bidirectional.node().integer != 0);
}

Expr relative_of(std::span<const Argument> args) {
  const NamedTable table = table_argument(args[0], "relative", "table");
  const Expr m = expression_argument(args[1], "relative", "m");
  const auto most = integer_literal(m);
  const bool fits =
      table.view.shape.rank() == 2 && (!most || *most < 0 || (table.view.shape[1] % 2 == 1 && table.view.shape[1] / 2 == *most));
  if (!fits)
    refuse("relative", "table `" + table.name + "` has not one column per distance", "[Hq, 2 m + 1], m = " + to_text(m),
           heed::to_text(table.view.shape));
  return relative(Table(table.name), m);
}

}  // namespace

std::span<const Named> named_scores() {
  using Args = std::span<const Argument>;
  static const std::vector<Named> rows{
      {"score",
       "scale",
       {"factor"},
       "The score times a factor.",
       "Vaswani et al. 2017, equation 1",
       "scale(0.125)",
       [](Args a) { return scale(expression_argument(a[0], "scale", "factor")); }},
      {"score",
       "softcap",
       {"cap"},
       "The score bent smoothly so that it never leaves -cap to cap.",
       "Gemma team 2024 (Gemma 2), 2",
       "softcap(30.0)",
       [](Args a) { return softcap(expression_argument(a[0], "softcap", "cap")); }},
      {"score",
       "alibi",
       {"slope or heads"},
       "A penalty that grows with the distance back, one slope per head: a table [Hq], or the paper's for so many heads.",
       "Press et al. 2022, 3",
       "alibi(4)",
       [](Args a) {
         const auto* slope = std::get_if<NamedTable>(&a[0]);
         return slope != nullptr ? alibi(Table(slope->name)) : alibi(integer_argument(a[0], "alibi", "heads"));
       }},
      {"score",
       "t5",
       {"bias", "buckets", "max_distance", "bidirectional"},
       "A learned bias per head and bucket of distance: exact near by, logarithmic farther off.",
       "Raffel et al. 2020 (T5), 2.1",
       "t5(buckets, 32, 128, true)",
       t5_of},
      {"score",
       "relative",
       {"table", "m"},
       "A learned bias per head and distance, clipped at m to either side.",
       "Shaw et al. 2018, 3.2",
       "relative(distance, 8)",
       relative_of},
      {"score",
       "bias",
       {"table"},
       "The lookup [i, k], [h, i, k] or [b, h, i, k] of a real table added, each extent the problem's or 1, which broadcasts.",
       "ONNX Attention-23, attn_mask",
       "bias(bias)",
       [](Args a) {
         const NamedTable table = table_argument(a[0], "bias", "table");
         return bias(Table(table.name), table.view.shape);
       }},
      {"score",
       "bias",
       {"table", "axis", "..."},
       "The lookup of a real table along the axes said, of b h g i k, added, each extent the problem's or 1, which broadcasts.",
       "ONNX Attention-23, attn_mask",
       "bias(bias, b, i, k)",
       [](Args a) {
         return s + Table(table_argument(a[0], "bias", "table").name).fitted(expression_arguments(a.subspan(1), "bias", "axis"));
       }},
      {"score",
       "temperature",
       {"t"},
       "The score divided by t.",
       "Hinton et al. 2015, equation 1",
       "temperature(heat[q])",
       [](Args a) { return temperature(expression_argument(a[0], "temperature", "t")); }},
  };
  return rows;
}

}  // namespace formula
}  // namespace heed
