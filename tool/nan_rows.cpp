#include "nan_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report.hpp"

namespace heed::tool {
namespace {

std::int64_t first_of(const NanRows& rows) {
  return std::ranges::find(rows.is_nan, true) - rows.is_nan.begin();
}

}  // namespace

nlohmann::json to_json(const NanRows& rows) {
  nlohmann::json json{{"count", rows.count}, {"first", nullptr}};
  if (rows.count == 0) return json;
  const std::int64_t row = first_of(rows), heads = rows.shape[1], queries = rows.shape[2];
  json["first"] = {{"batch", row / queries / heads}, {"head", row / queries % heads}, {"row", row % queries}};
  return json;
}

std::string text_of(const NanRows& rows) {
  if (rows.count == 0) return "";
  const std::int64_t row = first_of(rows), heads = rows.shape[1], queries = rows.shape[2];
  return fmt::format("NaN: {} row{} of O or L {} NaN, the first is query {} of {}head {}\n", count_text(rows.count),
                     rows.count == 1 ? "" : "s", rows.count == 1 ? "is" : "are", count_text(row % queries),
                     rows.shape[0] > 1 ? fmt::format("batch {}, ", row / queries / heads) : "", row / queries % heads);
}

}  // namespace heed::tool
