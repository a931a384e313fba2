// Options of the test programs, beside GoogleTest's own: `--name=VALUE`, read by main.cpp before any test is made.
//
// An option is a static object of any file that is linked into the program; what it takes it takes from the command line alone:
//   const Option kFormulas("formulas", "N: how many random formulas", [](const std::string& text) { count = std::stol(text); });
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace heed::laws {

class Option {
 public:
  /// `apply` gets VALUE, "" where none was given; what it throws ends the program with exit status 2.
  Option(std::string name, std::string what, std::function<void(const std::string& value)> apply);

  std::string name, what;
  std::function<void(const std::string& value)> apply;
};

/// VALUE of --name as a number from 0; throws where it is none.
[[nodiscard]] std::uint64_t number_of(const std::string& name, const std::string& value);

/// All of the program, in no order.
[[nodiscard]] std::vector<Option>& options();

}  // namespace heed::laws
