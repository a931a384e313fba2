// One run of a plan: what is wanted of it, and the tensors that it gave.
//
// The census of f64 inputs works in float32, of Q and K rounded to it: what a key receives, maps, chosen rows and top keys. All else of
// them is the definition's, in double.
#pragma once

#include <string>
#include <vector>

#include <heed/census.hpp>
#include <heed/plan.hpp>

#include "nan_rows.hpp"

namespace heed::tool {

struct Wanted {
  bool o = false;                              ///< otherwise O is computed and dropped
  bool statistics = false;                     ///< entropy and effective keys; with these three the plan must have statistics
  bool maximum = false, visible = false;       ///< of each row
  bool square = false;                         ///< P itself; the plan must have weights
  Scores scores = Scores::kNone;               ///< these scores; the plan must have the same
  bool received = false, seen_by = false;      ///< of each key
  std::int64_t map_rows = 0, map_columns = 0;  ///< 0: no maps
  std::vector<std::int64_t> heads{};           ///< those that what follows and keys() are of; empty: all
  std::vector<std::int64_t> rows{};            ///< their weights
  std::vector<std::int64_t> top_rows{};        ///< their strongest keys
  std::int64_t top = 0;                        ///< so many of them
  [[nodiscard]] bool row_statistics() const { return statistics || maximum || visible; }
  [[nodiscard]] bool keys() const { return received || seen_by || map_rows > 0; }
  [[nodiscard]] bool census() const { return keys() || !rows.empty() || !top_rows.empty(); }
};

/// Of packed sequences [B, Hq, Tq] is [T_total, Hq], [B, Hq, Tk] is [all keys, Hq], and what has two axes of positions is not made.
struct Results {
  Tensor o;                                     ///< [B, Hq, Tq, Dv], of the inputs' dtype; f32 for bf16
  Tensor lse;                                   ///< [B, Hq, Tq], like the next four
  Tensor entropy, effective, maximum, visible;  ///< visible in i64
  Tensor norms;                                 ///< [B, Hq, Tq, 2]: what census takes from a run with statistics
  Tensor square, scores;                        ///< [B, Hq, Tq, Tk]
  Tensor received, seen_by;                     ///< [B, Hq, Tk]; seen_by in i64
  Tensor map;                                   ///< [B, Hq, R, C]
  Tensor weights;                               ///< [B, Hq, rows, Tk]
  Tensor top_keys, top_weights;                 ///< [B, Hq, top rows, top]; top_keys in i64
  NanRows nan;
  double seconds = 0, census_seconds = 0;
};

/// A plan, with a sign of life while it is made.
[[nodiscard]] Plan make_plan(const Problem& problem);
/// What run() is expected to take; 0 where nobody looks on, since asking measures the machine.
[[nodiscard]] double seconds_for_bar(const Plan& plan);
/// Throws Error when the memory that run() will take is not there.
void require_scratch(const Plan& plan);
/// What is to be said of a run: where its numbers are of another kind than its inputs; empty: nothing.
[[nodiscard]] std::string note_of(const Problem& problem, const Wanted& wanted);
/// What the bar of a run says.
struct Bar {
  std::string what = "attending";
  double seconds = 0;  ///< expected; 0: as the plan says
};
[[nodiscard]] Results compute(const Plan& plan, const Inputs& inputs, const Wanted& wanted, const Bar& bar = {});

}  // namespace heed::tool
