// What a file is, by its content alone; and the three formats behind one door.
#include "io/tensor_file.hpp"

#include <gtest/gtest.h>

#include "io/content.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "io/test_support.hpp"

namespace heed::io {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using test::expect_error;
using test::Folder;
using test::little;
using test::put;

std::string words(const std::string& bytes) {
  return content_of(*memory_source({bytes_of(bytes), bytes.size()}, "x")).words;
}

TEST(Content, SaysWhatAFileIs) {
  const std::pair<std::string, const char*> samples[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a git-lfs pointer: fetch the file itself"},
      {"<!DOCTYPE html>\n<html lang=\"en\">", "an HTML page"},
      {"\n  <HTML><head>", "an HTML page"},
      {"\xef\xbb\xbf<!doctype html>", "an HTML page"},
      {"<?xml version=\"1.0\"?>", "an XML or HTML text"},
      {"{\"error\":\"Repository not found\"}", "a JSON text"},
      {"Access to model x is restricted.\nYou must", "a text that begins \"Access to model x is restricted.\""},
      {" \n\n", "nothing but white space"},
      {"\x80\x04\x95\x1a\x00\x00\x00"s, "a Python pickle"},
      {"\x80\x02\x8a\x0al\xfc"s, "a Python pickle"},
      {"\x1f\x8b\x08\x00"s, "a gzip file"},
      {"\x28\xb5\x2f\xfd\x04", "a Zstandard file"},
      {"\x89PNG\r\n\x1a\n", "a PNG picture"},
      {"\xff\xd8\xff\xe0", "a JPEG picture"},
      {"GGUF\x03\x00\x00\x00"s, "a GGUF file"},
      {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
      {std::string(257, '\0') + "ustar  " + std::string(200, '\0'), "a tar archive"},
      {std::string(1000, '\0'), "zeros"},
      {"", "an empty file"},
      {"\x01\x02\x03"s, "other bytes: 01 02 03"},
      {"PK\x03\x04", "a zip archive"},
      {"\x93NUMPY\x01", "a .npy file"},
      {little(2, 8) + "{}", "a .safetensors file"},
      {"version {", "a text that begins"},
  };
  for (const auto& [bytes, expected] : samples) EXPECT_TRUE(words(bytes).starts_with(expected)) << expected << ": " << words(bytes);
}

TEST(OpenTensors, NamesDoNotCount) {
  const Folder folder;
  Tensor tensor(DType::kF32, {3});
  tensor.data<float>()[2] = 5;
  write_npy(folder.file("a.safetensors"), tensor.view());
  write_safetensors(folder.file("a.npy"), "t", tensor.view());
  const TensorFilePtr npy = open_tensors(folder.file("a.safetensors")), safetensors = open_tensors(folder.file("a.npy"));
  ASSERT_EQ(npy->entries().size(), 1U);
  EXPECT_EQ(npy->entries()[0].name, "");
  EXPECT_EQ(npy->entries()[0].bytes, 12U);
  EXPECT_EQ(npy->read(0).data<float>()[2], 5);
  ASSERT_EQ(safetensors->entries().size(), 1U);
  EXPECT_EQ(safetensors->entries()[0].name, "t");
  EXPECT_EQ(safetensors->read(0).data<float>()[2], 5);
}

TEST(OpenTensors, WhatItDoesNotReadIsRefusedByWhatItIs) {
  const Folder folder;
  const auto expect_refusal = [&](const std::string& bytes, std::initializer_list<std::string_view> pieces) {
    put(folder.file("model.safetensors"), bytes);
    expect_error([&] { (void)open_tensors(folder.file("model.safetensors")); }, {"model.safetensors: not a file of tensors"});
    expect_error([&] { (void)open_tensors(folder.file("model.safetensors")); }, pieces);
  };
  expect_refusal("version https://git-lfs.github.com/spec/v1\n", {"a .npy, .npz or .safetensors file", "found a git-lfs pointer: fetch"});
  const auto zip = [](const std::string& name) {
    const std::string facts = little(0, 6) + little(0, 12) + little(name.size(), 2) + little(0, 2);
    const std::string body = "PK\x03\x04" + little(20, 2) + little(0, 2) + facts + name;
    const std::string directory = "PK\x01\x02" + little(20, 2) + little(20, 2) + little(0, 2) + facts + little(0, 14) + name;
    return body + directory + "PK\x05\x06" + little(0, 4) + little(1, 2) + little(1, 2) + little(directory.size(), 4) +
           little(body.size(), 4) + little(0, 2);
  };
  expect_refusal(zip("archive/data.pkl"), {"a PyTorch checkpoint", "save its tensors as .safetensors"});
  expect_refusal(zip("readme.txt"), {"a zip archive without .npy members: readme.txt"});
  expect_refusal("PK\x05\x06" + std::string(18, '\0'), {"an empty zip archive"});
}

}  // namespace
}  // namespace heed::io
