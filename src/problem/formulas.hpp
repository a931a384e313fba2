// Formulas: mask and score of a problem, ready for every evaluator. Made once, shared by whoever asks the same of other lengths.
#pragma once

#include <heed/problem.hpp>

#include "formula/formula.hpp"
#include "formula/over.hpp"
#include "formula/tile_program.hpp"

namespace heed::problem {

class Formulas {
 public:
  /// Throws Error: unknown name, type error, wrong rank, s in a mask.
  explicit Formulas(const Problem& problem)
      : mask(formula::Formula::mask(problem.mask, problem.tables)),
        score(formula::Formula::score(problem.scores, problem.tables)),
        mask_over_(mask),
        score_over_(score) {}
  Formulas(const Formulas&) = delete;
  Formulas& operator=(const Formulas&) = delete;
  /// Makes the programs; `everything`: the box of all places of the problem. Scores of f64 tensors are held in double.
  void compile(const formula::Box& everything, DType dtype) {
    mask_program = formula::TileProgram(mask, mask_over_, everything);
    score_program =
        formula::TileProgram(score, score_over_, everything, dtype == DType::kF64 ? formula::Scores::kDouble : formula::Scores::kFloat);
  }
  [[nodiscard]] const formula::Over& mask_over() const { return mask_over_; }
  [[nodiscard]] const formula::Over& score_over() const { return score_over_; }

  const formula::Formula mask, score;
  formula::TileProgram mask_program, score_program;  ///< empty until compiled

 private:
  formula::Over mask_over_, score_over_;
};

}  // namespace heed::problem
