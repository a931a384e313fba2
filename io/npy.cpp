// .npy files, read and written: magic "\x93NUMPY", version, header length, a Python dict literal, the data.
//
// The dict has exactly the keys descr, fortran_order and shape, in any order and spacing. Sizes are checked against the bytes at hand
// before memory is asked for; data in Fortran order come out in C order. Bytes behind the data are an Error: the header would
// not describe the file.
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// Checked in npy_test.cpp against files that NumPy wrote, and by npy_fuzz.cpp.
#include "io/npy.hpp"

#include <algorithm>
#include <string_view>

#include <heed/error.hpp>

#include "io/bytes.hpp"
#include "io/elements.hpp"
#include "io/file.hpp"
#include "io/npy_header.hpp"

namespace heed::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

constexpr std::uint64_t kLongestHeader = std::uint64_t{1} << 20;  // NumPy's own limit is 10,000

struct Descr {
  std::string_view text;  ///< as written
  Stored stored;
};
constexpr Descr kDescrs[] = {{"<f8", {DType::kF64}},
                             {"<f4", {DType::kF32}},
                             {"<f2", {DType::kF16}},
                             {"<i8", {DType::kI64}},
                             {"<i4", {DType::kI32}},
                             {"<i2", {DType::kI16}},
                             {"|i1", {DType::kI8}},
                             {"|u1", {DType::kU8}},
                             {"|b1", {DType::kBool}},
                             {"<u2", {DType::kI32, Stored::Form::kU16}},
                             {"<u4", {DType::kI64, Stored::Form::kU32}},
                             {"<u8", {DType::kI64, Stored::Form::kU64}}};
constexpr const char* kKnown = "one of f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 b1, little-endian";

Stored stored_of(const std::string& descr, const ReadAs& as, const std::string& where) {
  if (descr.starts_with('>')) throw Error({"big-endian data is not read", where, kKnown, "descr '" + descr + "'"});
  for (const Descr& known : kDescrs) {
    const bool single_byte = known.text.ends_with('1');
    if (descr == known.text || (single_byte && descr == "<" + std::string(known.text.substr(1)))) return known.stored;
  }
  if (descr == "<V2" || descr == "|V2") {
    if (as.bf16) return {DType::kBF16};
    throw Error({"two opaque bytes an element", where,
                 "--read-as bf16 if this is bfloat16 (NumPy writes ml_dtypes so), or a .safetensors file", "descr '" + descr + "'"});
  }
  throw Error({"unknown element type", where, kKnown, "descr '" + descr + "'"});
}

std::string_view descr_of(DType dtype, const std::string& where) {
  for (const Descr& known : kDescrs) {
    if (dtype == known.stored.dtype && known.stored.form == Stored::Form::kSame) return known.text;
  }
  throw Error(
      {"the element type has no .npy form", where, "one of f64, f32, f16, i64, i32, i16, i8, u8, bool", std::string(name_of(dtype))});
}

void require(const Stream& stream, std::uint64_t size, const std::string& part, const std::string& name) {
  if (size <= stream.left()) return;
  throw Error({"truncated: " + part + " is not all there", name,
               std::to_string(size) + " bytes from byte " + std::to_string(stream.position()),
               std::to_string(stream.size()) + " bytes in all"});
}

/// The next `size` bytes of the stream. Throws Error "truncated" naming `part` before memory is asked for.
std::string take(Stream& stream, std::uint64_t size, const char* part, const std::string& name) {
  require(stream, size, part, name);
  std::string text(size, '\0');
  stream.read(std::as_writable_bytes(std::span(text)));
  return text;
}

std::uint64_t little(std::string_view digits) {
  std::uint64_t value = 0;
  for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
  return value;
}

