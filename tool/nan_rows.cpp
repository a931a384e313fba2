#include "nan_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "packed.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

struct First {
  std::int64_t batch, head, row;
};

First first_of(const NanRows& rows, const std::vector<std::int64_t>& offsets) {
  const std::int64_t row = std::ranges::find(rows.is_nan, true) - rows.is_nan.begin(), heads = rows.shape[1], queries = rows.shape[2];
  if (offsets.empty()) return {row / queries / heads, row / queries % heads, row % queries};
  const PackedRow packed = packed_row(offsets, row % queries);
  return {packed.sequence, row / queries, packed.row};
}

}  // namespace

nlohmann::json to_json(const NanRows& rows, const std::vector<std::int64_t>& offsets) {
  nlohmann::json json{{"count", rows.count}, {"first", nullptr}};
  if (rows.count == 0) return json;
  const First first = first_of(rows, offsets);
  json["first"] = {{"batch", first.batch}, {"head", first.head}, {"row", first.row}};
  return json;
}

std::string text_of(const NanRows& rows, const std::vector<std::int64_t>& offsets) {
  if (rows.count == 0) return "";
  const First first = first_of(rows, offsets);
  const std::string batch = !offsets.empty()    ? fmt::format("sequence {}, ", first.batch)
                            : rows.shape[0] > 1 ? fmt::format("batch {}, ", first.batch)
                                                : "";
  return fmt::format("NaN: {} row{} of O or L {} NaN, the first is query {} of {}head {}\n", count_text(rows.count),
                     rows.count == 1 ? "" : "s", rows.count == 1 ? "is" : "are", count_text(first.row), batch, first.head);
}

}  // namespace heed::tool
