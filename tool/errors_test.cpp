// Bad input: each gives exit status 2, one `heed:` message on standard error, nothing on standard output and no file.
#include <map>

#include "test_support.hpp"

namespace heed::tool::test {
namespace {

class ErrorsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    write("f.safetensors", small_safetensors({1, 2, 6, 8}, nlohmann::json::object()));
    io::write_npy(at("q4.npy"), random_tensor({1, 4, 6, 8}, 1).view());
    io::write_npy(at("k3.npy"), random_tensor({1, 3, 6, 8}, 2).view());
    io::write_npy(at("k2.npy"), random_tensor({1, 2, 9, 8}, 3).view());
    io::write_npy(at("flat.npy"), random_tensor({6}, 4).view());
    io::write_npy(at("deep.npy"), random_tensor({1, 1, 1, 6, 8}, 4).view());
  }

  /// Fails with status 2 and a message that contains `said`; leaves no file behind.
  void expect_error(const std::vector<std::string>& arguments, const std::string& said) {
    std::string shown;
    for (const std::string& argument : arguments) shown += argument + " ";
    SCOPED_TRACE(shown);
    const std::vector<std::string> before = files();
    expect_message(heed(arguments), said);
    EXPECT_EQ(files(), before);
  }

  static void expect_message(const Ran& ran, const std::string& said) {
    EXPECT_EQ(ran.status, 2);
    EXPECT_EQ(ran.out, "");
    EXPECT_TRUE(ran.err.starts_with("heed: ")) << ran.err;
    EXPECT_EQ(ran.err.find("heed: ", 1), std::string::npos) << ran.err;
    EXPECT_TRUE(ran.err.ends_with("\n"));
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
  }
};

TEST_F(ErrorsTest, Files) {
  const std::string good = text_of(at("f.safetensors"));
  write("cut.safetensors", good.substr(0, good.size() - 10));
  write("magic.npz", "this is no archive");
  write("magic.npy", "this is no array");
  std::string huge = good;
  std::memcpy(huge.data(), "\0\0\0\0\0\0\0\x10", 8);  // 2^60
  write("huge.safetensors", huge);
  write("type.safetensors", small_safetensors({1, 2, 6, 8}, nlohmann::json::object(), "F8_E4M3"));
  write("empty.safetensors", "");
  expect_error({"attend", "none.safetensors", "--out", "O.npy"}, "none.safetensors");
  expect_error({"attend", "cut.safetensors", "--out", "O.npy"}, "cut.safetensors");
  expect_error({"attend", "magic.npz", "--out", "O.npy"}, "magic.npz");
  expect_error({"attend", "--q", "magic.npy", "--k", "k2.npy", "--v", "k2.npy", "--out", "O.npy"}, "magic.npy");
  expect_error({"attend", "huge.safetensors", "--out", "O.npy"}, "huge.safetensors");
  expect_error({"attend", "type.safetensors", "--out", "O.npy"}, "F8_E4M3");
  expect_error({"attend", "empty.safetensors"}, "empty.safetensors");
  expect_error({"attend", "f.bin"}, "f.bin: the file cannot be opened");
  write("f.bin", "version https://git-lfs.github.com/spec/v1\n");
  expect_error({"attend", "f.bin"}, "a git-lfs pointer: fetch the file itself");
  expect_error({"attend", "q4.npy"}, "--q Q.npy");
  expect_error({"attend", "f.safetensors", "--q", "query"}, "one of q, k, v");
  expect_error({"attend", "--q", "q4.npy", "--k", "k2.npy"}, "no --v");
}

TEST_F(ErrorsTest, Shapes) {
  expect_error({"attend", "--q", "q4.npy", "--k", "k2.npy", "--v", "k3.npy", "--out", "O.npy"}, "disagree");
  expect_error({"attend", "--q", "q4.npy", "--k", "k3.npy", "--v", "k3.npy", "--out", "O.npy"}, "Hq % Hkv == 0");
  expect_error({"attend", "--q", "flat.npy", "--k", "k3.npy", "--v", "k3.npy"}, "wrong rank");
  expect_error({"attend", "--q", "deep.npy", "--k", "k3.npy", "--v", "k3.npy"}, "wrong rank");
  expect_error({"attend", "f.safetensors", "--sink", "flat.npy"}, "sink");
  expect_error({"attend", "--q", "q4.npy", "--k", "k2.npy", "--v", "k2.npy", "--mask", "causal", "--out", "O.npy"}, "align");
  expect_error({"attend", "--q", "q4.npy", "--k", "k2.npy", "--v", "k2.npy", "--align", "1,2"}, "number of offsets");
}

