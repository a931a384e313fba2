// Bytes by range: files, pipes that are spooled, and every refusal with the system's reason.
#include "io/source.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::expect_error;
using test::Folder;
using test::put;

std::string whole(const Source& source) {
  return source.text(0, source.size(), "the file");
}

TEST(OpenSource, ReadsRanges) {
  const Folder folder;
  put(folder.file("a"), "0123456789");
  const SourcePtr source = open_source(folder.file("a"));
  EXPECT_EQ(source->size(), 10U);
  EXPECT_EQ(source->text(3, 4, "the middle"), "3456");
  EXPECT_EQ(source->number(1, 2, "two"), 0x3231U);
  EXPECT_EQ(source->text(10, 0, "nothing"), "");
  expect_error([&] { (void)source->text(8, 3, "the end"); },
               {"/a: truncated: the end is not all there", "expected 3 bytes from byte 8", "found 10 bytes in all"});
  expect_error([&] { (void)source->text(~std::uint64_t{0}, 2, "the end"); }, {"truncated"});
}

TEST(OpenSource, AFileThatIsCutShortMeanwhileIsAnError) {
  const Folder folder;
  put(folder.file("a"), "0123456789");
  const SourcePtr source = open_source(folder.file("a"));
  ASSERT_EQ(::truncate(folder.file("a").c_str(), 5), 0);
  expect_error([&] { (void)whole(*source); }, {"cut short while it was read", "expected 10 bytes", "byte 5"});
}

TEST(OpenSource, WhatIsNoFileIsAnError) {
  const Folder folder;
  expect_error([&] { (void)open_source(folder.file("none")); }, {"none", "cannot be opened", "No such file or directory"});
  expect_error([&] { (void)open_source(folder.file("")); }, {"expected a file", "found a folder"});
  expect_error([] { (void)open_source("/dev/zero"); }, {"/dev/zero", "found a device"});
}

TEST(OpenSource, AFileThatHidesItsSizeIsReadToItsEnd) {
  EXPECT_GT(open_source("/proc/self/status")->size(), 100U);
}

/// Small ones go to memory, large ones to a file without a name.
TEST(OpenSource, APipeIsReadToItsEnd) {
  const Folder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::size_t size : {0U, 1U, 65'536U, 100'000U, 33'554'432U, 33'554'433U, 80'000'000U}) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; i += 1000) text[i] = static_cast<char>(i / 1000 % 251);
    std::thread writer([&] { put(pipe, text); });
    const SourcePtr source = open_source(pipe);
    writer.join();
    EXPECT_TRUE(whole(*source) == text) << size;
  }
  EXPECT_EQ(folder.count(), 1);
}

TEST(MemorySource, HasTheSameErrors) {
  const std::string bytes = "abc";
  const SourcePtr source = memory_source({test::bytes_of(bytes), 3}, "x");
  EXPECT_EQ(source->text(1, 2, "it"), "bc");
  expect_error([&] { (void)source->text(1, 3, "it"); }, {"x: truncated: it is not all there"});
}

TEST(RangeStream, ReadsInOrder) {
  const std::string bytes = "abcdef";
  const SourcePtr source = memory_source({test::bytes_of(bytes), 6}, "x");
  RangeStream stream(source, 1, 4, "the range");
  std::string two(2, ' ');
  stream.read(std::as_writable_bytes(std::span(two)));
  EXPECT_EQ(two, "bc");
  EXPECT_EQ(stream.left(), 2U);
  stream.read(std::as_writable_bytes(std::span(two)));
  EXPECT_EQ(two, "de");
  expect_error([&] { RangeStream(source, 3, 4, "the range"); }, {"truncated: the range"});
}

}  // namespace
}  // namespace heed::io
