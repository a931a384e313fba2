// .npz files: a zip archive whose members NAME.npy are .npy files. Members of other names are no arrays and are passed over.
//
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// Checked in npz_test.cpp against archives that NumPy wrote, and by npz_fuzz.cpp.
#include <string_view>
#include <vector>

#include "io/bytes.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "io/zip.hpp"

namespace heed::io {

std::map<std::string, Tensor> parse_npz(const std::byte* data, std::size_t size, const std::string& name) {
  constexpr std::string_view kSuffix = ".npy";
  const Window archive({data, size}, name);
  std::map<std::string, Tensor> tensors;
  for (const ZipMember& member : zip_members(archive)) {
    if (!member.name.ends_with(kSuffix)) continue;
    const std::vector<std::byte> bytes = zip_extract(archive, member);
    const std::string array = member.name.substr(0, member.name.size() - kSuffix.size());
    tensors.emplace(array, parse_npy(bytes.data(), bytes.size(), name + ", member " + member.name));
  }
  return tensors;
}

std::map<std::string, Tensor> read_npz(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return parse_npz(bytes.data(), bytes.size(), path);
}

}  // namespace heed::io
