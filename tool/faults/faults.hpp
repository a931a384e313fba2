// What a test and the preloaded library say to each other, in order, on the program's standard input and output.
#pragma once

namespace heed::tool::faults {

enum Kind : int { kCalls, kMemory };

/// Run the program once more, with the n-th call of this kind failing.
struct Order {
  Kind kind;
  long n;
};

struct Outcome {
  int status;  ///< as of waitpid
  int struck;  ///< whether there was an n-th call
};

}  // namespace heed::tool::faults
