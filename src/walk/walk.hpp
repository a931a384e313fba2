// Walk: in which order tiles of scores are made and used. It speaks the words that it is handed; no machine's name stands in it.
//
// What a walk owes, or declines in words:
//   outputs   O, L and the four statistics of a row; Outputs::norms; weights or scores where they are wanted; parts that merge
//   numbers   what leaves float is folded once more in double; a NaN or infinity that is hidden changes nothing, one that is seen is kept;
//             bits that depend neither on threads, nor on other queries, nor on keys behind the last one seen
//   empty     rows that see nothing, sinks, no queries, no keys
//   the run   one arena, dry as well; progress; as many tiles of keys held as it said to its reader
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <heed/inputs.hpp>
#include <heed/outputs.hpp>

#include "base/arena.hpp"
#include "base/progress.hpp"
#include "machine/machine.hpp"
#include "problem/group.hpp"
#include "problem/question.hpp"

namespace heed::walk {

struct Job {
  const problem::Question& question;
  const problem::Group& group;  ///< the sequences to compute
  const machine::Words& words;
  const Inputs& in;
  const Outputs& out;
  base::Progress& progress;
};

struct Walk {
  std::string_view name;
  std::string_view what;     ///< one sentence for people; where any machine speaks, the machine's way stands in it for {}
  bool any_machine = false;  ///< else the last of the table of machines alone
  bool fused = false;        ///< memory linear in T
  bool every_tile = false;   ///< no tile is skipped
  double slowness = 1;       ///< of everything, for walks that are not meant to be fast
  int lane_step = 0;         ///< queries of a tile are rounded up to this; 0: as the machine has it
  std::string (*decline)(const problem::Question& question);  ///< empty: accepts
  /// Takes all its memory of the arena before it computes; of a dry one it takes the same, reads no tensor and computes nothing.
  void (*run)(const Job& job, base::Arena& arena);
};

[[nodiscard]] std::span<const Walk> walks();

}  // namespace heed::walk
