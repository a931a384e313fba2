// Files in and out as a user meets them: large ones of which little is asked for, pipes, links, limits, signals.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "io/safetensors.hpp"
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

/// A file of q, k and v of [1, 1, 5, 64] in f32 (3.8 KB) and a hole of 3 GiB that belongs to another tensor.
void write_mostly_hole(const std::string& path) {
  constexpr std::uint64_t kHole = std::uint64_t{3} << 30, kEach = 1280;
  nlohmann::json header{{"unasked", {{"dtype", "F32"}, {"shape", {kHole / 4}}, {"data_offsets", {0, kHole}}}}};
  std::uint64_t at = kHole;
  for (const char* name : {"q", "k", "v"}) {
    header[name] = {{"dtype", "F32"}, {"shape", {1, 1, 5, 64}}, {"data_offsets", {at, at + kEach}}};
    at += kEach;
  }
  std::ofstream(path, std::ios::binary) << safetensors(header.dump(), "");
  fs::resize_file(path, fs::file_size(path) + at);
}

/// A .npy header for a hole of `count` numbers.
std::string npy_header(std::int64_t count) {
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, " + std::to_string(count / 64) + ", 64), }";
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(dict.size()) + '\0' + dict;
}

struct Cost {
  int status;
  double seconds;
  double megabytes;  ///< resident at most
};

/// Runs the program in a folder and measures it.
Cost cost_of(const std::string& folder, const std::vector<std::string>& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<char*> words{const_cast<char*>(HEED_TOOL_PATH)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    if (::chdir(folder.c_str()) == 0 && std::freopen("cost-out", "w", stdout) != nullptr) ::execv(HEED_TOOL_PATH, words.data());
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, seconds, static_cast<double>(used.ru_maxrss) / 1024};
}

/// What a run holds that has hardly anything to read; sanitizers and emulators hold more than the program.
double least_megabytes(const std::string& folder) {
  return cost_of(folder, {"explain", "f.safetensors", "--threads", "1"}).megabytes;
}

class FilesTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    write("f.safetensors", small_safetensors({1, 2, 6, 8}, nlohmann::json::object()));
    for (const char* name : {"q.npy", "k.npy", "v.npy"}) io::write_npy(at(name), random_tensor({1, 2, 6, 8}, 1).view());
  }
};

TEST_F(FilesTest, OnlyWhatIsAskedForIsRead) {
  write_mostly_hole(at("big.safetensors"));
  const Cost cost = cost_of(at(""), {"attend", "big.safetensors", "--threads", "1", "--out", "O.npy"});
  EXPECT_EQ(cost.status, 0);
  EXPECT_LT(cost.megabytes, least_megabytes(at("")) + 50);
  std::printf("3 GiB of .safetensors, 3.8 KB of them asked for: %.2f s, %.0f MB resident\n", cost.seconds, cost.megabytes);
}

TEST_F(FilesTest, AnArrayIsInMemoryOnce) {
  for (const char* name : {"q.npy", "k.npy", "v.npy"}) {
    const std::int64_t count = *name == 'q' ? 64 : std::int64_t{1} << 25;
    write(name, npy_header(count));
    fs::resize_file(at(name), fs::file_size(at(name)) + static_cast<std::uint64_t>(count) * 4);
  }
  const Cost cost = cost_of(at(""), {"explain", "--q", "q.npy", "--k", "k.npy", "--v", "v.npy", "--threads", "1"});
  EXPECT_EQ(cost.status, 0);
  EXPECT_LT(cost.megabytes, least_megabytes(at("")) + 256 + 50);
  std::printf("two .npy files of 128 MB each: %.2f s, %.0f MB resident\n", cost.seconds, cost.megabytes);
}

TEST_F(FilesTest, NamesDoNotSayWhatAFileIs) {
  fs::copy_file(at("q.npy"), at("q.safetensors"));
  fs::copy_file(at("f.safetensors"), at("all"));
  EXPECT_EQ(heed({"explain", "--q", "q.safetensors", "--k", "k.npy", "--v", "all:v"}).status, 0);
  EXPECT_EQ(heed({"explain", "all"}).status, 0);
  write("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n");
  write("page.npz", "<!DOCTYPE html><html></html>");
  write("pickle.safetensors", std::string("\x80\x04\x95\0\0", 5));
  const auto said = [&](const std::string& file) { return heed({"explain", file}).err; };
  EXPECT_NE(said("lfs.safetensors").find("a git-lfs pointer: fetch the file itself"), std::string::npos) << said("lfs.safetensors");
  EXPECT_NE(said("page.npz").find("an HTML page"), std::string::npos);
  EXPECT_NE(said("pickle.safetensors").find("a Python pickle"), std::string::npos);
}

