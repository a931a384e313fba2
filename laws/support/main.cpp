// The main function of every test program: options of our own (options.hpp), then GoogleTest. `--help` tells both.
#include <gtest/gtest.h>

#include <charconv>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "laws/support/options.hpp"
#include "laws/support/tenth.hpp"

namespace heed::laws {

Option::Option(std::string option_name, std::string for_people, std::function<void(const std::string& value)> with)
    : name(std::move(option_name)), what(std::move(for_people)), apply(std::move(with)) {
  options().push_back(*this);
}

std::vector<Option>& options() {
  static std::vector<Option> all;
  return all;
}

std::uint64_t number_of(const std::string& name, const std::string& value) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size())
    throw std::invalid_argument("--" + name + "=" + value + ": expected a number");
  return number;
}

namespace {

std::optional<std::uint64_t> tenth;

const Option kTenth("tenth", "SEED: only a tenth of the tests, another for every seed",
                    [](const std::string& text) { tenth = number_of("tenth", text); });

/// Whether the argument is an option of ours; then it has been applied.
bool take(const std::string& argument) {
  if (!argument.starts_with("--")) return false;
  const std::size_t equals = argument.find('=');
  const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
  for (const Option& option : options()) {
    if (option.name != name) continue;
    option.apply(equals == std::string::npos ? "" : argument.substr(equals + 1));
    return true;
  }
  return false;
}

int run(int argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--help") {
      for (const Option& option : options()) std::cout << "  --" << option.name << "  " << option.what << '\n';
    }
    if (!take(argv[i])) argv[kept++] = argv[i];
  }
  argv[kept] = nullptr;
  testing::InitGoogleTest(&kept, argv);
  if (kept > 1) throw std::invalid_argument(std::string("unknown option ") + argv[1]);
  if (tenth) keep_a_tenth(*tenth);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace heed::laws

int main(int argc, char** argv) {
  try {
    return heed::laws::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
