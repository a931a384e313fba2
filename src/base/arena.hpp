// Arena: the scratch memory of one run, handed out in 64-byte aligned pieces of one piece. What a plan states as scratch is what the same
// constructors take of a dry arena, which hands out nothing and counts: so they must write nothing into what they take.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace heed::base {

inline constexpr std::size_t kAlignment = 64;

[[nodiscard]] constexpr std::size_t rounded(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// For tests: while true, scratch starts as NaN instead of whatever was there.
inline std::atomic<bool> poison_scratch{false};

class Arena {
 public:
  /// Of 64-byte aligned memory.
  explicit Arena(std::span<std::byte> memory) : memory_(memory.data()), size_(memory.size()) {
    if (poison_scratch) std::memset(memory_, 0xFF, size_);
  }
  /// Hands out null pointers and counts.
  [[nodiscard]] static Arena dry() { return {}; }

  template <class T>
  [[nodiscard]] T* take(std::size_t count) {
    T* const piece = dry_ ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += rounded(count * sizeof(T));
    return piece;
  }
  /// `count` objects, each made from `arguments`. They are never destroyed, so they must not need to be. Dry, each is made aside and
  /// forgotten: what it takes is counted.
  template <class T, class... Arguments>
  [[nodiscard]] std::span<T> make(std::size_t count, Arguments&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* const first = take<T>(count);
    alignas(T) std::byte aside[sizeof(T)];
    for (std::size_t i = 0; i < count; ++i) std::construct_at(dry_ ? reinterpret_cast<T*>(aside) : first + i, arguments...);
    return {first, count};
  }
  [[nodiscard]] bool is_dry() const { return dry_; }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Arena() : dry_(true) {}
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
  bool dry_ = false;
};

/// Memory for an arena, asked for in one piece.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes)
      : memory_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}))), size_(bytes) {}
  [[nodiscard]] std::span<std::byte> memory() const { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

/// What make(arena) takes.
template <class Make>
[[nodiscard]] std::size_t bytes_taken(const Make& make) {
  Arena arena = Arena::dry();
  make(arena);
  return arena.used();
}

}  // namespace heed::base