TEST_F(FilesTest, PipesAreReadAndWritten) {
  EXPECT_EQ(heed({"attend", "f.safetensors", "--out", "O.npy"}).status, 0);
  const std::string expected = text_of(at("O.npy"));
  for (const std::string command :
       {R"("$HEED" attend - --out P.npy < f.safetensors)", R"(cat f.safetensors | "$HEED" attend - --out P.npy)",
        R"(cat f.safetensors | "$HEED" attend --q -:q --k -:k --v -:v --out P.npy)", R"("$HEED" attend f.safetensors --out - > P.npy)",
        R"("$HEED" attend f.safetensors --out /dev/stdout --json | cat > P.npy)",
        R"(mkfifo p; cat p > P.npy & "$HEED" attend f.safetensors --out p; wait)"}) {
    fs::remove(at("P.npy"));
    const Ran ran = shell(command);
    EXPECT_EQ(ran.status, 0) << command << ran.err;
    EXPECT_EQ(text_of(at("P.npy")), expected) << command;
    EXPECT_NE((ran.out + ran.err).find("kernel"), std::string::npos) << command;
  }
  EXPECT_NE(heed({"attend", "f.safetensors", "--out", "-", "--lse", "-"}).err.find("cannot serve twice"), std::string::npos);
  EXPECT_NE(heed({"attend", "f.safetensors", "--out", "/dev/null", "--lse", "/dev/null"}).out.find("wrote /dev/null"), std::string::npos);
  EXPECT_TRUE(shell(R"("$HEED" draw --mask causal --out -)").out.starts_with("\x89PNG"));
}

TEST_F(FilesTest, TheEndingSaysWhatIsWritten) {
  EXPECT_EQ(heed({"attend", "f.safetensors", "--out", "O.npy", "--lse", "L.SAFETENSORS"}).status, 0);
  EXPECT_EQ(heed({"attend", "f.safetensors", "--out", "O.safetensors"}).status, 0);
  expect_same(io::read_safetensors(at("O.safetensors")).tensors.at("o"), io::read_npy(at("O.npy")));
  EXPECT_EQ(io::read_safetensors(at("L.SAFETENSORS")).tensors.at("lse").shape(), (Dims{1, 2, 6}));
  for (const auto& [option, name, said] :
       {std::tuple{"--map", "m.jpg", ".png"}, {"--out", "O.npz", ".npy or .safetensors"}, {"--lse", "L.png", ".npy or .safetensors"}}) {
    const Ran ran = heed({"attend", "f.safetensors", option, name});
    EXPECT_EQ(ran.status, 2);
    EXPECT_NE(ran.err.find(std::string("a name in ") + said), std::string::npos) << ran.err;
    EXPECT_FALSE(fs::exists(at(name)));
  }
}

TEST_F(FilesTest, WhatNobodyAskedForMayBeUnreadable) {
  const std::string bytes = text_of(at("f.safetensors"));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length));
  const std::string data = bytes.substr(8 + length);
  header["scales"] = {{"dtype", "F8_E8M0"}, {"shape", {4}}, {"data_offsets", {data.size(), data.size() + 4}}};
  header["ids"] = {{"dtype", "U32"}, {"shape", {6}}, {"data_offsets", {data.size() + 4, data.size() + 28}}};
  std::string ids(24, '\0');
  for (std::size_t i = 0; i < 6; ++i) ids[4 * i] = static_cast<char>(i / 3);
  write("more.safetensors", safetensors(header.dump(), data + "abcd" + ids));
  EXPECT_EQ(heed({"attend", "more.safetensors", "--mask", "t[q] == t[k]", "--table", "t=more.safetensors:ids"}).status, 0);
  const Ran ran = heed({"attend", "more.safetensors", "--mask", "t[q] == t[k]", "--table", "t=more.safetensors:scales"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("unknown dtype"), std::string::npos) << ran.err;
  const Ran missing = heed({"explain", "more.safetensors", "--q", "id"});
  EXPECT_NE(missing.err.find("one of ids, k, q, v, scales; found \"id\""), std::string::npos) << missing.err;
}

