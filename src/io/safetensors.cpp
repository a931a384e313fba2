// .safetensors files, read. Everything the header says is checked before the first tensor is made: names once, dtypes known, shapes of
// whole numbers, sizes that agree, and data that cover the buffer without overlap and without holes, as the format demands.
//
// Source: https://github.com/huggingface/safetensors, "Format".
// Checked in safetensors_test.cpp on a file from elsewhere too, and by safetensors_fuzz.cpp.
#include "io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

#include <heed/error.hpp>
#include <nlohmann/json.hpp>

#include "io/bytes.hpp"
#include "io/file.hpp"

namespace heed::io {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr int kDeepest = 3;  // the object, a tensor's object, its shape

/// A tensor as the header declares it, checked in itself.
struct Entry {
  std::string name;
  DType dtype;
  Dims shape;
  std::uint64_t begin;
  std::uint64_t end;
};

/// The beginning of a value as it stands in the header.
std::string shown(const Json& value) {
  const std::string text = value.dump();
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

/// Refuses keys that stand twice, which a parsed object would hide, and nesting that the format does not know.
class KeyCheck {
 public:
  explicit KeyCheck(const std::string& where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= kDeepest) throw Error({"the header is nested too deeply", where_, "at most 3 levels", "more"});
      keys_[static_cast<std::size_t>(depth)].clear();
    }
    if (event != Json::parse_event_t::key) return true;
    const auto& key = value.get_ref<const std::string&>();
    if (!keys_[static_cast<std::size_t>(depth - 1)].insert(key).second) {
      throw Error({"a key stands twice in the header", where_, "each key once", "\"" + key + "\""});
    }
    return true;
  }

 private:
  const std::string& where_;
  std::array<std::set<std::string>, kDeepest> keys_;
};

Json parse_header(std::string_view text, const std::string& where) {
  if (!text.starts_with('{')) throw Error({"the header is not an object", where, "'{' at its beginning", "another character"});
  try {
    Json header = Json::parse(text.begin(), text.end(), KeyCheck(where));
    return header;
  } catch (const Json::exception& exception) {
    throw Error({"the header is not JSON", where, "", exception.what()});
  }
}

const Json& member(const Json& object, const char* key, const std::string& where) {
  const auto place = object.find(key);
  if (place == object.end()) throw Error({std::string("the tensor has no \"") + key + "\"", where, "dtype, shape and data_offsets", ""});
  return *place;
}

DType dtype_of(const Json& value, const std::string& where) {
  static constexpr std::array<std::pair<std::string_view, DType>, 10> kNames{{{"F64", DType::kF64},
                                                                              {"F32", DType::kF32},
                                                                              {"F16", DType::kF16},
                                                                              {"BF16", DType::kBF16},
                                                                              {"I64", DType::kI64},
                                                                              {"I32", DType::kI32},
                                                                              {"I16", DType::kI16},
                                                                              {"I8", DType::kI8},
                                                                              {"U8", DType::kU8},
                                                                              {"BOOL", DType::kBool}}};
  for (const auto& [name, dtype] : kNames) {
    if (value == name) return dtype;
  }
  throw Error({"unknown dtype", where, "one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL", shown(value)});
}

/// An array of whole numbers from 0 to 2^63 - 1.
std::vector<std::uint64_t> numbers(const Json& value, const char* key, const std::string& where) {
  std::vector<std::uint64_t> result;
  bool right = value.is_array();
  for (std::size_t i = 0; right && i < value.size(); ++i) {
    right = value[i].is_number_unsigned() && value[i].get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    if (right) result.push_back(value[i].get<std::uint64_t>());
  }
  if (!right)
    throw Error({std::string("\"") + key + "\" is not understood", where, "an array of whole numbers from 0 to 2^63 - 1", shown(value)});
  return result;
}

Entry entry_of(const std::string& name, const Json& object, const std::string& where) {
  if (!object.is_object()) throw Error({"the tensor's entry is not an object", where, "dtype, shape and data_offsets", shown(object)});
  const DType dtype = dtype_of(member(object, "dtype", where), where);
  const std::vector<std::uint64_t> extents = numbers(member(object, "shape", where), "shape", where);
  const std::vector<std::uint64_t> offsets = numbers(member(object, "data_offsets", where), "data_offsets", where);
  if (extents.size() > Dims::kMaxRank) throw Error({"too many axes", where, "at most 8", std::to_string(extents.size())});
  if (offsets.size() != 2)
    throw Error({"\"data_offsets\" is not a pair", where, "begin and end", std::to_string(offsets.size()) + " numbers"});
  Entry entry{name, dtype, {}, offsets[0], offsets[1]};
  for (const std::uint64_t extent : extents) entry.shape.push(static_cast<std::int64_t>(extent));
  const auto needed = static_cast<std::uint64_t>(bytes_needed(dtype, entry.shape, where));
  if (entry.end < entry.begin || entry.end - entry.begin != needed) {
    throw Error({"the offsets do not agree with shape and dtype", where,
                 std::to_string(needed) + " bytes for " + to_text(entry.shape) + " of " + std::string(name_of(dtype)),
                 std::to_string(entry.begin) + " to " + std::to_string(entry.end)});
  }
  return entry;
}

std::map<std::string, std::string> metadata_of(const Json& object, const std::string& where) {
  std::map<std::string, std::string> metadata;
  if (!object.is_object()) throw Error({"__metadata__ is not an object", where, "an object of strings", shown(object)});
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) throw Error({"__metadata__ holds something else than strings", where, "a string for " + key, shown(value)});
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

std::string where_of(const std::string& file, const std::string& tensor) {
  return file + ", tensor " + tensor;
}

/// In order of their bytes, the entries must follow one another from the first byte to the last.
void check_cover(std::vector<Entry>& entries, std::uint64_t size, const std::string& file) {
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != reached) {
      throw Error({entry.begin < reached ? "the tensor overlaps another" : "a hole lies before the tensor", where_of(file, entry.name),
                   "its data to begin at " + std::to_string(reached), std::to_string(entry.begin)});
    }
    if (entry.end > size) {
      throw Error({"truncated: the tensor's data are not all there", where_of(file, entry.name),
                   std::to_string(entry.end) + " bytes of data", std::to_string(size)});
    }
    reached = entry.end;
  }
  if (reached != size)
    throw Error({"bytes follow the last tensor", file, std::to_string(reached) + " bytes of data", std::to_string(size)});
}

}  // namespace

Safetensors parse_safetensors(const std::byte* data, std::size_t size, const std::string& name) {
  const Window file({data, size}, name);
  const std::uint64_t length = file.number(0, kLengthBytes, "the header length");
  if (length > kLongestHeader) throw Error({"the header is too long", name, "at most 100000000 bytes", std::to_string(length)});
  const Json header = parse_header(file.text(kLengthBytes, length, "the header"), name);
  Safetensors result;
  std::vector<Entry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key == "__metadata__") {
      result.metadata = metadata_of(value, name);
    } else {
      entries.push_back(entry_of(key, value, where_of(name, key)));
    }
  }
  const std::byte* buffer = data + kLengthBytes + length;
  check_cover(entries, size - kLengthBytes - length, name);
  for (const Entry& entry : entries) {
    result.tensors.emplace(entry.name, contiguous_copy({buffer + entry.begin, entry.dtype, entry.shape}));
  }
  return result;
}

Safetensors read_safetensors(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return parse_safetensors(bytes.data(), bytes.size(), path);
}

}  // namespace heed::io
