// What a mask is drawn from: its problem, checked, where its queries and keys stand, and how many of its tiles hold what.
//
// Tiles are counted by planning, which looks at a tile that its bounds leave open until it finds a place that is seen. Where too many are
// left open for that (a pattern of remainders over 50,000 x 50,000 places), a sample is looked at instead, and said as such. A mask that
// reads tables, or may have no value somewhere, is always planned: the plan proves that it has one wherever it is drawn.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <heed/plan.hpp>

#include "formula/formula.hpp"
#include "formula/over.hpp"
#include "problem/tiles.hpp"

namespace heed::tool {

class Scene {
 public:
  /// Throws Error like Plan.
  explicit Scene(const Problem& problem);
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] const Problem& problem() const { return problem_; }
  [[nodiscard]] const problem::Layout& layout() const;
  [[nodiscard]] const formula::Formula& mask() const { return mask_; }
  [[nodiscard]] const formula::Over& over() const { return over_; }
  /// "9 tiles of 64 x 64: 3 empty, 3 partial, 3 full", or shares of a sample.
  [[nodiscard]] std::string tiles_text() const;

 private:
  struct Sample {
    std::int64_t empty = 0, partial = 0, full = 0, open = 0;  ///< open: of which bounds leave it so
    [[nodiscard]] std::int64_t total() const { return empty + partial + full; }
  };
  /// By bounds alone, or with a look at the places of tiles that these leave open.
  [[nodiscard]] Sample sample(bool look) const;
  [[nodiscard]] bool seen_in(const formula::Box& box) const;
  [[nodiscard]] double tiles() const;

  Problem problem_;
  formula::Formula mask_;
  formula::Over over_;
  bool sampled_ = false;
  std::unique_ptr<Plan> plan_;  ///< of the problem; of its layout alone where tiles are sampled
};

/// A fixed sequence without a pattern (splitmix64, Steele et al. 2014).
[[nodiscard]] std::uint64_t scrambled(std::uint64_t x);

}  // namespace heed::tool
