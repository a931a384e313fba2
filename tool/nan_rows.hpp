// Rows that are NaN: of which O or L is. They are said wherever a result is reported, and are not taken for rows that see no key.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <heed/tensor.hpp>

namespace heed::tool {

struct NanRows {
  Dims shape;                ///< [B, Hq, Tq]
  std::vector<bool> is_nan;  ///< of each row
  std::int64_t count = 0;
  [[nodiscard]] bool at(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return is_nan[static_cast<std::size_t>((b * shape[1] + h) * shape[2] + i)];
  }
  /// {"count", "first": {"batch", "head", "row"}}; first is null where there is none.
  [[nodiscard]] nlohmann::json json() const;
  /// "NaN: 3 rows of O or L are NaN, the first is query 17 of head 2\n"; "" where there is none.
  [[nodiscard]] std::string text() const;
};

/// o [B, Hq, Tq, Dv] and lse [B, Hq, Tq], both contiguous.
[[nodiscard]] NanRows nan_rows(const Tensor& o, const Tensor& lse);

}  // namespace heed::tool
