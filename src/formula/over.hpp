// over(box): what a formula can be on a whole box of places: Empty / Partial / Full for a mask, bounds for a score.
//
// By intervals (interval.hpp), so every composition is sound by construction:
//     for every place of the box: at(place) lies in over(box).
// Exact for a single occurrence of each symbol; for the named masks causal, window, prefix, lengths, documents, chunked, streaming
// and longformer the verdict Empty is exact too (masks_test.cpp, tiles_test.cpp). Cost: one pass over the steps, O(log n) per lookup.
// Lookups: minima and maxima of any index range from a pyramid, so doc[q] == doc[k] is tight where doc is monotone.
// Checked: over_test.cpp against brute force.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "formula/formula.hpp"
#include "formula/interval.hpp"

namespace heed::formula {

/// Inclusive range of integers.
struct Range {
  std::int64_t first = 0, last = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// A box of places; s is unknown unless said.
struct Box {
  Range q, k, b, h, g;
  Range i{};  ///< rows of the queries q
};

enum class Verdict : std::uint8_t { kEmpty, kPartial, kFull };

/// Minima and maxima of a table over ranges of its last index (all others fixed): a pyramid of blocks of 16.
class Pyramid {
 public:
  /// Tables of more than kLimit elements get no pyramid: bounds() then answers "anything".
  static constexpr std::int64_t kLimit = std::int64_t{1} << 22;
  explicit Pyramid(const TensorView& table);
  /// Bounds over flattened elements [first, last] of the contiguous table.
  [[nodiscard]] Interval bounds(std::int64_t first, std::int64_t last) const;
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] Type type() const { return type_; }

 private:
  Type type_;
  bool known_ = false;
  [[nodiscard]] Interval element(std::int64_t flat) const;
  TensorView table_;
  std::vector<std::vector<Interval>> levels_;  // levels_[0]: blocks of 16 elements, each next one blocks of 16 of the one before
};

class Over {
 public:
  explicit Over(const Formula& formula);

  /// Bounds of the result over the box; s in `score` (anything by default).
  [[nodiscard]] Interval interval(const Box& box, const Interval& score = Interval::any(Type::kReal)) const;
  /// Bounds of every step, for those who must know about a part (index ranges, integer widths).
  void intervals(const Box& box, const Interval& score, std::span<Interval> steps, Conditions conditions = Conditions::kByBounds) const;
  /// What a plan proves: nothing, when every step that does not read s has a value wherever in the box some s can reach it, comparisons
  /// that read s coming out either way; else on what (Depends) those depend that may lack theirs. It doubts too much rather than too
  /// little, and what it doubts a single place settles:
  [[nodiscard]] std::optional<std::uint8_t> broken_for_some_score(const Box& box) const;
  /// The same at one place, exactly: the step that lacks its value, or -1. `values`: scratch of steps().size(), for describe().
  [[nodiscard]] int broken_for_some_score(const Place& place, std::span<Value> values) const;
  /// For masks.
  [[nodiscard]] Verdict verdict(const Box& box) const;
  [[nodiscard]] const Formula& formula() const { return *formula_; }

 private:
  [[nodiscard]] Interval lookup(const Step& step, std::span<const Interval> steps) const;
  const Formula* formula_;
  std::vector<Pyramid> pyramids_;  // one per table
};

}  // namespace heed::formula
