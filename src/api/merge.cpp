// Partial results merged row by row, in double, by the one merge of the softmax's state.
#include <heed/merge.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <heed/error.hpp>

#include "base/check.hpp"
#include "base/rows.hpp"
#include "state/softmax.hpp"

namespace heed {
namespace {

struct RowPlace {
  std::int64_t b, h, i;
  [[nodiscard]] std::int64_t in(const Dims& strides, std::int64_t c = 0) const { return base::offset_of(strides, b, h, i, c); }
};

void merge_row(std::span<const Partial> parts, const TensorView& sink, const TensorSpan& o, const TensorSpan& lse, const RowPlace& row,
               std::span<double> values) {
  std::fill(values.begin(), values.end(), 0.0);
  state::SoftmaxState state{.o = values};
  for (const Partial& part : parts) {
    state.merge(base::element(part.lse, row.b, row.h, row.i), 1.0,
                [&](std::size_t c) { return base::element(part.o, row.b, row.h, row.i, static_cast<std::int64_t>(c)); });
  }
  if (sink.given()) state.merge(real_at(sink, row.h * sink.strides[0]), 1.0, [](std::size_t) { return 0.0; });
  if (lse.given()) store_real(lse, row.in(lse.strides), state.lse());
  for (std::size_t c = 0; o.given() && c < values.size(); ++c)
    store_real(o, row.in(o.strides, static_cast<std::int64_t>(c)), state.output(c));
}

/// Shapes, dtypes and places of everything, before anything is written.
void check_merge(std::span<const Partial> parts, const TensorView& sink, const TensorSpan& o, const TensorSpan& lse) {
  const Dims& shape = parts[0].o.shape;
  const Dims rows{shape[0], shape[1], shape[2]};
  const DType wide = parts[0].o.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  const base::NamedTensor written[] = {{"o", o}, {"lse", lse}};
  if (o.given() && wide == DType::kF64)
    base::check_tensor("o", o, shape, {DType::kF64, DType::kF32, DType::kBF16, DType::kF16});
  else if (o.given())
    base::check_tensor("o", o, shape, {DType::kF32, DType::kBF16, DType::kF16});
  if (lse.given()) base::check_tensor("lse", lse, rows, {wide});
  base::check_apart(written);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string o_name = "o of part " + std::to_string(i), lse_name = "lse of part " + std::to_string(i);
    base::check_tensor(o_name.c_str(), parts[i].o, shape, {wide});
    base::check_tensor(lse_name.c_str(), parts[i].lse, rows, {wide});
    base::check_apart(written, {o_name, parts[i].o, "o"});
    base::check_apart(written, {lse_name, parts[i].lse, "lse"});
  }
  if (!sink.given()) return;
  base::check_tensor("sink", sink, {shape[1]}, {DType::kF64, DType::kF32, DType::kF16, DType::kBF16});
  base::check_sinks(sink);
  base::check_apart(written, {"sink", sink});
}

}  // namespace

void merge(std::span<const Partial> parts, const TensorView& sink, const TensorSpan& o, const TensorSpan& lse) {
  if (parts.empty()) throw Error({"nothing to merge", "merge, parts", "one part or more", "none"});
  const Dims& shape = parts[0].o.shape;
  if (shape.rank() != 4) throw Error({"wrong rank", "tensor o of part 0", "4 axes [B, Hq, Tq, Dv]", to_text(shape)});
  check_merge(parts, sink, o, lse);
  std::vector<double> values(static_cast<std::size_t>(shape[3]));
  for (RowPlace row{0, 0, 0}; row.b < shape[0]; ++row.b) {
    for (row.h = 0; row.h < shape[1]; ++row.h) {
      for (row.i = 0; row.i < shape[2]; ++row.i) merge_row(parts, sink, o, lse, row, values);
    }
  }
}

}  // namespace heed
