// An open file that closes itself, and the Error that carries the system's reason.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include <heed/error.hpp>

namespace heed::io {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }
  /// What close says, for those who must know.
  [[nodiscard]] int close() { return ::close(std::exchange(number_, -1)); }

 private:
  int number_ = -1;
};

[[noreturn]] inline void refuse(const char* what, const std::string& path, const char* expected, int reason) {
  throw Error({what, path, expected, std::generic_category().message(reason)});
}

/// Writes all of it. Throws Error naming `path`.
void write_all(const Descriptor& file, const std::byte* bytes, std::size_t size, const std::string& path);

}  // namespace heed::io
