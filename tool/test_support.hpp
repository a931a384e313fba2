// What the tests of the tool share: running the program, a folder that goes away again, small files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <heed/tensor.hpp>

#include "io/npy.hpp"

namespace heed::tool::test {

namespace fs = std::filesystem;

inline const std::string kExample = std::string(HEED_SOURCE_DIR) + "/examples/licence-smollm2-layer15.safetensors";

inline std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Ran {
  int status = -1;
  std::string out, err;
};

/// An argument as the shell passes it on unchanged.
inline std::string quoted(const std::string& argument) {
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

class ToolTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "heed-tool-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directory(folder_ / "work");
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A path in the folder in which the program runs.
  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / "work" / name).string(); }

  /// Runs a shell command in the folder; $HEED is the program.
  Ran shell(const std::string& command) const {
    const std::string out = (folder_ / "out").string(), err = (folder_ / "err").string();
    const std::string line =
        "cd " + quoted(at("")) + " && HEED=" + quoted(HEED_TOOL_PATH) + " && { " + command + " ; } >" + quoted(out) + " 2>" + quoted(err);
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(out), text_of(err)};
  }

  Ran heed(const std::vector<std::string>& arguments) const {
    std::string command = "\"$HEED\"";
    for (const std::string& argument : arguments) command += " " + quoted(argument);
    return shell(command);
  }

  /// The JSON of a run that must succeed.
  nlohmann::json json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const Ran ran = heed(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    return nlohmann::json::parse(ran.out, nullptr, false);
  }

  void write(const std::string& name, const std::string& bytes) const { std::ofstream(at(name), std::ios::binary) << bytes; }

  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "work")) names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

  fs::path folder_;
};

/// Normal random f32 from a seed.
inline Tensor random_tensor(const Dims& shape, unsigned seed) {
  Tensor tensor(DType::kF32, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] = normal(random);
  return tensor;
}

/// A .safetensors file: the header's text and the data.
inline std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes + header + data;
}

/// q, k, v of one shape in f32, with metadata.
inline std::string small_safetensors(const Dims& shape, const nlohmann::json& metadata, const std::string& dtype = "F32") {
  nlohmann::json header{{"__metadata__", metadata}};
  std::string data;
  unsigned seed = 1;
  for (const char* name : {"q", "k", "v"}) {
    const Tensor tensor = random_tensor(shape, seed++);
    nlohmann::json extents;
    for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.data<float>()), static_cast<std::size_t>(tensor.count()) * 4);
    header[name] = {{"dtype", dtype}, {"shape", extents}, {"data_offsets", {begin, data.size()}}};
  }
  return safetensors(header.dump(), data);
}

inline void expect_same(const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(to_text(found.shape()), to_text(expected.shape()));
  ASSERT_EQ(found.dtype(), expected.dtype());
  EXPECT_EQ(std::memcmp(found.data<char>(), expected.data<char>(), static_cast<std::size_t>(found.count() * size_of(found.dtype()))), 0);
}

}  // namespace heed::tool::test
