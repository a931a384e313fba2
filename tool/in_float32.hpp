// What f64 inputs cost: the definition runs them.
#pragma once

#include <heed/plan.hpp>

namespace heed::tool {

/// An f64 problem runs the definition: what that costs, and what the same problem would cost in float32.
struct InFloat32 {
  double definition_seconds = 0;             ///< by the time of one row
  double seconds = 0;                        ///< expected in float32, by `kernel`; 0: nobody knows
  std::string kernel{};                      ///< empty: float32 cannot take the problem (a scale beyond it)
  [[nodiscard]] std::string text() const;    ///< a sentence
  [[nodiscard]] std::string beside() const;  ///< " (in float32 about 3.1 ms)", or nothing
};
/// Runs one row of an f64 plan that has queries, and plans the problem in float32.
[[nodiscard]] InFloat32 in_float32(const Plan& plan, const Inputs& inputs);
/// The same problem in float32, by whichever kernel takes it, and nothing but its results.
[[nodiscard]] Problem as_float32(Problem problem);

}  // namespace heed::tool
