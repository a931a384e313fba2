// Kernels: what a plan chooses from: every walk that any machine speaks with every machine, the others with the last one, and the
// definition, which is neither. A kernel that declines says why. Adding one is a row of a table: machine/table.cpp, walk/table.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "machine/machine.hpp"
#include "problem/group.hpp"
#include "problem/question.hpp"
#include "walk/walk.hpp"

namespace heed::plan {

struct Kernel {
  std::string_view name;  ///< the machine's where any machine speaks the walk, else the walk's
  std::string what;       ///< one sentence for people
  const machine::Machine* machine;
  const walk::Walk* walk;

  [[nodiscard]] bool fused() const { return walk->fused; }
  /// What walks of this kernel speak, census of its plans included.
  [[nodiscard]] machine::Words words(DType dtype) const { return machine::words_of(*machine, dtype); }
  /// What this processor lacks; empty: nothing.
  [[nodiscard]] std::string missing() const { return machine->missing == nullptr ? std::string() : machine->missing(); }
  /// Empty: accepts.
  [[nodiscard]] std::string decline(const problem::Question& question, const problem::Group& group) const;
  /// Bytes that run() takes in one piece.
  [[nodiscard]] std::int64_t scratch(const problem::Question& question, const problem::Group& group) const;
  /// What a run works with.
  struct Means {
    base::Arena& arena;
    base::Progress& progress;
  };
  void run(const problem::Question& question, const problem::Group& group, const Inputs& inputs, const Outputs& outputs,
           const Means& means) const;
};

/// The cheapest that accepts is taken, the first among equals.
[[nodiscard]] std::span<const Kernel> kernels();

}  // namespace heed::plan
