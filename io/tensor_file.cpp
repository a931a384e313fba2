// From a path to a reader, by content.
// Checked in tensor_file_test.cpp.
#include "io/tensor_file.hpp"

#include <algorithm>

#include <heed/error.hpp>

#include "io/content.hpp"
#include "io/zip.hpp"

namespace heed::io {
namespace {

constexpr const char* kWhat = "not a file of tensors";
constexpr const char* kExpected = "a .npy, .npz or .safetensors file";

/// What PyTorch saves is a zip archive too.
TensorFilePtr open_zip(const SourcePtr& source) {
  TensorFilePtr file = open_npz(source);
  if (!file->entries().empty()) return file;
  const std::vector<ZipMember> members = zip_members(*source);
  const bool torch = std::ranges::any_of(members, [](const ZipMember& member) { return member.name.ends_with("data.pkl"); });
  throw Error({kWhat, source->name(), kExpected,
               torch ? "a PyTorch checkpoint (pickles in a zip archive), which heed does not run: save its tensors as .safetensors"
               : members.empty() ? "an empty zip archive"
                                 : "a zip archive without .npy members: " + members.front().name +
                                       (members.size() == 1 ? "" : " and " + std::to_string(members.size() - 1) + " more")});
}

}  // namespace

std::map<std::string, Tensor> TensorFile::read_all() const {
  std::map<std::string, Tensor> tensors;
  for (std::size_t i = 0; i < entries_.size(); ++i) tensors.emplace(entries_[i].name, read(i));
  return tensors;
}

TensorFilePtr open_tensors(const std::string& path) {
  const SourcePtr source = open_source(path);
  const Content content = content_of(*source);
  switch (content.format) {
    case Format::kNpy:
      return open_npy(source);
    case Format::kZip:
      return open_zip(source);
    case Format::kSafetensors:
      return open_safetensors(source);
    case Format::kOther:
      break;
  }
  throw Error({kWhat, source->name(), kExpected, content.words});
}

}  // namespace heed::io
