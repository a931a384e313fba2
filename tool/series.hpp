// A series of measurements over one size: the exponent it grows with, and a plot of it in the terminal.
//
//   time ~ size^e:  e is the slope of log time over log size, by least squares; quadratic work shows 2, linear work 1
//
// The plot is logarithmic on both axes, so that a power is a straight line and its slope the exponent.
#pragma once

#include <string>
#include <vector>

namespace heed::tool {

struct Series {
  std::string name;             ///< of what was measured: a kernel
  std::vector<double> seconds;  ///< one per size; not finite: not measured there
};

/// The slope of log seconds over log size; NaN where fewer than two different sizes were measured.
[[nodiscard]] double exponent_of(const std::vector<double>& sizes, const std::vector<double>& seconds);

/// Lines of text, `columns` wide at most: one mark per series and size, the axes with their ends.
[[nodiscard]] std::string plot_text(const std::string& size_name, const std::vector<double>& sizes, const std::vector<Series>& series,
                                    int columns);

}  // namespace heed::tool
