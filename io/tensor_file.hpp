// A file of named tensors, whatever its format: opened, listed, and read one tensor at a time.
//
// Opening reads what describes the tensors and nothing of them. What makes one tensor unreadable (an element type that heed does not
// know) is an Error of read(), when that tensor is asked for; what makes the file unsound (cut short, overlaps) is one of opening it.
// A new format is a class here and a row in tensor_file.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <heed/tensor.hpp>

#include "io/source.hpp"

namespace heed::io {

/// How what a file says may be understood.
struct ReadAs {
  bool bf16 = false;  ///< .npy elements of two opaque bytes (`<V2`, what NumPy writes of ml_dtypes.bfloat16) are bf16
};

class TensorFile {
 public:
  struct Entry {
    std::string name;
    std::uint64_t bytes;  ///< about what read() asks for
  };

  TensorFile() = default;
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;
  virtual ~TensorFile() = default;

  /// In the order of the file; names stand once.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The entry of this place in entries(). Throws Error naming the file and the tensor.
  [[nodiscard]] virtual Tensor read(std::size_t entry, const ReadAs& as) const = 0;
  [[nodiscard]] Tensor read(std::size_t entry) const { return read(entry, {}); }
  /// All of them, by name.
  [[nodiscard]] std::map<std::string, Tensor> read_all() const;

 protected:
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

using TensorFilePtr = std::shared_ptr<const TensorFile>;

/// A .npy file has one entry, whose name is empty. Each throws Error for a file that is not of its format.
[[nodiscard]] TensorFilePtr open_npy(SourcePtr source);
[[nodiscard]] TensorFilePtr open_npz(SourcePtr source);
[[nodiscard]] TensorFilePtr open_safetensors(SourcePtr source);

/// Any of these, told by its content; "-" is standard input. Throws Error saying what the file is when it is none of them.
[[nodiscard]] TensorFilePtr open_tensors(const std::string& path);

}  // namespace heed::io
