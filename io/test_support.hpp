// What the tests of this room share: bytes from hexadecimal text, the Error of a call, a folder that goes away again.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <heed/error.hpp>

#include "io/file.hpp"

namespace heed::io::test {

inline std::string from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return bytes;
}

inline const std::byte* bytes_of(const std::string& text) {
  return reinterpret_cast<const std::byte*>(text.data());
}

/// `value` as `size` little-endian bytes; past eight they are zero.
inline std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(i < 8 ? (value >> (8 * i)) & 0xFFU : 0U);
  return bytes;
}

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no heed::Error was thrown";
  return Error({});
}

/// The whole sentence of a call's Error contains each of the pieces.
template <class Call>
void expect_error(Call call, std::initializer_list<std::string_view> pieces) {
  const std::string sentence = error_of(call).what();
  for (const std::string_view piece : pieces)
    EXPECT_NE(sentence.find(piece), std::string::npos) << "no \"" << piece << "\" in: " << sentence;
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "heed-io-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// How many files lie in it.
  [[nodiscard]] int count() const {
    int files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++files;
    return files;
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// Writes to a pipe of its own and says whether it came through with the pipe still in its place.
inline bool pipes_are_written_in_place() {
  const Folder folder;
  const std::string pipe = folder.file("pipe");
  if (::mkfifo(pipe.c_str(), 0600) != 0) return false;
  const int both_ends = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);  // so that nobody waits for the other end
  write_file(pipe, [](const Sink& sink) { sink("text", 4); });
  char got[5] = {};
  const bool arrived = ::read(both_ends, got, 4) == 4 && std::string_view(got) == "text";
  ::close(both_ends);
  return arrived && std::filesystem::is_fifo(pipe) && folder.count() == 1;
}

/// `write` must fail on /dev/full for want of space. A program that replaces what it should write in place would, run as root, replace
/// the device: it is found out on a pipe first, and the device is left alone.
template <class Write>
void expect_no_space(Write write) {
  if (!pipes_are_written_in_place()) {
    ADD_FAILURE() << "a pipe was not written in place; /dev/full is not tried";
    return;
  }
  expect_error([&] { write("/dev/full"); }, {"/dev/full", "cannot be written", "No space left on device"});
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

}  // namespace heed::io::test
