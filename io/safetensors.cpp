// .safetensors files, read and written. Opening checks that the header is sound: names once, shapes of whole numbers, and data that cover
// the buffer without overlap and without holes, as the format demands. Reading a tensor checks that its dtype is known and its size agrees.
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
#include "io/elements.hpp"
#include "io/file.hpp"

namespace heed::io {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr int kDeepest = 3;  // the object, a tensor's object, its shape

/// A tensor as the header declares it.
struct Declared {
  std::string name;
  std::string dtype;  ///< as JSON
  std::vector<std::uint64_t> extents;
  std::uint64_t begin;
  std::uint64_t end;
};

constexpr std::pair<std::string_view, Stored> kDTypes[] = {{"F64", {DType::kF64}},
                                                           {"F32", {DType::kF32}},
                                                           {"F16", {DType::kF16}},
                                                           {"BF16", {DType::kBF16}},
                                                           {"I64", {DType::kI64}},
                                                           {"I32", {DType::kI32}},
                                                           {"I16", {DType::kI16}},
                                                           {"I8", {DType::kI8}},
                                                           {"U8", {DType::kU8}},
                                                           {"BOOL", {DType::kBool}},
                                                           {"U16", {DType::kI32, Stored::Form::kU16}},
                                                           {"U32", {DType::kI64, Stored::Form::kU32}},
                                                           {"U64", {DType::kI64, Stored::Form::kU64}}};

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
      if (depth >= kDeepest && in_metadata_) {
        throw Error({"__metadata__ holds something else than strings", where_, "strings", "a list or an object in one"});
      }
      if (depth >= kDeepest) throw Error({"the header is nested too deeply", where_, "at most 3 levels", "more"});
      keys_[static_cast<std::size_t>(depth)].clear();
    }
    if (event != Json::parse_event_t::key) return true;
    const auto& key = value.get_ref<const std::string&>();
    if (depth == 1) in_metadata_ = key == "__metadata__";
    if (!keys_[static_cast<std::size_t>(depth - 1)].insert(key).second) {
      throw Error({"a key stands twice in the header", where_, "each key once", "\"" + key + "\""});
    }
    return true;
  }

 private:
  const std::string& where_;
  std::array<std::set<std::string>, kDeepest> keys_;
  bool in_metadata_ = false;
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

