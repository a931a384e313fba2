// Tile programs: a formula made ready to run on whole tiles of 64 queries x 64 keys with SIMD.
//
// Where a step is evaluated: once per head, on a line of 64 per tile of queries or of keys, on a diagonal (what depends on q and k
// through k - q alone: a line of 127 per pair of tiles), or at every place of the tile. The first four are computed by the frame
// (tile.hpp) in exact 64-bit integers and double and rounded once; only the last runs per place, by the word `modify` or `see`.
//
// In which lanes a step runs per place:
//   narrow  float32, int32, masks of 32 bits. What does not read s is here exact, or its double rounded once (lookups, choices, signs;
//           whole numbers proved to fit 32 bits; conditions on what is exact). What reads s is here only where a bound made with the plan
//           (bounds.hpp) proves the rule of docs/formula.md.
//   wide    double, int64, masks of 64 bits: the definition's own bits, operation for operation. All else: rounded once, where a narrow
//           step or the result wants it. Twice the cost of narrow lanes; exp, log, tanh and sigmoid are libm's, lane by lane.
// Where scores are held in double (Scores::kDouble, of f64 tensors) all that runs per place is wide, and the result is never rounded.
// Whatever the class, a part without s has the same bits at a place: its double, rounded once. So positions that are not contiguous
// (which have no diagonals, and run the code for any positions) change no result.
// Single places are left to Formula::at: where an operation on s had no value (a floor of NaN, a division by zero), and where float32
// left its range for |s| > 2^24. Checked: tile_test.cpp, modify_test.cpp, laws/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/tile.hpp"
#include "formula/formula.hpp"
#include "formula/over.hpp"

namespace heed::formula {

using base::kTile;

enum class Extent : std::uint8_t { kOnce, kQueries, kKeys, kDiagonal, kTileWide };

/// One thing to do for every place of a strip of keys.
struct Instruction {
  enum class Kind : std::uint8_t { kStep, kPromote, kDemote };
  Kind kind = Kind::kStep;
  bool wide = false;  ///< the lanes of the result
  int step = 0;
};

/// A program for positions of one kind.
struct Code {
  std::vector<Extent> extents;            ///< of every step
  std::vector<Instruction> instructions;  ///< in order of evaluation; the result is left in narrow lanes, or wide ones where scores are
  std::vector<bool> narrow, wide;         ///< of every step: its lanes of this width are read
  std::vector<int> diagonals;             ///< steps to evaluate along the diagonal, in order
};

/// What a program does per place, for its price.
struct PlaceWork {
  int narrow = 0, wide = 0;              ///< steps and conversions in vectors
  int functions = 0, by_libm = 0;        ///< exp, log, tanh, sigmoid: in vectors, or in wide lanes one by one
  int lookups = 0, whole_divisions = 0;  ///< lane by lane
};

/// What the tiles hold that a program reads s from and writes its result to.
enum class Scores : std::uint8_t { kFloat, kDouble };

class TileProgram {
 public:
  TileProgram() = default;
  /// `everything`: the box of all places of the problem. `formula` must outlive the program.
  TileProgram(const Formula& formula, const Over& over, const Box& everything, Scores scores = Scores::kFloat);

  [[nodiscard]] const Formula& formula() const { return *formula_; }
  [[nodiscard]] bool empty() const { return formula_ == nullptr || formula_->empty(); }
  [[nodiscard]] bool in_double() const { return scores_ == Scores::kDouble; }
  /// For runs of consecutive positions, or for any.
  [[nodiscard]] const Code& code(bool contiguous) const { return contiguous ? contiguous_ : scattered_; }
  /// Empty, or why the steps that read s run in double lanes.
  [[nodiscard]] const std::string& wide_score() const { return wide_score_; }
  /// Whether a step that reads s may have no value: such places are found as they run.
  [[nodiscard]] bool breaks() const { return breaks_; }
  /// Whether float32 lanes may leave their range for some |s| > 2^24 where double does not: such places are found as they run.
  [[nodiscard]] bool overflows() const { return overflows_; }
  /// Whether a division multiplies by a reciprocal in narrow lanes (bounds.hpp).
  [[nodiscard]] bool by_reciprocal(int step) const { return by_reciprocal_[static_cast<std::size_t>(step)]; }
  [[nodiscard]] PlaceWork work() const;
  /// How many diagonals a frame keeps.
  [[nodiscard]] int diagonals_kept() const { return kept_; }

 private:
  void settle_numbers(const Over& over, const Box& everything);
  void find_diagonals(const Over& over, const Box& everything);
  [[nodiscard]] bool native(const Code& code, int step, const std::vector<bool>& natives) const;
  void emit(Code& code) const;

  const Formula* formula_ = nullptr;
  std::vector<bool> fits_, exact_;  // integers in 32 bits; reals without s that float32 holds
  std::vector<bool> by_reciprocal_;
  Code contiguous_, scattered_;
  std::string wide_score_;
  Scores scores_ = Scores::kFloat;
  bool breaks_ = false, overflows_ = false;
  int kept_ = 1;
};

}  // namespace heed::formula
