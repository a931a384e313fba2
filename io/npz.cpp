// .npz files: a zip archive whose members NAME.npy are .npy files. Members of other names are no arrays and are passed over.
//
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// Checked in npz_test.cpp against archives that NumPy wrote, and by npz_fuzz.cpp.
#include <string_view>
#include <vector>

#include "io/npy.hpp"
#include "io/zip.hpp"

namespace heed::io {
namespace {

class NpzFile : public TensorFile {
 public:
  explicit NpzFile(SourcePtr source) : source_(std::move(source)) {
    constexpr std::string_view kSuffix = ".npy";
    for (ZipMember& member : zip_members(*source_)) {
      if (!member.name.ends_with(kSuffix)) continue;
      entries_.push_back({member.name.substr(0, member.name.size() - kSuffix.size()), member.size});
      members_.push_back(std::move(member));
    }
  }
  [[nodiscard]] Tensor read(std::size_t entry, const ReadAs& as) const override {
    const ZipMember& member = members_.at(entry);
    return read_npy(*zip_stream(source_, member), source_->name() + ", member " + member.name, as);
  }

 private:
  SourcePtr source_;
  std::vector<ZipMember> members_;  // of each entry
};

}  // namespace

TensorFilePtr open_npz(SourcePtr source) {
  return std::make_shared<NpzFile>(std::move(source));
}

std::map<std::string, Tensor> parse_npz(const std::byte* data, std::size_t size, const std::string& name) {
  return open_npz(memory_source({data, size}, name))->read_all();
}

std::map<std::string, Tensor> read_npz(const std::string& path) {
  return open_npz(open_source(path))->read_all();
}

}  // namespace heed::io
