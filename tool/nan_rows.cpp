#include "nan_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report.hpp"

namespace heed::tool {
namespace {

template <class T, class IsNan>
bool any_nan(const Tensor& tensor, std::int64_t first, std::int64_t count, const IsNan& is_nan) {
  const T* const from = tensor.data<T>() + first;
  return std::any_of(from, from + count, is_nan);
}

bool any_nan(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  switch (tensor.dtype()) {
    case DType::kF64:
      return any_nan<double>(tensor, first, count, [](double value) { return value != value; });
    case DType::kF16:
      return any_nan<f16>(tensor, first, count, [](f16 value) { return (value.bits & 0x7FFF) > 0x7C00; });
    case DType::kBF16:
      return any_nan<bf16>(tensor, first, count, [](bf16 value) { return (value.bits & 0x7FFF) > 0x7F80; });
    default:
      return any_nan<float>(tensor, first, count, [](float value) { return value != value; });
  }
}

}  // namespace

NanRows nan_rows(const Tensor& o, const Tensor& lse) {
  NanRows rows{.shape = lse.shape(), .is_nan = {}};
  const std::int64_t value_dim = o.shape()[3];
  rows.is_nan.resize(static_cast<std::size_t>(lse.count()));
  for (std::int64_t row = 0; row < lse.count(); ++row) {
    const bool nan = any_nan(lse, row, 1) || any_nan(o, row * value_dim, value_dim);
    rows.is_nan[static_cast<std::size_t>(row)] = nan;
    rows.count += nan;
  }
  return rows;
}

nlohmann::json NanRows::json() const {
  nlohmann::json json{{"count", count}, {"first", nullptr}};
  if (count == 0) return json;
  const std::int64_t row = std::ranges::find(is_nan, true) - is_nan.begin();
  json["first"] = {{"batch", row / shape[2] / shape[1]}, {"head", row / shape[2] % shape[1]}, {"row", row % shape[2]}};
  return json;
}

std::string NanRows::text() const {
  if (count == 0) return "";
  const std::int64_t row = std::ranges::find(is_nan, true) - is_nan.begin();
  return fmt::format("NaN: {} row{} of O or L {} NaN, the first is query {} of {}head {}\n", count_text(count), count == 1 ? "" : "s",
                     count == 1 ? "is" : "are", count_text(row % shape[2]),
                     shape[0] > 1 ? fmt::format("batch {}, ", row / shape[2] / shape[1]) : "", row / shape[2] % shape[1]);
}

}  // namespace heed::tool
