// Random well-typed formulas, for the laws that every evaluator, the parser and the printer must keep.
//
// Every operation of the language appears, with small literals (0 and negatives among them), now and then the ends of the 64-bit
// integers, infinities and -0.0. Of the lookups three in four are clamped into the table, the others may miss it. The same seed and
// tables give the same formulas on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <heed/expression.hpp>

namespace heed::laws {

class RandomFormula {
 public:
  /// Looks up `tables`, which must outlive it; without tables there are no lookups.
  explicit RandomFormula(std::uint64_t seed, const Tables& tables = {});

  /// A boolean formula over q k b h g.
  Expr mask(int depth = 4);
  /// A numeric formula over s q k b h g.
  Expr score(int depth = 4);

 private:
  enum class Kind { kBoolean, kInteger, kReal };

  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  bool once_in(std::int64_t n) { return below(n) == 0; }

  Expr of(Kind kind, int depth);
  Expr boolean(int depth);
  Expr integer(int depth);
  Expr real(int depth);
  Expr number(int depth);
  Expr comparison(int depth);
  Expr choice(Kind first, Kind second, int depth);
  Expr arithmetic(const Expr& a, const Expr& b);
  Expr integer_leaf();
  Expr real_leaf();
  /// A lookup in a table of that kind; a literal when there is none.
  Expr lookup(Kind kind, int depth);
  Expr index(std::int64_t extent, int depth);

  struct Target {
    std::string name;
    Kind kind;
    Dims shape;
  };

  std::mt19937_64 random_;
  std::vector<Target> targets_;
  bool with_score_ = false;
};

}  // namespace heed::laws
