// Elements from a stream into a tensor. Only what differs in type or order goes through a piece of 1 MiB.
// Checked in npy_test.cpp and safetensors_test.cpp.
#include "io/elements.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include <heed/error.hpp>

namespace heed::io {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;

/// Row-major offsets of a shape's places, the first axis fastest.
class FortranPlaces {
 public:
  explicit FortranPlaces(const Dims& shape) : shape_(shape), strides_(contiguous_strides(shape)), place_(shape) {
    for (int axis = 0; axis < shape.rank(); ++axis) place_[axis] = 0;
  }
  std::int64_t next() {
    const std::int64_t offset = offset_;
    for (int axis = 0; axis < shape_.rank(); ++axis) {
      offset_ += strides_[axis];
      if (++place_[axis] < shape_[axis]) break;
      offset_ -= strides_[axis] * shape_[axis];
      place_[axis] = 0;
    }
    return offset;
  }

 private:
  Dims shape_, strides_, place_;
  std::int64_t offset_ = 0;
};

template <class From>
From load(const std::byte* at) {
  From value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// One element, widened.
void store(Tensor& tensor, std::int64_t offset, const std::byte* from, const Stored& stored, const std::string& where) {
  switch (stored.form) {
    case Stored::Form::kSame: {
      const auto size = static_cast<std::size_t>(size_of(stored.dtype));
      std::memcpy(tensor.data<std::byte>() + offset * static_cast<std::int64_t>(size), from, size);
      return;
    }
    case Stored::Form::kU16:
      tensor.data<std::int32_t>()[offset] = load<std::uint16_t>(from);
      return;
    case Stored::Form::kU32:
      tensor.data<std::int64_t>()[offset] = load<std::uint32_t>(from);
      return;
    case Stored::Form::kU64: {
      const auto value = load<std::uint64_t>(from);
      if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
        throw Error({"an unsigned number does not fit", where, "numbers below 2^63", std::to_string(value)});
      }
      tensor.data<std::int64_t>()[offset] = static_cast<std::int64_t>(value);
      return;
    }
  }
}

void read_pieces(Stream& stream, const Stored& stored, bool fortran, Tensor& tensor, const std::string& where) {
  const std::int64_t size = stored.bytes(), count = tensor.count(), most = kPieceBytes / size;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(count, most) * size));
  FortranPlaces places(tensor.shape());
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t now = std::min(count - done, most);
    stream.read(std::span(piece).first(static_cast<std::size_t>(now * size)));
    for (std::int64_t i = 0; i < now; ++i) store(tensor, fortran ? places.next() : done + i, piece.data() + i * size, stored, where);
    done += now;
  }
}

}  // namespace

std::int64_t Stored::bytes() const {
  switch (form) {
    case Form::kSame:
      break;
    case Form::kU16:
      return 2;
    case Form::kU32:
      return 4;
    case Form::kU64:
      return 8;
  }
  return size_of(dtype);
}

std::string Stored::name() const {
  return form == Form::kSame ? std::string(name_of(dtype)) : "u" + std::to_string(8 * bytes());
}

std::int64_t bytes_needed(const Stored& stored, const Dims& shape, const std::string& where) {
  try {
    const std::int64_t count = count_of(shape);
    if (count <= std::numeric_limits<std::int64_t>::max() / stored.bytes()) return count * stored.bytes();
  } catch (const Error& error) {
    throw Error({error.parts().what, where, error.parts().expected, error.parts().found});
  }
  throw Error({"the size in bytes leaves 63 bits", where, "below 2^63 bytes", to_text(shape) + " of " + stored.name()});
}

Tensor read_elements(Stream& stream, const Stored& stored, const Dims& shape, bool fortran, const std::string& where) {
  Tensor tensor(stored.dtype, shape);
  if (tensor.count() == 0) return tensor;
  if (fortran || stored.form != Stored::Form::kSame) {
    read_pieces(stream, stored, fortran, tensor, where);
  } else {
    stream.read({tensor.data<std::byte>(), static_cast<std::size_t>(bytes_needed(stored, shape, where))});
  }
  if (stored.dtype == DType::kBool) {
    for (std::byte& byte : std::span(tensor.data<std::byte>(), static_cast<std::size_t>(tensor.count())))
      byte = byte == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  return tensor;
}

}  // namespace heed::io
