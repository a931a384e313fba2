// What f64 inputs cost: the definition runs them.
#pragma once

#include <heed/plan.hpp>

namespace heed::tool {

/// What an f64 problem costs in double, and what the same problem would cost in float32.
struct InFloat32 {
  bool definition = false;                   ///< the plan runs the definition
  double double_seconds = 0;                 ///< expected; of the definition by the time of one row
  double seconds = 0;                        ///< expected in float32, by `kernel`; 0: nobody knows
  std::string kernel{};                      ///< empty: float32 cannot take the problem (a scale beyond it)
  [[nodiscard]] std::string text() const;    ///< a sentence
  [[nodiscard]] std::string beside() const;  ///< " (in float32 about 3.1 ms)", or nothing
};
/// Runs one row of an f64 plan that has queries, where it runs the definition, and plans the problem in float32.
[[nodiscard]] InFloat32 in_float32(const Plan& plan, const Inputs& inputs);
/// The same problem in float32, by whichever kernel takes it, and nothing but its results.
[[nodiscard]] Problem as_float32(Problem problem);

}  // namespace heed::tool
