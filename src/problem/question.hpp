// Question: a problem proved. Every shape and number that later code relies on is checked here, once; then constant.
#pragma once

#include <heed/problem.hpp>

#include "problem/formulas.hpp"
#include "problem/layout.hpp"
#include "problem/tiles.hpp"

namespace heed::problem {

struct Question {
  /// Throws Error for a problem without meaning: shapes, types, names, alignment, a lookup out of range in a visible place.
  explicit Question(Problem given);
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  Problem problem;
  Formulas formulas;
  double scale = 0;
  int threads = 1;
  Layout layout;
  TileMap tiles;

  [[nodiscard]] bool has_sink() const { return problem.sink.given() && !problem.partial; }
  [[nodiscard]] double sink(std::int64_t h) const { return real_at(problem.sink, h * problem.sink.strides[0]); }
};

}  // namespace heed::problem
