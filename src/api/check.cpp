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

bool packed(const Problem& problem) {
  return !problem.query_offsets.empty();
}

/// Dims [T, H, ...] as [1, H, T, ...].
Dims unpacked(const Dims& dims, std::int64_t first) {
  Dims to{first, dims[1], dims[0]};
  if (dims.rank() == 3) to.push(dims[2]);
  return to;
}
/// A packed tensor [T, H, ...] where it lies, as [1, H, T, ...].
TensorView unpacked(const TensorView& tensor) {
  return {tensor.data, tensor.dtype, unpacked(tensor.shape, 1), unpacked(tensor.strides, 0)};
}

/// Row r of a [B, H, rows, …] collection, as a span of one row; for packed sequences [1, H, ...].
TensorSpan span_of(Tensor& rows, std::int64_t r, bool packed) {
  TensorSpan row = rows.span();
  row.data = static_cast<std::byte*>(row.data) + r * row.strides[2] * size_of(row.dtype);
  row.shape[2] = 1;
  if (!packed) return row;
  Dims shape{1, row.shape[1]}, strides{row.strides[2], row.strides[1]};
  if (row.shape.rank() == 4) {
    shape.push(row.shape[3]);
    strides.push(row.strides[3]);
  }
  return {row.data, row.dtype, shape, strides};
}

/// The rows compared, one query after the other.
class Compared {
 public:
  Compared(const Plan& plan, const Inputs& inputs, const Outputs& found, std::int64_t queries)
      : plan_(plan), inputs_(inputs), from_(found) {
    const Problem& p = plan.problem();
    const std::int64_t batch = packed(p) ? 1 : p.batch;
    const Dims o{batch, p.heads, queries, p.value_dim}, l{batch, p.heads, queries};
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
    const Problem& p = plan_.problem();
    const Inputs row{query_of(p, inputs_.q, i), inputs_.k, inputs_.v};
    const auto to = [&](Tensor& rows) { return span_of(rows, count_, packed(p)); };
    reference::naive(question, row, to(naive_));
    reference::score_rounding(question, row, {.o = to(rounding_), .lse = to(rounding_l_)});
    reference::run(question, row, {.o = to(truth_), .lse = to(truth_l_)});
    for (const auto& [from, rows] : {std::pair{&from_.o, &found_}, {&from_.lse, &found_l_}}) {
      const TensorView one = query_of(p, *from, i);
      copy(packed(p) ? unpacked(one) : one, span_of(*rows, count_, false));
    }
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
            .rows = count_ * (packed(p) ? 1 : p.batch) * p.heads,
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

void check_compared(const Plan& plan, const Inputs& inputs, const Outputs& found, std::span<const std::int64_t> queries) {
  const Problem& p = plan.problem();
  problem::check_inputs(p, inputs);
  const std::int64_t rows = queries_of(p);
  const Dims o = packed(p) ? Dims{rows, p.heads, p.value_dim} : Dims{p.batch, p.heads, rows, p.value_dim};
  const Dims lse = packed(p) ? Dims{rows, p.heads} : Dims{p.batch, p.heads, rows};
  base::check_tensor("o", found.o, o, {p.dtype, DType::kF32});
  base::check_tensor("lse", found.lse, lse, {p.dtype == DType::kF64 ? DType::kF64 : DType::kF32});
  for (const std::int64_t i : queries) {
    if (i < 0 || i >= rows) throw Error({"no such query", "compare, queries", "0 to " + std::to_string(rows - 1), std::to_string(i)});
  }
}

/// The rows of packed sequences' last queries, evenly spread over the sequences that have any; at most so many.
void add_last_queries(const std::vector<std::int64_t>& offsets, std::int64_t most, std::set<std::int64_t>& chosen) {
  std::vector<std::int64_t> last;
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    if (offsets[b + 1] > offsets[b]) last.push_back(offsets[b + 1] - 1);
  }
  const auto there = static_cast<std::int64_t>(last.size()), wanted = std::min(most, there);
  for (std::int64_t n = 0; n < wanted; ++n) chosen.insert(last[static_cast<std::size_t>(wanted == 1 ? 0 : n * (there - 1) / (wanted - 1))]);
}

}  // namespace

NanRows nan_rows(const TensorView& o, const TensorView& lse) {
  const std::initializer_list<DType> real = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16};
  if (lse.shape.rank() == 2) {
    base::check_tensor("lse", lse, lse.shape, real);
    base::check_tensor("o", o, {lse.shape[0], lse.shape[1], o.shape.rank() == 3 ? o.shape[2] : 0}, real);
    return nan_rows(unpacked(o), unpacked(lse));
  }
  if (lse.shape.rank() != 3) throw Error({"wrong rank", "tensor lse", "3 axes [B, Hq, Tq], or 2 of packed sequences", to_text(lse.shape)});
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

std::int64_t queries_of(const Problem& problem) {
  return packed(problem) ? problem.query_offsets.back() : problem.queries;
}

Problem problem_of_query(const Plan& plan, std::int64_t i) {
  Problem problem = plan.problem();
  const std::int64_t queries = queries_of(problem);
  if (i < 0 || i >= queries) throw Error({"no such query", "problem_of_query", "0 to " + std::to_string(queries - 1), std::to_string(i)});
  std::int64_t row = i;
  if (packed(problem)) {
    std::vector<std::int64_t>& offsets = problem.query_offsets;
    const auto after = std::upper_bound(offsets.begin(), offsets.end(), i);  // behind the beginning of the sequence
    row -= *(after - 1);
    std::fill(offsets.begin(), after, 0);
    std::fill(after, offsets.end(), 1);
  }
  problem.queries = 1;
  problem.mask = formula::at_row(problem.mask, problem.tables, row);
  for (Expr& score : problem.scores) score = formula::at_row(score, problem.tables, row);
  problem.kernel = "reference";
  problem.strict = problem.statistics = problem.weights = false;
  problem.wanted_scores = Scores::kNone;
  problem.align = Align::at(inside(plan).question.layout.offsets);
  for (std::int64_t& offset : problem.align.offsets) offset += row;
  return problem;
}

TensorView query_of(const Problem& problem, TensorView tensor, std::int64_t i) {
  const int axis = packed(problem) ? 0 : 2;
  tensor.data = static_cast<const std::byte*>(tensor.data) + i * tensor.strides[axis] * size_of(tensor.dtype);
  tensor.shape[axis] = 1;
  return tensor;
}

std::vector<std::int64_t> sampled_queries(const Problem& problem, std::int64_t rows, const NanRows& nan) {
  const std::int64_t queries = queries_of(problem),
                     heads = std::max<std::int64_t>((packed(problem) ? 1 : problem.batch) * problem.heads, 1);
  const std::int64_t least = std::min<std::int64_t>(queries, 4), wanted = std::clamp((rows + heads - 1) / heads, least, queries);
  std::set<std::int64_t> chosen;
  for (std::int64_t n = 0; n < wanted; ++n) chosen.insert(wanted == 1 ? queries - 1 : n * (queries - 1) / (wanted - 1));
  if (packed(problem)) add_last_queries(problem.query_offsets, wanted, chosen);
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