TEST_F(ErrorsTest, Formulas) {
  expect_error({"attend", "f.safetensors", "--mask", "causal & cusal", "--out", "O.npy"}, "--mask, column 10: unknown name `cusal`");
  expect_error({"attend", "f.safetensors", "--mask", "k + 1", "--out", "O.npy"}, "must be boolean");
  expect_error({"attend", "f.safetensors", "--mask", "k <= q & 3"}, "must be boolean");
  expect_error({"attend", "f.safetensors", "--score", "k < q"}, "must be a number");
  expect_error({"attend", "f.safetensors", "--score", "s + t[h, k]", "--table", "t=flat.npy"}, "rank 1");
  expect_error({"attend", "f.safetensors", "--score", "s + t[k + 1]", "--table", "t=flat.npy", "--out", "O.npy"}, "out of range");
  expect_error({"attend", "f.safetensors", "--mask", "k < t[q]", "--table", "t=none.npy"}, "none.npy");
  expect_error({"attend", "f.safetensors", "--table", "flat.npy"}, "NAME=FILE");
  expect_error({"attend", "f.safetensors", "--table", "t=flat.npy", "--table", "t=flat.npy"}, "bound twice");
  expect_error({"attend", "f.safetensors", "--table", "t=f.safetensors"}, "several tensors");
  expect_error({"attend", "f.safetensors", "--align", "middle"}, "--align");
  expect_error({"draw", "--mask", "nope(3)", "--out", "m.png"}, "unknown name `nope`");
  expect_error({"draw", "--mask", "causal", "--tq", "3", "--tk", "5", "--out", "m.png"}, "align");
}

TEST_F(ErrorsTest, Metadata) {
  write("mask.safetensors", small_safetensors({1, 2, 6, 8}, {{"mask", "casual"}}));
  write("scale.safetensors", small_safetensors({1, 2, 6, 8}, {{"scale", "1/8"}}));
  write("layout.safetensors", small_safetensors({1, 2, 6, 8}, {{"layout", "B S N D"}}));
  write("align.safetensors", small_safetensors({1, 2, 6, 8}, {{"align", "middle"}}));
  expect_error({"attend", "layout.safetensors", "--out", "O.npy"}, "metadata key `layout` of layout.safetensors");
  expect_error({"attend", "layout.safetensors"}, "B H T D in any order");
  expect_error({"attend", "align.safetensors", "--out", "O.npy"}, "metadata key `align` of align.safetensors");
  expect_error({"attend", "f.safetensors", "--layout", "bhhd"}, "--layout");
  expect_error({"attend", "mask.safetensors"}, "metadata key `mask` of mask.safetensors");
  expect_error({"attend", "scale.safetensors"}, "metadata key `scale` of scale.safetensors");
}

TEST_F(ErrorsTest, Options) {
  expect_error({"attend", "f.safetensors", "--scale", "nan", "--out", "O.npy"}, "scale is not finite");
  expect_error({"attend", "f.safetensors", "--scale", "wide"}, "--scale");
  expect_error({"attend", "f.safetensors", "--kernel", "warp", "--out", "O.npy"}, "unknown kernel");
  expect_error({"attend", "f.safetensors", "--kernel", "classic", "--strict"}, "strict");
  expect_error({"attend", "f.safetensors", "--tread", "1"}, "did you mean --threads?");
  expect_error({"attend", "f.safetensors", "--threads", "-1"}, "--threads");
  expect_error({"attend", "f.safetensors", "--rows", "6", "--out", "O.npy"}, "--rows");
  expect_error({"attend", "f.safetensors", "--rows", "1,"}, "--rows");
  expect_error({"atend", "f.safetensors"}, "did you mean attend?");
  expect_error({"draw"}, "--mask is required");
  expect_error({"bench"}, "--t");
  expect_error({"bench", "--t", "8", "--dtype", "f8"}, "f8");
  expect_error({"bench", "--t", "8", "--heads", "3", "--kv-heads", "2"}, "Hq % Hkv == 0");
  expect_error({"bench", "--limits", "--dtype", "f32"}, "--t");
  expect_error({"bench", "--limits", "--t", "0"}, "--t");
  expect_error({"bench", "--limits=most"}, "--limits");
  expect_error({"bench", "--limits", "--threads", "-1"}, "--threads");
  expect_error({"list", "--out", "C.md"}, "--markdown");
  expect_error({"attend", "f.safetensors", "--threads", "1025"}, "1024");
  expect_error({"grad", "--help"}, "unknown verb grad");
  expect_error({"catalogue"}, "did you mean list?");
  expect_error({"attend", "f.safetensors", "--output", "O.npy"}, "did you mean --out?");
}

