// Files out: every refusal with the system's reason, and nothing half-written left behind.
#include "io/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "io/temporary.hpp"
#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::content_of;
using test::expect_error;
using test::Folder;
using test::put;

void write_text(const std::string& path, std::string_view text) {
  write_file(path, [&](const Sink& sink) { sink(text.data(), text.size()); });
}

TEST(WriteFile, ReplacesTheOldFileAndKeepsItsMode) {
  const Folder folder;
  const std::string path = folder.file("a");
  put(path, "old");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  write_text(path, "new");
  EXPECT_EQ(content_of(path), "new");
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0640U);
  EXPECT_EQ(folder.count(), 1);
}

TEST(WriteFile, TheOldFileStandsUntilTheNewOneIsComplete) {
  const Folder folder;
  put(folder.file("a"), "old");
  write_file(folder.file("a"), [&](const Sink& sink) {
    sink("new", 3);
    EXPECT_EQ(content_of(folder.file("a")), "old");
  });
  EXPECT_EQ(content_of(folder.file("a")), "new");
}

TEST(WriteFile, ASymbolicLinkStaysALink) {
  const Folder folder;
  put(folder.file("a"), "old");
  ASSERT_EQ(::symlink("a", folder.file("link").c_str()), 0);
  write_text(folder.file("link"), "new");
  EXPECT_EQ(content_of(folder.file("a")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
}

TEST(WriteFile, ALinkThatLeadsNowhereYetIsFollowed) {
  const Folder folder;
  std::filesystem::create_directory(folder.file("deep"));
  ASSERT_EQ(::symlink("deep/second", folder.file("link").c_str()), 0);
  ASSERT_EQ(::symlink("a", folder.file("deep/second").c_str()), 0);
  write_text(folder.file("link"), "new");
  EXPECT_EQ(content_of(folder.file("deep/a")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("deep/second")));
  ASSERT_EQ(::symlink("circle", folder.file("circle").c_str()), 0);
  expect_error([&] { write_text(folder.file("circle"), "new"); }, {"circle", "symbolic links"});
  ASSERT_EQ(::symlink("none/a", folder.file("lost").c_str()), 0);
  expect_error([&] { write_text(folder.file("lost"), "new"); }, {"lost", "No such file"});
}

TEST(WriteFile, ANewFileFollowsTheUmask) {
  const Folder folder;
  const mode_t before = ::umask(027);
  write_text(folder.file("a"), "new");
  (void)::umask(before);
  struct stat facts {};
  ASSERT_EQ(::stat(folder.file("a").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0640U);
}

TEST(WriteFile, OrphansGoAndFilesOfOthersStay) {
  const Folder folder;
  put(folder.file(".heed-99999999-0.tmp"), "orphan");
  put(folder.file(".heed-7-1.tmp"), "being written");
  const std::string others[] = {".heed-7.tmp", ".heed-a-1.tmp", ".heed-1-2-3.tmp", "heed-7-1.tmp", ".heed-7-1.tmp2"};
  for (const std::string& name : others) put(folder.file(name), "mine");
  const int writer = ::open(folder.file(".heed-7-1.tmp").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(writer, LOCK_EX), 0);
  write_text(folder.file("a"), "new");
  EXPECT_FALSE(std::filesystem::exists(folder.file(".heed-99999999-0.tmp")));
  EXPECT_TRUE(std::filesystem::exists(folder.file(".heed-7-1.tmp")));
  for (const std::string& name : others) EXPECT_EQ(content_of(folder.file(name)), "mine");
  ::close(writer);
}

TEST(WriteFile, ARelativeNameNeedsNoFolder) {
  const Folder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.file(""));
  write_text("plain", "text");
  std::filesystem::current_path(before);
  EXPECT_EQ(content_of(folder.file("plain")), "text");
}

TEST(WriteFile, AMissingFolderIsAnError) {
  const Folder folder;
  expect_error([&] { write_text(folder.file("none/a"), "x"); },
               {"none/a", "expected an existing, writable folder", "found No such file or directory"});
}

/// Whether a process without root's rights is refused with "Permission denied".
bool refused_without_rights(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    try {
      write_text(path, "new");
    } catch (const Error& error) {
      ::_exit(error.parts().found == "Permission denied" && error.parts().where == path ? 1 : 3);
    }
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

TEST(WriteFile, AReadOnlyFolderOrFileIsAnError) {
  const Folder folder;
  const std::string path = folder.file("a");
  put(path, "old");
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0777), 0);
  EXPECT_TRUE(refused_without_rights(path));
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0555), 0);
  EXPECT_TRUE(refused_without_rights(folder.file("b")));
  EXPECT_EQ(content_of(path), "old");
  EXPECT_EQ(folder.count(), 1);
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0777), 0);
}

TEST(WriteFile, AFolderIsNoTarget) {
  const Folder folder;
  expect_error([&] { write_text(folder.file(""), "x"); }, {"expected the name of a file", "found a folder"});
}

TEST(WriteFile, APipeIsWrittenInPlace) {
  EXPECT_TRUE(test::pipes_are_written_in_place());
}

TEST(WriteFile, AFullDeviceIsAnError) {
  test::expect_no_space([](const std::string& path) { write_text(path, "x"); });
}

TEST(WriteFile, AFailedWriteLeavesTheOldFileAndNoTemporary) {
  const Folder folder;
  put(folder.file("a"), "old");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error = test::error_of([&] { write_text(folder.file("a"), std::string(5000, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.parts().found, "File too large");
  EXPECT_EQ(content_of(folder.file("a")), "old");
  EXPECT_EQ(folder.count(), 1);
}

/// A process with a named temporary file gets a signal: the name goes, and the process ends as ever.
TEST(CleanUpOnSignals, RemovesNamesAndEndsTheProcess) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const Folder folder;
    const pid_t child = ::fork();
    if (child == 0) {
      (void)std::signal(signal, SIG_DFL);
      clean_up_on_signals();
      TemporaryName name;
      put(name.next(folder.file("")), "half");
      put(folder.file("other"), "whole");
      (void)::raise(signal);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    EXPECT_EQ(content_of(folder.file("other")), "whole");
    EXPECT_EQ(folder.count(), 1);
  }
}

/// nohup and shells that start something in the background count on it.
TEST(CleanUpOnSignals, LeavesIgnoredSignalsIgnored) {
  const pid_t child = ::fork();
  if (child == 0) {
    (void)std::signal(SIGHUP, SIG_IGN);
    clean_up_on_signals();
    (void)::raise(SIGHUP);
    ::_exit(7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(WriteFile, AWriterThatThrowsLeavesNothing) {
  const Folder folder;
  const auto fail = [](const Sink& sink) {
    sink("half", 4);
    throw std::runtime_error("stop");
  };
  EXPECT_THROW(write_file(folder.file("a"), fail), std::runtime_error);
  EXPECT_EQ(folder.count(), 0);
}

}  // namespace
}  // namespace heed::io