/// What numpy.save makes of an array of ml_dtypes.bfloat16.
TEST_F(FilesTest, OpaqueBytesAreBrainFloatsWhenTheUserSaysSo) {
  std::string bytes = text_of(at("q.npy"));
  bytes.replace(bytes.find("<f4"), 3, "<V2");
  bytes.replace(bytes.find("8)"), 2, "16");
  bytes.replace(bytes.find("16,"), 3, "16)");
  write("v2.npy", bytes);
  const Ran refused = heed({"explain", "--q", "v2.npy", "--k", "v2.npy", "--v", "v2.npy"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("--read-as bf16"), std::string::npos) << refused.err;
  const Ran ran = heed({"explain", "--q", "v2.npy", "--k", "v2.npy", "--v", "v2.npy", "--read-as", "bf16"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("bf16"), std::string::npos);
}

TEST_F(FilesTest, ALinkThatLeadsNowhereYetIsFollowed) {
  fs::create_directory(at("deep"));
  fs::create_symlink("deep/O.npy", at("link.npy"));
  EXPECT_EQ(heed({"attend", "f.safetensors", "--out", "link.npy"}).status, 0);
  EXPECT_TRUE(fs::is_symlink(at("link.npy")));
  EXPECT_TRUE(text_of(at("deep/O.npy")).starts_with("\x93NUMPY"));
  fs::remove(at("deep/O.npy"));
  EXPECT_NE(heed({"attend", "f.safetensors", "--out", "link.npy", "--lse", "deep/O.npy"}).err.find("cannot serve twice"),
            std::string::npos);
}

TEST_F(FilesTest, AFileSizeLimitIsAnErrorInWords) {
  write("O.npy", "old");
  const std::vector<std::string> before = files();
  const Ran ran = shell(R"(ulimit -f 1; "$HEED" attend --q q.npy --k k.npy --v v.npy --out O.npy --map m.png)");
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("File too large"), std::string::npos) << ran.err;
  EXPECT_EQ(files(), before);
}

/// The signal comes at several moments of a run, also while it writes. (What the handler does is tested in io/file_test.cpp.)
TEST_F(FilesTest, SignalsLeaveNothingHalfWritten) {
  io::write_npy(at("q.npy"), random_tensor({1, 8, 512, 64}, 1).view());
  const std::string command = "\"$HEED\" attend --q q.npy --k q.npy --v q.npy --threads 1 --out O.npy & ";
  write("O.npy", "old");
  const std::vector<std::string> before = files();
  for (const auto& [name, status] : {std::pair{"INT", 130}, {"TERM", 143}, {"HUP", 129}, {"KILL", 137}}) {
    for (const int wait : {0, 20, 40, 80}) {
      // A shell starts what runs in the background with SIGINT ignored; set -m does not.
      const Ran ran = shell("set -m; " + command + "p=$!; sleep 0." + (wait < 10 ? "00" : "0") + std::to_string(wait) + "; kill -" + name +
                            " $p 2>/dev/null; wait $p");
      EXPECT_TRUE(ran.status == status || ran.status == 0) << name << ": " << ran.status << ran.err;
      EXPECT_EQ(files(), before) << name;
      const std::string found = text_of(at("O.npy"));
      EXPECT_TRUE(found == "old" || found.size() == 128 + std::size_t{8} * 512 * 64 * 4) << name << ": " << found.size();
    }
  }
}

/// Ctrl-C while it computes, seconds before the end: a sentence, status 130, no file.
TEST_F(FilesTest, InterruptedWorkSaysSo) {
  if (HEED_TOOL_EMULATED) GTEST_SKIP() << "the emulator takes the signal";
  io::write_npy(at("q.npy"), random_tensor({1, 8, 16384, 64}, 1).view());
  std::vector<std::string> before = files();
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::signal(SIGINT, SIG_DFL);
    if (::chdir(at("").c_str()) == 0 && std::freopen("said", "w", stderr) != nullptr)
      ::execl(HEED_TOOL_PATH, HEED_TOOL_PATH, "attend", "--q", "q.npy", "--k", "q.npy", "--v", "q.npy", "--threads", "1", "--out", "O.npy",
              nullptr);
    ::_exit(127);
  }
  ::usleep(600'000);
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 130) << status;
  EXPECT_NE(text_of(at("said")).find("interrupted: nothing was written"), std::string::npos) << text_of(at("said"));
  fs::remove(at("said"));
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace heed::tool::test
