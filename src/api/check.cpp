// The rows compared are collected as the kernel found them, in double by the definition, and naive; the rule then judges them together.
#include <heed/check.hpp>

#include <algorithm>
#include <set>
#include <string>

#include <heed/error.hpp>

#include "base/check.hpp"
#include "base/dtype.hpp"
#include "base/rows.hpp"
#include "formula/row.hpp"
#include "plan/choice.hpp"
#include "problem/inputs.hpp"
#include "reference/accuracy.hpp"
#include "reference/score_rounding.hpp"
#include "reference/softmax.hpp"

namespace heed {
namespace {

template <class T>
bool any_nan(const void* data, std::int64_t first, std::int64_t count, std::int64_t stride) {
  const T* const from = static_cast<const T*>(data) + first;
  if (stride == 1) return std::any_of(from, from + count, [](T value) { return is_nan(value); });
  for (std::int64_t n = 0; n < count; ++n) {
    if (is_nan(from[n * stride])) return true;
  }
  return false;
}

/// Of `count` elements of a row.
bool any_nan(const TensorView& tensor, std::int64_t first, std::int64_t count, std::int64_t stride) {
  if (tensor.dtype == DType::kF64) return any_nan<double>(tensor.data, first, count, stride);
  return base::by_dtype(tensor.dtype, [&](auto one) { return any_nan<decltype(one)>(tensor.data, first, count, stride); });
}

/// Row r of a [B, H, rows, …] collection, as a span of one row.
TensorSpan span_of(Tensor& rows, std::int64_t r) {
  TensorSpan row = rows.span();
  row.data = static_cast<std::byte*>(row.data) + r * row.strides[2] * size_of(row.dtype);
  row.shape[2] = 1;
  return row;
}

/// The rows compared, one query after the other.
class Compared {
 public:
  Compared(const Plan& plan, const Inputs& inputs, const Outputs& found, std::int64_t queries)
      : plan_(plan), inputs_(inputs), from_(found) {
    const Problem& p = plan.problem();
    const Dims o{p.batch, p.heads, queries, p.value_dim}, l{p.batch, p.heads, queries};
    found_ = Tensor(found.o.dtype, o);
    truth_ = Tensor(DType::kF64, o);
    naive_ = Tensor(p.dtype == DType::kF64 ? DType::kF64 : DType::kF32, o);
    rounding_ = Tensor(DType::kF64, o);
    found_l_ = Tensor(found.lse.dtype, l);
    truth_l_ = Tensor(DType::kF64, l);
    rounding_l_ = Tensor(DType::kF64, l);
  }

  void add(std::int64_t i) {
    const Plan definition(problem_of_query(plan_, i));
    const problem::Question& question = inside(definition).question;
    const Inputs row{query_of(inputs_.q, i), inputs_.k, inputs_.v};
    reference::naive(question, row, span_of(naive_, count_));
    reference::score_rounding(question, row, {.o = span_of(rounding_, count_), .lse = span_of(rounding_l_, count_)});
    reference::run(question, row, {.o = span_of(truth_, count_), .lse = span_of(truth_l_, count_)});
    copy(query_of(from_.o, i), span_of(found_, count_));
    copy(query_of(from_.lse, i), span_of(found_l_, count_));
    ++count_;
  }

  [[nodiscard]] Comparison judged() const {
    const Problem& p = plan_.problem();
    const NanRows nan = nan_rows(found_.view(), found_l_.view()), by_definition = nan_rows(truth_.view(), truth_l_.view());
    std::int64_t both = 0;
    for (std::size_t row = 0; row < nan.is_nan.size(); ++row) both += nan.is_nan[row] && by_definition.is_nan[row];
    const reference::Accuracy o = reference::judge(found_.view(), truth_.view(), {naive_.view(), rounding_.view()}, p.dtype);
    return {.o_error = o.max_error,
            .o_bound = o.max_bound,
            .o_rms_error = o.rms_error,
            .o_rms_bound = o.rms_bound,
            .lse_error = reference::statistic_error(found_l_.view(), truth_l_.view(), truth_l_.view(), rounding_l_.view()),
            .lse_bound = reference::statistic_tolerance(p.dtype),
            .rows = count_ * p.batch * p.heads,
            .nan = nan.count,
            .nan_by_definition = both};
  }

 private:
  /// One row of every head; rank 3 or 4.
  static void copy(const TensorView& from, const TensorSpan& to) {
    for (std::int64_t b = 0; b < from.shape[0]; ++b) {
      for (std::int64_t h = 0; h < from.shape[1]; ++h) {
        for (std::int64_t c = 0; c < (from.shape.rank() == 4 ? from.shape[3] : 1); ++c)
          store_real(to, base::offset_of(to.strides, b, h, 0, c), base::element(from, b, h, 0, c));
      }
    }
  }

