// The header of a .npy file: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, a Python dict literal.
#pragma once

#include <string>
#include <string_view>

#include <heed/tensor.hpp>

namespace heed::io {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  Dims shape;
};

/// Any order and spacing; each of the three keys once and no other. Throws Error naming `where` and the place in the header.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace heed::io