Stored stored_of(const std::string& dtype, const std::string& where) {
  for (const auto& [name, stored] : kDTypes) {
    if (dtype == '"' + std::string(name) + '"') return stored;
  }
  throw Error({"unknown dtype", where, "one of F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL", dtype});
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

Declared declared(const std::string& name, const Json& object, const std::string& where) {
  if (!object.is_object()) throw Error({"the tensor's entry is not an object", where, "dtype, shape and data_offsets", shown(object)});
  const std::string dtype = shown(member(object, "dtype", where));
  const std::vector<std::uint64_t> extents = numbers(member(object, "shape", where), "shape", where);
  const std::vector<std::uint64_t> offsets = numbers(member(object, "data_offsets", where), "data_offsets", where);
  if (offsets.size() != 2)
    throw Error({"\"data_offsets\" is not a pair", where, "begin and end", std::to_string(offsets.size()) + " numbers"});
  if (offsets[1] < offsets[0]) {
    throw Error(
        {"the tensor ends before it begins", where, "begin <= end", std::to_string(offsets[0]) + " to " + std::to_string(offsets[1])});
  }
  return {name, dtype, extents, offsets[0], offsets[1]};
}

Dims shape_of(const Declared& tensor, const std::string& where) {
  if (tensor.extents.size() > Dims::kMaxRank) throw Error({"too many axes", where, "at most 8", std::to_string(tensor.extents.size())});
  Dims shape;
  for (const std::uint64_t extent : tensor.extents) shape.push(static_cast<std::int64_t>(extent));
  return shape;
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
void check_cover(std::vector<Declared>& entries, std::uint64_t size, const std::string& file) {
  std::ranges::sort(entries, [](const Declared& a, const Declared& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const Declared& entry : entries) {
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

class SafetensorsFile : public TensorFile {
 public:
  explicit SafetensorsFile(SourcePtr source) : source_(std::move(source)) {
    const std::string& name = source_->name();
    const std::uint64_t length = source_->number(0, kLengthBytes, "the header length");
    if (length > kLongestHeader) throw Error({"the header is too long", name, "at most 100000000 bytes", std::to_string(length)});
    const Json header = parse_header(source_->text(kLengthBytes, length, "the header"), name);
    for (const auto& [key, value] : header.items()) {
      if (key == "__metadata__") {
        metadata_ = metadata_of(value, name);
      } else {
        tensors_.push_back(declared(key, value, where_of(name, key)));
      }
    }
    data_ = kLengthBytes + length;
    check_cover(tensors_, source_->size() - data_, name);
    for (const Declared& tensor : tensors_) entries_.push_back({tensor.name, tensor.end - tensor.begin});
  }

  [[nodiscard]] Tensor read(std::size_t entry, const ReadAs&) const override {
    const Declared& tensor = tensors_.at(entry);
    const std::string where = where_of(source_->name(), tensor.name);
    const Stored stored = stored_of(tensor.dtype, where);
    const Dims shape = shape_of(tensor, where);
    const auto needed = static_cast<std::uint64_t>(bytes_needed(stored, shape, where));
    if (tensor.end - tensor.begin != needed) {
      throw Error({"the offsets do not agree with shape and dtype", where,
                   std::to_string(needed) + " bytes for " + to_text(shape) + " of " + stored.name(),
                   std::to_string(tensor.begin) + " to " + std::to_string(tensor.end)});
    }
    RangeStream stream(source_, data_ + tensor.begin, needed, "the data of tensor " + tensor.name);
    return read_elements(stream, stored, shape, false, where);
  }

 private:
  SourcePtr source_;
  std::uint64_t data_ = 0;           // where the offsets count from
  std::vector<Declared> tensors_{};  // of each entry
};

Safetensors all_of(const TensorFile& file) {
  return {file.read_all(), file.metadata()};
}

}  // namespace

TensorFilePtr open_safetensors(SourcePtr source) {
  return std::make_shared<SafetensorsFile>(std::move(source));
}

Safetensors parse_safetensors(const std::byte* data, std::size_t size, const std::string& name) {
  return all_of(*open_safetensors(memory_source({data, size}, name)));
}

Safetensors read_safetensors(const std::string& path) {
  return all_of(*open_safetensors(open_source(path)));
}

void write_safetensors(const std::string& path, const std::string& name, const TensorView& tensor) {
  const auto known = std::ranges::find_if(kDTypes, [&](const auto& row) { return row.second.dtype == tensor.dtype; });
  const std::int64_t size = bytes_needed(known->second, tensor.shape, path);
  if (size > 0 && tensor.data == nullptr) throw Error({"a tensor without data cannot be written", path, "", ""});
  Json extents = Json::array();
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) extents.push_back(tensor.shape[axis]);
  const Json entry{{"dtype", known->first}, {"shape", extents}, {"data_offsets", {0, size}}};
  std::string header = Json{{name, entry}}.dump();
  header.append((8 - header.size() % 8) % 8, ' ');  // the data begin at a multiple of 8
  Tensor copy;
  const void* elements = tensor.data;
  if (tensor.strides != contiguous_strides(tensor.shape)) elements = (copy = contiguous_copy(tensor)).view().data;
  const std::uint64_t length = header.size();
  write_file(path, [&](const Sink& sink) {
    sink(&length, sizeof length);
    sink(header.data(), header.size());
    if (size > 0) sink(elements, static_cast<std::size_t>(size));
  });
}

}  // namespace heed::io