TEST_F(ErrorsTest, EmptyValues) {
  for (const char* option : {"--sink", "--out", "--scale", "--lse", "--map", "--received", "--mask", "--score", "--align", "--rows",
                             "--kernel", "--layout", "--table", "--q"})
    expect_error({"attend", "f.safetensors", option, ""}, option);
  expect_error({"attend", ""}, "FILE");
  expect_error({"bench", "--t", ""}, "--t");
}

TEST_F(ErrorsTest, AnErrorPointsIntoTheTextThatWasTyped) {
  expect_error({"attend", "f.safetensors", "--score", "k<q"}, "  k<q\n   ^\n");
  expect_error({"attend", "f.safetensors", "--mask", "k+q"}, "  k+q\n   ^\n");
  expect_error({"attend", "f.safetensors", "--mask", "s>0.5"}, "  s>0.5\n  ^\n");
  expect_error({"attend", "f.safetensors", "--score", "s * 1e-400"}, "too small");
  expect_error({"attend", "f.safetensors", "--score", "s * 0.0001e-390"}, "too small");
  expect_error({"attend", "f.safetensors", "--score", "s * 1e400"}, "too large");
  expect_error({"attend", "f.safetensors", "--score", "s * 1000.0e306"}, "too large");
}

TEST_F(ErrorsTest, TokensAreShownWithoutControlOfTheTerminal) {
  write("t.safetensors",
        small_safetensors({1, 1, 3, 8}, {{"tokens", "[\"\\u001b[31mred\", \"a\\u009bb\\u202ec\\u200bd\", \"\u00fcber\"]"}}));
  const Ran ran = heed({"attend", "t.safetensors", "--top", "3"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("\\x1b[31mred"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("a\\u{9b}b\\u{202e}c\\u{200b}d"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\u00fcber"), std::string::npos) << ran.out;
}

TEST_F(ErrorsTest, Outputs) {
  fs::create_directory(at("folder"));
  expect_error({"attend", "f.safetensors", "--out", "none/O.npy"}, "no folder none");
  expect_error({"attend", "f.safetensors", "--out", "folder"}, "a folder");
  expect_error({"attend", "f.safetensors", "--out", "O.npy", "--lse", "./O.npy"}, "twice");
  expect_error({"attend", "f.safetensors", "--out", "f.safetensors"}, "an input");
  expect_error({"attend", "f.safetensors", "--out", "/dev/full", "--lse", "L.npy"}, "No space left");
  expect_error({"attend", "f.safetensors", "--out", "/dev/full", "--lse", "L.npy", "--json"}, "No space left");
  expect_error({"draw", "--mask", "causal", "--out", "none/m.png"}, "no folder none");
  expect_error({"example", "--out", "none/m.png"}, "no folder none");
  expect_message(shell("\"$HEED\" list > /dev/full"), "standard output");
}

TEST_F(ErrorsTest, MemoryThatIsNotThere) {
  expect_error({"bench", "--t", "1000000000", "--heads", "64", "--kernel", "simd"}, "not enough memory");
  expect_message(shell("ulimit -v 400000; \"$HEED\" bench --t 200000 --heads 16"), "not enough memory for ");
}

TEST_F(ErrorsTest, AReaderThatLeavesIsNoError) {
  const Ran ran = shell("{ \"$HEED\" list; echo $? > status; } | head -n 1");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(text_of(at("status")), "0\n");
}

}  // namespace
}  // namespace heed::tool::test
