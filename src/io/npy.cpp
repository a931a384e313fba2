// .npy files, read and written: magic "\x93NUMPY", version, header length, a Python dict literal, the data.
//
// The dict has exactly the keys descr, fortran_order and shape, in any order and spacing. Sizes are checked against the bytes at hand
// before memory is asked for; data in Fortran order comes out as a C-order copy. Bytes behind the data are an Error: the header would
// not describe the file.
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// Checked in npy_test.cpp against files that NumPy wrote, and by npy_fuzz.cpp.
#include "io/npy.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <heed/error.hpp>

#include "io/bytes.hpp"
#include "io/file.hpp"
#include "io/npy_header.hpp"

namespace heed::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Descr {
  DType dtype;
  std::string_view text;  ///< as written
};
constexpr std::array<Descr, 9> kDescrs{{{DType::kF64, "<f8"},
                                        {DType::kF32, "<f4"},
                                        {DType::kF16, "<f2"},
                                        {DType::kI64, "<i8"},
                                        {DType::kI32, "<i4"},
                                        {DType::kI16, "<i2"},
                                        {DType::kI8, "|i1"},
                                        {DType::kU8, "|u1"},
                                        {DType::kBool, "|b1"}}};
constexpr const char* kKnown = "one of f8 f4 f2 i8 i4 i2 i1 u1 b1, little-endian";

DType dtype_of(const std::string& descr, const std::string& where) {
  if (descr.starts_with('>')) throw Error({"big-endian data is not read", where, kKnown, "descr '" + descr + "'"});
  for (const Descr& known : kDescrs) {
    const bool single_byte = known.text.ends_with('1');
    if (descr == known.text || (single_byte && descr == "<" + std::string(known.text.substr(1)))) return known.dtype;
  }
  throw Error({"unknown element type", where, kKnown, "descr '" + descr + "'"});
}

std::string_view descr_of(DType dtype, const std::string& where) {
  for (const Descr& known : kDescrs) {
    if (dtype == known.dtype) return known.text;
  }
  throw Error(
      {"the element type has no .npy form", where, "one of f64, f32, f16, i64, i32, i16, i8, u8, bool", std::string(name_of(dtype))});
}

/// Where the header's text begins and how long it is.
struct Extent {
  std::uint64_t begin;
  std::uint64_t size;
};

Extent header_extent(const Window& file) {
  if (file.text(0, std::min<std::uint64_t>(file.size(), 6), "the magic") != kMagic) {
    throw Error({"not a .npy file", file.name(), "the magic \"\\x93NUMPY\" at its beginning", "other bytes"});
  }
  const std::uint64_t major = file.number(6, 1, "the version");
  const std::uint64_t minor = file.number(7, 1, "the version");
  if (major < 1 || major > 3 || minor != 0) {
    throw Error({"unknown .npy version", file.name(), "1.0, 2.0 or 3.0", std::to_string(major) + "." + std::to_string(minor)});
  }
  const int length_bytes = major == 1 ? 2 : 4;
  return {8U + static_cast<std::uint64_t>(length_bytes), file.number(8, length_bytes, "the header length")};
}

Dims column_major_strides(const Dims& shape) {
  Dims strides = shape;
  std::int64_t stride = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
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

}  // namespace

Tensor parse_npy(const std::byte* data, std::size_t size, const std::string& name) {
  const Window file({data, size}, name);
  const Extent extent = header_extent(file);
  const NpyHeader header = parse_npy_header(file.text(extent.begin, extent.size, "the header"), name);
  const DType dtype = dtype_of(header.descr, name);
  const auto needed = static_cast<std::uint64_t>(bytes_needed(dtype, header.shape, name));
  const std::uint64_t begin = extent.begin + extent.size;
  const std::span<const std::byte> elements = file.slice(begin, needed, "the data of shape " + to_text(header.shape));
  if (file.size() - begin != needed) {
    throw Error({"bytes follow the data", name, std::to_string(begin + needed) + " bytes in all", std::to_string(file.size())});
  }
  TensorView source(elements.data(), dtype, header.shape);
  if (header.fortran_order) source.strides = column_major_strides(header.shape);
  return contiguous_copy(source);
}

Tensor read_npy(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return parse_npy(bytes.data(), bytes.size(), path);
}

void write_npy(const std::string& path, const TensorView& tensor) {
  const std::string header = header_for(tensor.dtype, tensor.shape, path);
  const std::int64_t size = bytes_needed(tensor.dtype, tensor.shape, path);
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
