// Every call of the system that a verb makes, and every allocation, fails once in turn: each time the verb says so in words with exit
// status 2, leaves old outputs as they were, new ones not there, and nothing of its own; or it can do without what failed, and then its
// outputs are whole. The first run that nothing failed in ends the series.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "faults/faults.hpp"
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

using faults::Kind;
using faults::Order;
using faults::Outcome;

/// The program with the library loaded before it, waiting for orders.
class FaultyTool {
 public:
  FaultyTool(const std::string& folder, const std::string& input, const std::vector<std::string>& arguments) : folder_(folder) {
    int to[2] = {}, from[2] = {};
    if (::pipe(to) != 0 || ::pipe(from) != 0) ADD_FAILURE() << "no pipes";
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      for (const int end : {to[0], to[1], from[0], from[1]}) ::close(end);
      start(input, arguments);
    }
    ::close(to[0]);
    ::close(from[1]);
    orders_ = to[1];
    outcomes_ = from[0];
    ::fcntl(orders_, F_SETFD, FD_CLOEXEC);
    ::fcntl(outcomes_, F_SETFD, FD_CLOEXEC);
  }
  FaultyTool(const FaultyTool&) = delete;
  FaultyTool& operator=(const FaultyTool&) = delete;
  ~FaultyTool() {
    ::close(orders_);
    ::close(outcomes_);
    ::waitpid(child_, nullptr, 0);
  }

  struct Ended {
    Ran ran;
    bool struck = false;
  };
  [[nodiscard]] Ended run(Kind kind, long n) const {
    const Order order{kind, n};
    Outcome outcome{};
    if (::write(orders_, &order, sizeof order) != sizeof order || ::read(outcomes_, &outcome, sizeof outcome) != sizeof outcome) {
      ADD_FAILURE() << "the program is gone: " << text_of(folder_ + "/server-err");
      return {};
    }
    const int status = WIFEXITED(outcome.status) ? WEXITSTATUS(outcome.status) : 128 + WTERMSIG(outcome.status);
    return {{status, text_of(folder_ + "/out"), text_of(folder_ + "/err")}, outcome.struck != 0};
  }

 private:
  [[noreturn]] void start(const std::string& input, const std::vector<std::string>& arguments) const {
    const char* given = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", ((given != nullptr ? given + std::string(":") : "") + "verify_asan_link_order=0").c_str(), 1);
    ::setenv("LD_PRELOAD", HEED_FAULTS_PATH, 1);
    ::setenv("HEED_FAULTS_IN", input.c_str(), 1);
    ::setenv("HEED_FAULTS_OUT", (folder_ + "/out").c_str(), 1);
    ::setenv("HEED_FAULTS_ERR", (folder_ + "/err").c_str(), 1);
    ::dup2(::open((folder_ + "/server-err").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), STDERR_FILENO);
    std::vector<char*> words{const_cast<char*>(HEED_TOOL_PATH)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    if (::chdir((folder_ + "/work").c_str()) == 0) ::execv(HEED_TOOL_PATH, words.data());
    ::_exit(127);
  }

  std::string folder_;
  pid_t child_ = 0;
  int orders_ = -1, outcomes_ = -1;
};

class FaultsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    write("f.safetensors", small_safetensors({1, 2, 6, 8}, {{"mask", "causal"}}));
    io::write_npy(at("q.npy"), random_tensor({1, 2, 6, 8}, 1).view());
    write("f.npz", text_of(std::string(HEED_SOURCE_DIR) + "/tool/faults/deflated.npz"));
  }

  [[nodiscard]] std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> found;
    for (const std::string& name : files()) found[name] = text_of(at(name));
    return found;
  }

  /// The names of files that are in one and not in the other, or have another content.
  static std::string differing(const std::map<std::string, std::string>& left, const std::map<std::string, std::string>& right) {
    std::string names;
    for (const auto& [name, bytes] : left) names += right.contains(name) && right.at(name) == bytes ? "" : name + " ";
    for (const auto& [name, bytes] : right) names += left.contains(name) ? "" : name + " ";
    return names;
  }

  /// The names of files that are neither as before nor complete.
  static std::string unsound(const std::map<std::string, std::string>& after, const std::map<std::string, std::string>& before,
                             const std::map<std::string, std::string>& complete) {
    std::string names;
    for (const auto& [name, bytes] : after) {
      const bool old = before.contains(name) && before.at(name) == bytes, whole = complete.contains(name) && complete.at(name) == bytes;
      names += old || whole ? "" : name + " ";
    }
    for (const auto& [name, bytes] : before) names += after.contains(name) ? "" : name + " ";
    return names;
  }

  /// `outputs` are what the verb writes: the first is there before and is replaced.
  void expect_words(const std::vector<std::string>& arguments, const std::vector<std::string>& outputs, Kind kind, long step,
                    const std::string& input = "/dev/null") {
    std::string shown;
    for (const std::string& argument : arguments) shown += argument + " ";
    SCOPED_TRACE(shown);
    const FaultyTool tool(folder_.string(), input, arguments);
    for (const std::string& output : outputs) fs::remove(at(output));
    const auto clean = contents();
    const FaultyTool::Ended whole = tool.run(kind, 1'000'000'000);
    ASSERT_FALSE(whole.struck);
    ASSERT_EQ(whole.ran.status, 0) << whole.ran.err;
    const auto complete = contents();
    const auto restore = [&] {
      for (const std::string& name : files()) fs::remove(at(name));
      for (const auto& [name, bytes] : clean) write(name, bytes);
      if (!outputs.empty()) write(outputs.front(), "old");
    };
    restore();
    const auto before = contents();
    long n = 1, refused = 0;
    for (;; n += step) {
      const auto [ran, struck] = tool.run(kind, n);
      const auto after = contents();
      const std::string where = (kind == faults::kCalls ? "call " : "allocation ") + std::to_string(n) + ": " + ran.err;
      if (ran.status == 0) {
        EXPECT_EQ(differing(after, complete), "") << where;
      } else {
        ++refused;
        EXPECT_EQ(ran.status, 2) << where;
        EXPECT_TRUE(ran.err.starts_with("heed: ") && ran.err.ends_with("\n")) << where;
        EXPECT_EQ(unsound(after, before, complete), "") << where;
      }
      if (after != before) restore();
      if (!struck || HasFatalFailure()) break;
    }
    EXPECT_GT(refused, 0);
    for (const std::string& output : outputs) fs::remove(at(output));
    std::printf("%s: %ld %s, %ld runs refused\n", shown.c_str(), n - 1, kind == faults::kCalls ? "calls" : "allocations", refused);
  }

  void every_verb(Kind kind, long step) {
    expect_words({"attend", "f.safetensors", "--threads", "1", "--out", "O.npy", "--lse", "L.safetensors"}, {"O.npy", "L.safetensors"},
                 kind, step);
    expect_words({"attend", "--q", "q.npy", "--k", "f.npz:k", "--v", "f.npz:v", "--threads", "1", "--map", "m.png", "--stats"}, {"m.png"},
                 kind, step);
    expect_words({"attend", "-", "--threads", "1", "--out", "-"}, {}, kind, step, at("f.safetensors"));
    expect_words({"explain", "f.safetensors", "--threads", "1", "--json"}, {}, kind, step);
    expect_words({"check", "f.safetensors", "--threads", "1"}, {}, kind, step);
    expect_words({"draw", "--mask", "window(8)", "--out", "m.png"}, {"m.png"}, kind, step);
    expect_words({"list", "--markdown", "--out", "C.md"}, {"C.md"}, kind, step);
  }
};

TEST_F(FaultsTest, EveryCallOfTheSystem) {
  every_verb(faults::kCalls, 1);
}

/// There are thousands, most of them made by the parser of the command line, so that each verb takes every 101st.
TEST_F(FaultsTest, EveryAllocation) {
  every_verb(faults::kMemory, 101);
}

}  // namespace
}  // namespace heed::tool::test
