// A sign of life: whoever looks on at a terminal sees what works for longer than a second, and nobody else does.
#include <pty.h>
#include <unistd.h>

#include "test_support.hpp"

namespace heed::tool::test {
namespace {

/// What the program shows a terminal.
std::string shown_to_a_terminal(const std::string& folder, const std::vector<std::string>& arguments) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    std::vector<char*> words{const_cast<char*>(HEED_TOOL_PATH)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    if (::chdir(folder.c_str()) == 0) ::execv(HEED_TOOL_PATH, words.data());
    ::_exit(127);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  ::close(terminal);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << text;
  return text;
}

TEST_F(ToolTest, LongWorkShowsATerminalThatItLives) {
  Tensor wide(DType::kF64, {1, 8, 640, 64});
  for (std::int64_t i = 0; i < wide.count(); ++i) wide.data<double>()[i] = static_cast<double>(i % 97) / 97;
  io::write_npy(at("x.npy"), wide.view());
  const std::vector<std::string> arguments{"attend", "--q",       "x.npy", "--k",      "x.npy",    "--v",
                                           "x.npy",  "--threads", "1",     "--kernel", "reference"};
  const std::string shown = shown_to_a_terminal(at(""), arguments);
  EXPECT_NE(shown.find("attending in double (in float32 about "), std::string::npos) << shown;
  EXPECT_NE(shown.find(" of about "), std::string::npos) << shown;
  const Ran piped = heed(arguments);
  EXPECT_EQ(piped.status, 0);
  EXPECT_EQ(piped.err, "");
  EXPECT_EQ(piped.out.find("\r"), std::string::npos);
}

}  // namespace
}  // namespace heed::tool::test