  const Plan& plan_;
  const Inputs& inputs_;
  const Outputs& from_;
  Tensor found_, truth_, naive_, rounding_, found_l_, truth_l_, rounding_l_;
  std::int64_t count_ = 0;
};

void refuse_packed(const Problem& problem) {
  if (problem.query_offsets.empty()) return;
  throw Error({"packed sequences are not compared", "problem, query_offsets", "one sequence, as a problem of its own", "packed ones"});
}

void check_compared(const Plan& plan, const Inputs& inputs, const Outputs& found, std::span<const std::int64_t> queries) {
  const Problem& p = plan.problem();
  refuse_packed(p);
  problem::check_inputs(p, inputs);
  base::check_tensor("o", found.o, {p.batch, p.heads, p.queries, p.value_dim}, {p.dtype, DType::kF32});
  base::check_tensor("lse", found.lse, {p.batch, p.heads, p.queries}, {p.dtype == DType::kF64 ? DType::kF64 : DType::kF32});
  for (const std::int64_t i : queries) {
    if (i < 0 || i >= p.queries)
      throw Error({"no such query", "compare, queries", "0 to " + std::to_string(p.queries - 1), std::to_string(i)});
  }
}

}  // namespace

NanRows nan_rows(const TensorView& o, const TensorView& lse) {
  const std::initializer_list<DType> real = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16};
  if (lse.shape.rank() != 3) throw Error({"wrong rank", "tensor lse", "3 axes [B, Hq, Tq]", to_text(lse.shape)});
  base::check_tensor("lse", lse, lse.shape, real);
  const Dims& rows = lse.shape;
  const std::int64_t value_dim = o.shape.rank() == 4 ? o.shape[3] : 0;
  base::check_tensor("o", o, {rows[0], rows[1], rows[2], value_dim}, real);
  NanRows found{.shape = rows};
  found.is_nan.reserve(static_cast<std::size_t>(count_of(rows)));
  for (std::int64_t b = 0; b < rows[0]; ++b) {
    for (std::int64_t h = 0; h < rows[1]; ++h) {
      for (std::int64_t i = 0; i < rows[2]; ++i) {
        const bool nan = any_nan(lse, base::offset_of(lse.strides, b, h, i), 1, 1) ||
                         any_nan(o, base::offset_of(o.strides, b, h, i), value_dim, o.strides[3]);
        found.is_nan.push_back(nan);
        found.count += nan;
      }
    }
  }
  return found;
}

Problem problem_of_query(const Plan& plan, std::int64_t i) {
  Problem problem = plan.problem();
  refuse_packed(problem);
  if (i < 0 || i >= problem.queries)
    throw Error({"no such query", "problem_of_query", "0 to " + std::to_string(problem.queries - 1), std::to_string(i)});
  problem.queries = 1;
  problem.mask = formula::at_row(problem.mask, problem.tables, i);
  for (Expr& score : problem.scores) score = formula::at_row(score, problem.tables, i);
  problem.kernel = "reference";
  problem.strict = problem.statistics = problem.weights = false;
  problem.wanted_scores = Scores::kNone;
  problem.align = Align::at(inside(plan).question.layout.offsets);
  for (std::int64_t& offset : problem.align.offsets) offset += i;
  return problem;
}

TensorView query_of(TensorView tensor, std::int64_t i) {
  tensor.data = static_cast<const std::byte*>(tensor.data) + i * tensor.strides[2] * size_of(tensor.dtype);
  tensor.shape[2] = 1;
  return tensor;
}

std::vector<std::int64_t> sampled_queries(const Problem& problem, std::int64_t rows, const NanRows& nan) {
  const std::int64_t queries = problem.queries, heads = std::max<std::int64_t>(problem.batch * problem.heads, 1);
  const std::int64_t least = std::min<std::int64_t>(queries, 4), wanted = std::clamp((rows + heads - 1) / heads, least, queries);
  std::set<std::int64_t> chosen;
  for (std::int64_t n = 0; n < wanted; ++n) chosen.insert(wanted == 1 ? queries - 1 : n * (queries - 1) / (wanted - 1));
  if (nan.count == 0 || chosen.empty()) return {chosen.begin(), chosen.end()};
  std::vector<std::int64_t> broken;
  for (std::int64_t i = 0; i < nan.shape[2]; ++i) {
    bool any = false;
    for (std::int64_t head = 0; head < nan.shape[0] * nan.shape[1]; ++head) any |= nan.at(head / nan.shape[1], head % nan.shape[1], i);
    if (any) broken.push_back(i);
  }
  const std::size_t step = (broken.size() + chosen.size() - 1) / chosen.size();
  for (std::size_t n = 0; n < broken.size(); n += step) chosen.insert(broken[n]);
  return {chosen.begin(), chosen.end()};
}

bool Comparison::good() const {
  return o_error <= o_bound && o_rms_error <= o_rms_bound && lse_error <= lse_bound && nan == nan_by_definition;
}

Comparison compare(const Plan& plan, const Inputs& inputs, const Outputs& found, std::span<const std::int64_t> queries,
                   const std::function<void(std::size_t)>& query_done) {
  check_compared(plan, inputs, found, queries);
  Compared rows(plan, inputs, found, static_cast<std::int64_t>(queries.size()));
  for (std::size_t n = 0; n < queries.size(); ++n) {
    rows.add(queries[n]);
    if (query_done) query_done(n + 1);
  }
  return rows.judged();
}

}  // namespace heed