/// Everything before the data.
NpyHeader read_header(Stream& stream, const std::string& name) {
  if (stream.size() == 0) throw Error({"not a .npy file", name, "the magic \"\\x93NUMPY\" at its beginning", "no bytes at all"});
  if (take(stream, std::min<std::uint64_t>(stream.size(), kMagic.size()), "the magic", name) != kMagic) {
    throw Error({"not a .npy file", name, "the magic \"\\x93NUMPY\" at its beginning", "other bytes"});
  }
  const std::string version = take(stream, 2, "the version", name);
  const int major = static_cast<unsigned char>(version[0]), minor = static_cast<unsigned char>(version[1]);
  if (major < 1 || major > 3 || minor != 0) {
    throw Error({"unknown .npy version", name, "1.0, 2.0 or 3.0", std::to_string(major) + "." + std::to_string(minor)});
  }
  const std::uint64_t length = little(take(stream, major == 1 ? 2 : 4, "the header length", name));
  require(stream, length, "the header", name);
  if (length > kLongestHeader) throw Error({"the header is too long", name, "at most 1 MiB", std::to_string(length) + " bytes"});
  return parse_npy_header(take(stream, length, "the header", name), name);
}

/// The header NumPy itself would write: padded so that the data begin at a multiple of 64 bytes.
std::string header_for(DType dtype, const Dims& shape, const std::string& where) {
  std::string extents;
  for (int axis = 0; axis < shape.rank(); ++axis) extents += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  if (shape.rank() == 1) extents += ",";
  std::string dict = "{'descr': '" + std::string(descr_of(dtype, where)) + "', 'fortran_order': False, 'shape': (" + extents + "), }";
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dict.size() & 0xFFU), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

class NpyFile : public TensorFile {
 public:
  explicit NpyFile(SourcePtr source) : source_(std::move(source)) {
    RangeStream stream(source_, 0, source_->size(), "the file");
    (void)read_header(stream, source_->name());
    entries_ = {{"", stream.left()}};
  }
  [[nodiscard]] Tensor read(std::size_t, const ReadAs& as) const override {
    RangeStream stream(source_, 0, source_->size(), "the file");
    return read_npy(stream, source_->name(), as);
  }

 private:
  SourcePtr source_;
};

}  // namespace

TensorFilePtr open_npy(SourcePtr source) {
  return std::make_shared<NpyFile>(std::move(source));
}

Tensor read_npy(Stream& stream, const std::string& name, const ReadAs& as) {
  const NpyHeader header = read_header(stream, name);
  const Stored stored = stored_of(header.descr, as, name);
  const auto needed = static_cast<std::uint64_t>(bytes_needed(stored, header.shape, name));
  require(stream, needed, "the data of shape " + to_text(header.shape), name);
  if (stream.left() != needed) {
    throw Error(
        {"bytes follow the data", name, std::to_string(stream.position() + needed) + " bytes in all", std::to_string(stream.size())});
  }
  Tensor tensor = read_elements(stream, stored, header.shape, header.fortran_order, name);
  stream.finish();
  return tensor;
}

Tensor read_npy(const std::string& path) {
  return open_npy(open_source(path))->read(0);
}

Tensor parse_npy(const std::byte* data, std::size_t size, const std::string& name) {
  return open_npy(memory_source({data, size}, name))->read(0);
}

void write_npy(const std::string& path, const TensorView& tensor) {
  const std::string header = header_for(tensor.dtype, tensor.shape, path);
  const std::int64_t size = bytes_needed(Stored{tensor.dtype}, tensor.shape, path);
  if (size > 0 && tensor.data == nullptr) throw Error({"a tensor without data cannot be written", path, "", ""});
  Tensor copy;
  const void* elements = tensor.data;
  if (tensor.strides != contiguous_strides(tensor.shape)) {
    copy = contiguous_copy(tensor);
    elements = copy.view().data;
  }
  write_file(path, [&](const Sink& sink) {
    sink(header.data(), header.size());
    if (size > 0) sink(elements, static_cast<std::size_t>(size));
  });
}

}  // namespace heed::io
