#include "base/overlap.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace heed::base {
namespace {

constexpr int kMostSteps = 1 << 14;
constexpr std::int64_t kFar = std::int64_t{1} << 60;  // bytes; no machine's memory reaches as far, and sums of a few fit 63 bits

struct Axis {
  std::int64_t stride = 0, low = 0, high = 0;  // steps of `stride` bytes: low to high of them
};

/// A tensor as its first byte and axes with positive strides.
struct Placed {
  std::uintptr_t first = 0;
  std::int64_t reach = 0;  // from the first byte to the last element
  bool empty = false, far = false, repeats = false;
  std::array<Axis, Dims::kMaxRank> axes{};
  int rank = 0;

  explicit Placed(const TensorView& tensor) : first(reinterpret_cast<std::uintptr_t>(tensor.data)) {
    const std::int64_t size = size_of(tensor.dtype);
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) empty |= tensor.shape[axis] == 0;
    for (int axis = 0; !empty && axis < tensor.shape.rank(); ++axis) {
      const std::int64_t steps = tensor.shape[axis] - 1, stride = tensor.strides[axis];
      if (steps == 0) continue;
      if (stride == 0) {
        repeats = true;
        continue;
      }
      far |= stride > kFar / size || stride < -kFar / size;
      if (far) return;
      const std::int64_t bytes = std::abs(stride) * size;
      far |= steps > (kFar - reach) / bytes;
      if (far) return;
      if (stride < 0) {
        far |= static_cast<std::uintptr_t>(bytes * steps) > first;
        first -= static_cast<std::uintptr_t>(bytes * steps);
      }
      reach += bytes * steps;
      axes[static_cast<std::size_t>(rank++)] = {bytes, 0, steps};
    }
  }
};

class Search {
 public:
  /// Every d from low to high may be taken; axes of one stride become one where `joined`.
  void add(const Axis& axis, bool joined) {
    const auto same = std::find_if(axes_.begin(), axes_.begin() + count_, [&](const Axis& other) { return other.stride == axis.stride; });
    if (!joined || same == axes_.begin() + count_) {
      axes_[static_cast<std::size_t>(count_++)] = axis;
      return;
    }
    same->low += axis.low;
    same->high += axis.high;
  }

  /// Whether sum d_k s_k = target has a solution, or might have; with some d_k != 0 where `moved` is false.
  [[nodiscard]] bool solvable(std::int64_t target, bool moved) {
    std::sort(axes_.begin(), axes_.begin() + count_, [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
    for (int n = count_ - 1; n >= 0; --n) {
      const auto at = static_cast<std::size_t>(n);
      low_[at] = low_[at + 1] + axes_[at].low * axes_[at].stride;
      high_[at] = high_[at + 1] + axes_[at].high * axes_[at].stride;
    }
    return solvable_from(0, target, moved);
  }

 private:
  static std::int64_t floor_of(std::int64_t a, std::int64_t positive) { return a / positive - (a % positive < 0 ? 1 : 0); }

  bool solvable_from(int n, std::int64_t target, bool moved) {
    if (n == count_) return target == 0 && moved;
    const auto at = static_cast<std::size_t>(n);
    const Axis& axis = axes_[at];
    const std::int64_t first = std::max(axis.low, -floor_of(high_[at + 1] - target, axis.stride));
    const std::int64_t last = std::min(axis.high, floor_of(target - low_[at + 1], axis.stride));
    for (std::int64_t d = first; d <= last; ++d) {
      if (++steps_ > kMostSteps) return true;
      if (solvable_from(n + 1, target - d * axis.stride, moved || d != 0)) return true;
    }
    return false;
  }

  static constexpr std::size_t kMostAxes = 2 * Dims::kMaxRank + 1;
  std::array<Axis, kMostAxes> axes_{};
  std::array<std::int64_t, kMostAxes + 1> low_{}, high_{};  // of what the axes from n on add up to
  int count_ = 0, steps_ = 0;
};

}  // namespace

bool overlap(const TensorView& a, const TensorView& b) {
  const Placed left(a), right(b);
  if (left.empty || right.empty) return false;
  if (left.far || right.far) return true;
  const std::int64_t left_size = size_of(a.dtype), right_size = size_of(b.dtype);
  const auto between = [](const Placed& from, const Placed& to) { return to.first - from.first; };
  const bool right_first = right.first < left.first;
  const std::uintptr_t gap = right_first ? between(right, left) : between(left, right);
  if (gap >= static_cast<std::uintptr_t>(right_first ? right.reach + right_size : left.reach + left_size)) return false;
  Search search;
  search.add({1, 1 - right_size, left_size - 1}, true);
  for (int n = 0; n < left.rank; ++n) search.add(left.axes[static_cast<std::size_t>(n)], true);
  for (int n = 0; n < right.rank; ++n) {
    const Axis& axis = right.axes[static_cast<std::size_t>(n)];
    search.add({axis.stride, -axis.high, 0}, true);
  }
  return search.solvable(right_first ? -static_cast<std::int64_t>(gap) : static_cast<std::int64_t>(gap), true);
}

bool overlaps_itself(const TensorView& tensor) {
  const Placed placed(tensor);
  if (placed.empty) return false;
  if (placed.far || placed.repeats) return true;
  Search search;
  for (int n = 0; n < placed.rank; ++n) {
    const Axis& axis = placed.axes[static_cast<std::size_t>(n)];
    search.add({axis.stride, -axis.high, axis.high}, false);
  }
  return search.solvable(0, false);
}

bool same_places(const TensorView& a, const TensorView& b) {
  if (a.data != b.data || a.dtype != b.dtype || !(a.shape == b.shape)) return false;
  for (int axis = 0; axis < a.shape.rank(); ++axis) {
    if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
  }
  return true;
}

}  // namespace heed::base
