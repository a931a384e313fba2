#include <heed/version.hpp>

#include "base/instruction_sets.hpp"

namespace heed {

std::string version() {
  return HEED_VERSION;
}

std::vector<std::string> instruction_sets() {
  return base::runnable();
}

std::string build_text() {
  std::string text = "heed " + version() + "\ncommit     " HEED_COMMIT "\ncompiler   " __VERSION__ " (" HEED_BUILD ")\n";
  const auto line = [&text](const char* title, const std::vector<std::string>& names) {
    text += title;
    for (const std::string& name : names) text += " " + name;
    text += "\n";
  };
  line("built for ", base::compiled());
  line("found here", base::runnable());
  return text;
}

}  // namespace heed
