// Rows that are NaN, as they are said wherever a result is reported; they are not taken for rows that see no key.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <heed/check.hpp>

namespace heed::tool {

/// Of packed sequences with the `offsets` of their queries: what is said counts within the sequence, which is the batch entry.
/// {"count", "first": {"batch", "head", "row"}}; first is null where there is none.
[[nodiscard]] nlohmann::json to_json(const NanRows& rows, const std::vector<std::int64_t>& offsets = {});
/// "NaN: 3 rows of O or L are NaN, the first is query 17 of head 2\n"; "" where there is none.
[[nodiscard]] std::string text_of(const NanRows& rows, const std::vector<std::int64_t>& offsets = {});

}  // namespace heed::tool
