// What the tool makes of words and numbers: names of tensors, near misses of verbs and options, numbers of every form, help in groups.
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

class WordsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    write("f.safetensors", small_safetensors({1, 2, 6, 8}, nlohmann::json::object()));
  }

  void expect_error(const std::vector<std::string>& arguments, const std::string& said) const {
    const Ran ran = heed(arguments);
    EXPECT_EQ(ran.status, 2) << ran.out;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err << "does not say: " << said;
  }

  /// f.safetensors with q, k and v under other names.
  void write_named(const std::string& file, const std::vector<std::string>& names) const {
    const std::string bytes = text_of(at("f.safetensors"));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length)), renamed;
    for (std::size_t n = 0; n < 3; ++n) renamed[names[n]] = header[std::string(1, "qkv"[n])];
    write(file, safetensors(renamed.dump(), bytes.substr(8 + length)));
  }
};

TEST_F(WordsTest, UsualNamesOfTensorsAreTriedAndSaid) {
  ASSERT_EQ(heed({"attend", "f.safetensors", "--out", "expected.npy"}).status, 0);
  for (const std::vector<std::string>& names : {std::vector<std::string>{"Q", "K", "V"},
                                                {"query", "key", "value"},
                                                {"queries", "keys", "values"},
                                                {"q_proj", "k_proj", "v_proj"}}) {
    write_named("g.safetensors", names);
    const Ran ran = heed({"attend", "g.safetensors", "--out", "O.npy"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(text_of(at("O.npy")), text_of(at("expected.npy")));
    const std::string note = "note: q is `" + names[0] + "`, k is `" + names[1] + "`, v is `" + names[2] + "` of the file";
    EXPECT_NE(ran.out.find(note), std::string::npos) << ran.out;
    EXPECT_NE(heed({"explain", "g.safetensors", "--q", names[0]}).out.find("note: k is `" + names[1]), std::string::npos);
  }
  write_named("g.safetensors", {"Q", "key", "V"});
  expect_error({"attend", "g.safetensors"}, "no tensor of this name");
  EXPECT_EQ(heed({"attend", "f.safetensors"}).out.find("note: q is"), std::string::npos);
}

TEST_F(WordsTest, NumbersAreDecimalAndWithinTheirRange) {
  expect_error({"attend", "f.safetensors", "--scale", "0x10"}, "--scale: no number; expected a decimal number; found \"0x10\"");
  expect_error({"attend", "f.safetensors", "--scale", "1e-400"}, "the number is too small");
  expect_error({"attend", "f.safetensors", "--scale", "-1e400"}, "the number is too large");
  expect_error({"attend", "f.safetensors", "--scale", "1,5"}, "a decimal number");
  expect_error({"attend", "f.safetensors", "--scale", " 1"}, "a decimal number");
  expect_error({"attend", "f.safetensors", "--threads", "3.5"}, "expected a whole number from 0 to 1024; found \"3.5\"");
  expect_error({"attend", "f.safetensors", "--threads", "99999999999999999999"}, "the number is out of range");
  expect_error({"example", "--threads", "1025"}, "0 to 1024");
  expect_error({"attend", "f.safetensors", "--rows", "1,99999999999999999999"}, "--rows");
  expect_error({"draw", "--mask", "causal", "--tq", "1e3"}, "a whole number from 1 to");
  expect_error({"bench", "--t", "64,0x80"}, "no list of whole numbers");
  expect_error({"check", "f.safetensors", "--rows", "0"}, "a whole number from 1 to 1000000000");
  expect_error({"attend", "f.safetensors", "--scale", "1e39"}, "found 1e+39");
  for (const char* scale : {"0x10", "1e-400", "", "1/8", "0.5 "}) {
    write("s.safetensors", small_safetensors({1, 2, 6, 8}, {{"scale", scale}}));
    expect_error({"attend", "s.safetensors"}, "metadata key `scale` of s.safetensors");
  }
  EXPECT_EQ(heed({"attend", "f.safetensors", "--scale", "-2.5E-1", "--threads", "1"}).status, 0);
  EXPECT_EQ(heed({"attend", "f.safetensors", "--scale=-.5"}).status, 0);
}

TEST_F(WordsTest, NearMissesAreSuggested) {
  const std::pair<const char*, const char*> verbs[] = {{"visualise", "draw"}, {"visualize", "draw"},  {"analyse", "attend"},
                                                       {"catalog", "list"},   {"catalogue", "list"},  {"benchmark", "bench"},
                                                       {"atend", "attend"},   {"explian", "explain"}, {"Attend", "attend"}};
  for (const auto& [typed, meant] : verbs) expect_error({typed}, std::string("did you mean ") + meant + "?");
  const std::pair<const char*, const char*> options[] = {
      {"--summarise", "--stats"}, {"--summarize", "--stats"},     {"--attention-mask", "--mask"}, {"--softmax-scale", "--scale"},
      {"--probs", "--weights"},   {"--parallelise", "--threads"}, {"--kernal", "--kernel"},       {"--logsumexp", "--lse"},
      {"--query", "--q"},         {"--max", "--maximum"},         {"--top-key", "--top-keys"},    {"--heatmap", "--map"}};
  for (const auto& [typed, meant] : options)
    expect_error({"attend", "f.safetensors", typed, "x"}, std::string("did you mean ") + meant + "?");
  expect_error({"bench", "--seqlen", "64"}, "did you mean --t?");
  EXPECT_EQ(heed({"attend", "f.safetensors", "--zzzzzz"}).err.find("did you mean"), std::string::npos);
}

TEST_F(WordsTest, AFileOfAnotherKindIsNamed) {
  write("notes.txt", "queries, keys and values\n");
  write("sheet.png", "\x89PNG\r\n\x1a\n");
  for (const char* verb : {"attend", "explain", "check"}) {
    expect_error({verb, "notes.txt"}, "text");
    expect_error({verb, "sheet.png"}, "a PNG picture");
  }
  expect_error({"example", "--file", "notes.txt"}, "text");
  expect_error({"f.safetensors"}, "it is a file: did you mean heed attend f.safetensors?");
  expect_error({"attend", "f.safetensors", "--sink", "notes.txt"}, "text");
  expect_error({"draw", "--mask", "k < t[q]", "--table", "t=notes.txt"}, "text");
}

TEST_F(WordsTest, HelpStandsInGroups) {
  const std::string help = heed({"attend", "--help"}).out;
  std::size_t at = 0;
  for (const char* group : {"\nInputs:\n", "\nFormula:\n", "\nRun:\n", "\nOutputs:\n"}) {
    const std::size_t found = help.find(group);
    ASSERT_NE(found, std::string::npos) << group << help;
    EXPECT_GT(found, at) << group;
    at = found;
  }
  EXPECT_LT(help.find("--mask"), help.find("\nRun:\n"));
  EXPECT_GT(help.find("--top-keys"), help.find("\nOutputs:\n"));
  EXPECT_NE(heed({"bench", "--help"}).out.find("\nSizes:\n"), std::string::npos);
}

TEST_F(WordsTest, TokensInPicturesAreEscaped) {
  const auto picture = [&](const std::vector<std::string>& tokens) {
    write("t.safetensors", small_safetensors({1, 1, 3, 8}, {{"tokens", nlohmann::json(tokens).dump()}}));
    EXPECT_EQ(heed({"attend", "t.safetensors", "--map", "m.png"}).status, 0);
    return text_of(at("m.png"));
  };
  const std::string usual = picture({"first", "a\\u{202e}bcd", "x\\x1b[31mred"});
  EXPECT_EQ(picture({"first", "a\u202ebcd", "x\x1b[31mred"}), usual);
  EXPECT_NE(picture({"first", "abcd", "x[31mred"}), usual);
  // A word is cut between characters: what would be half an escape is left out.
  EXPECT_EQ(picture({"first", "abcdefghij\u202e", "second"}), picture({"first", "abcdefghij", "second"}));
}

}  // namespace
}  // namespace heed::tool::test
