// Arena: the scratch memory of one run, asked for once and handed out in 64-byte aligned pieces. What a plan states as scratch is the
// size of this one piece.
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
  explicit Arena(std::size_t bytes) : memory_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}))), size_(bytes) {
    if (poison_scratch) std::memset(memory_.get(), 0xFF, size_);
  }

  template <class T>
  [[nodiscard]] T* take(std::size_t count) {
    T* const piece = reinterpret_cast<T*>(memory_.get() + used_);
    used_ += rounded(count * sizeof(T));
    return piece;
  }
  /// `count` objects, each made from `arguments`. They are never destroyed, so they must not need to be.
  template <class T, class... Arguments>
  [[nodiscard]] std::span<T> make(std::size_t count, Arguments&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* const first = take<T>(count);
    for (std::size_t i = 0; i < count; ++i) std::construct_at(first + i, arguments...);
    return {first, count};
  }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
  std::size_t used_ = 0;
};

}  // namespace heed::base
