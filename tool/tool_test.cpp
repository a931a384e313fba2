// The program itself: every verb on the example and on small files, its numbers against the library's, its JSON against docs/json.md.
#include <set>

#include <heed/heed.hpp>

#include "test_support.hpp"

namespace heed::tool::test {
namespace {

constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";

/// Three .npy files and what the library makes of them.
class AttendTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    io::write_npy(at("q.npy"), q_.view());
    io::write_npy(at("k.npy"), k_.view());
    io::write_npy(at("v.npy"), v_.view());
  }

  Ran attend(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"attend", "--q", "q.npy", "--k", "k.npy", "--v", "v.npy", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return heed(arguments);
  }

  [[nodiscard]] Problem problem() const {
    Problem problem = problem_of(q_.view(), k_.view(), v_.view());
    problem.threads = 1;
    return problem;
  }

  /// O and L of the library.
  std::pair<Tensor, Tensor> library(const Problem& problem) const {
    Tensor o(DType::kF32, {2, 4, 70, 16}), lse(DType::kF32, {2, 4, 70});
    Plan(problem).run({q_.view(), k_.view(), v_.view()}, {.o = o.span(), .lse = lse.span()});
    return {o, lse};
  }

  Tensor q_ = random_tensor({2, 4, 70, 16}, 1), k_ = random_tensor({2, 2, 70, 16}, 2), v_ = random_tensor({2, 2, 70, 16}, 3);
};

TEST_F(AttendTest, OutputsAreTheLibrarys) {
  Problem p = problem();
  p.mask = parse("causal & (q - k < 9 | k < 4)");
  p.scores = {parse("softcap(3.0)"), parse("s + 0.5 * h")};
  p.scale = 0.3;
  const Ran ran = attend({"--mask", "causal & (q - k < 9 | k < 4)", "--score", "softcap(3.0)", "--score", "s + 0.5 * h", "--scale", "0.3",
                          "--out", "O.npy", "--lse", "L.npy", "--received", "R.npy", "--map", "M.png"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto [o, lse] = library(p);
  expect_same(io::read_npy(at("O.npy")), o);
  expect_same(io::read_npy(at("L.npy")), lse);
  Tensor received(DType::kF32, {2, 4, 70});
  census(Plan(p), q_.view(), k_.view(), lse.view(), {.received = received.span()});
  expect_same(io::read_npy(at("R.npy")), received);
  EXPECT_TRUE(text_of(at("M.png")).starts_with(kPngMagic));
  EXPECT_NE(ran.out.find("wrote O.npy"), std::string::npos);
}

TEST_F(AttendTest, ReadsTablesAndSinks) {
  Tensor sink = random_tensor({4}, 9), slope = random_tensor({4}, 8);
  io::write_npy(at("sink.npy"), sink.view());
  io::write_npy(at("slope.npy"), slope.view());
  Problem p = problem();
  p.tables["slope"] = slope.view();
  p.scores = {parse("alibi(slope)", p.tables)};
  p.sink = sink.view();
  const Ran ran = attend({"--score", "alibi(slope)", "--table", "slope=slope.npy", "--sink", "sink.npy", "--out", "O.npy"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_same(io::read_npy(at("O.npy")), library(p).first);
}

TEST_F(AttendTest, ReadsTheOtherLayoutAndNoBatchAxis) {
  Tensor q(DType::kF32, {70, 4, 16}), k(DType::kF32, {70, 2, 16});
  for (std::int64_t h = 0; h < 4; ++h) {
    for (std::int64_t t = 0; t < 70; ++t) {
      std::copy_n(q_.data<float>() + (h * 70 + t) * 16, 16, q.data<float>() + (t * 4 + h) * 16);
      if (h < 2) std::copy_n(k_.data<float>() + (h * 70 + t) * 16, 16, k.data<float>() + (t * 2 + h) * 16);
    }
  }
  io::write_npy(at("q1.npy"), q.view());
  io::write_npy(at("k1.npy"), k.view());
  const Ran ran =
      heed({"attend", "--q", "q1.npy", "--k", "k1.npy", "--v", "k1.npy", "--layout", "bthd", "--out", "O.npy", "--threads", "1"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Dims one{1, 4, 70, 16}, few{1, 2, 70, 16};
  const TensorView q4 = view(q_.data<float>(), one), k4 = view(k_.data<float>(), few);
  expect_same(io::read_npy(at("O.npy")), heed::attend({.q = q4, .k = k4, .v = k4, .threads = 1}));
}

TEST_F(AttendTest, TopIsTheLargestWeights) {
  const Ran ran = attend({"--mask", "causal", "--top", "3", "--rows", "0,40", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem p = problem();
  p.mask = causal();
  const Plan plan(p);
  Tensor lse(DType::kF32, {2, 4, 70}), keys(DType::kI64, {2, 4, 2, 3}), weights(DType::kF32, {2, 4, 2, 3});
  plan.run({q_.view(), k_.view(), v_.view()}, {.lse = lse.span()});
  census(plan, q_.view(), k_.view(), lse.view(), {.rows = {0, 40}, .top_keys = keys.span(), .top_weights = weights.span()});
  const auto top = nlohmann::json::parse(ran.out).at("top");
  ASSERT_EQ(top.size(), 16u);
  for (const auto& entry : top) {
    const std::int64_t row = entry.at("row") == 0 ? 0 : 1,
                       base = ((entry.at("batch").get<std::int64_t>() * 4 + entry.at("head").get<std::int64_t>()) * 2 + row) * 3;
    ASSERT_EQ(entry.at("keys").size(), row == 0 ? 1u : 3u);
    for (std::size_t n = 0; n < entry.at("keys").size(); ++n) {
      EXPECT_EQ(entry.at("keys")[n].at("key"), keys.data<std::int64_t>()[base + static_cast<std::int64_t>(n)]);
      EXPECT_EQ(entry.at("keys")[n].at("weight").get<float>(), weights.data<float>()[base + static_cast<std::int64_t>(n)]);
    }
  }
}

TEST_F(AttendTest, AMinusMayBeginAFormula) {
  EXPECT_EQ(attend({"--mask", "-k + 3 >= -q"}).status, 0);
  EXPECT_EQ(attend({"--score", "-s"}).status, 0);
}

TEST_F(ToolTest, MetadataIsTheDefaultAndSaysSo) {
  write("f.safetensors",
        small_safetensors({1, 2, 6, 8}, {{"mask", "causal"}, {"scale", "0.25"}, {"tokens", R"(["the","cat","sat","on","a","mat"])"}}));
  const Ran ran = heed({"attend", "f.safetensors", "--rows", "5", "--top", "2"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("mask k <= q"), std::string::npos);
  EXPECT_NE(ran.out.find("mask `causal` is the file's own"), std::string::npos);
  EXPECT_NE(ran.out.find("query 5 \"mat\" looks at"), std::string::npos);
  const auto explained = json({"explain", "f.safetensors"});
  EXPECT_EQ(explained.at("notes").size(), 2u);
  EXPECT_EQ(json({"explain", "f.safetensors", "--mask", "full", "--scale", "1"}).at("notes").size(), 0u);
}

TEST_F(ToolTest, TheLayoutOfAFileIsObeyed) {
  write("own.safetensors", small_safetensors({1, 6, 2, 8}, {{"layout", "B T H D"}}));
  write("plain.safetensors", small_safetensors({1, 6, 2, 8}, nlohmann::json::object()));
  ASSERT_EQ(heed({"attend", "plain.safetensors", "--layout", "bthd", "--out", "told.npy"}).status, 0);
  const auto own = json({"attend", "own.safetensors", "--out", "own.npy"});
  EXPECT_EQ(own.at("problem").at("heads"), 2);
  EXPECT_EQ(own.at("problem").at("queries"), 6);
  EXPECT_EQ(text_of(at("own.npy")), text_of(at("told.npy")));
  ASSERT_EQ(own.at("notes").size(), 1u);
  EXPECT_EQ(own.at("notes")[0], "layout `B T H D` is the own one of own.safetensors (metadata); --layout overrides");
  const auto over = json({"explain", "own.safetensors", "--layout", "bhtd"});
  EXPECT_EQ(over.at("problem").at("heads"), 6);
  EXPECT_EQ(over.at("notes").size(), 0u);
  const auto one_by_one = json({"explain", "--q", "own.safetensors:q", "--k", "own.safetensors:k", "--v", "own.safetensors:v"});
  EXPECT_EQ(one_by_one.at("problem").at("heads"), 2);
  EXPECT_EQ(one_by_one.at("notes").size(), 1u);
}

TEST_F(ToolTest, AnyOrderOfAxesIsALayout) {
  const auto heads_of = [&](const Dims& shape, const std::string& layout) {
    write("f.safetensors", small_safetensors(shape, {{"layout", layout}}));
    const auto problem = json({"explain", "f.safetensors"}).at("problem");
    return std::array<std::int64_t, 4>{problem.at("batch"), problem.at("heads"), problem.at("queries"), problem.at("dim")};
  };
  const std::array<std::int64_t, 4> four{3, 2, 6, 8}, three{1, 2, 6, 8};
  EXPECT_EQ(heads_of({3, 2, 6, 8}, "B H T D"), four);
  EXPECT_EQ(heads_of({3, 6, 2, 8}, "[B, T, H, D]"), four);
  EXPECT_EQ(heads_of({6, 3, 2, 8}, "tbhd"), four);
  EXPECT_EQ(heads_of({2, 8, 6, 3}, "HDTB"), four);
  EXPECT_EQ(heads_of({6, 2, 8}, "T H D"), three);
  EXPECT_EQ(heads_of({6, 2, 8}, "B T H D"), three);
  EXPECT_EQ(heads_of({2, 6, 8}, "H T D"), three);
}

TEST_F(ToolTest, TheAlignmentOfAFileIsObeyed) {
  write("f.safetensors", small_safetensors({1, 2, 6, 8}, {{"align", "3"}, {"mask", "causal"}}));
  ASSERT_EQ(heed({"attend", "f.safetensors", "--out", "own.npy"}).status, 0);
  ASSERT_EQ(heed({"attend", "f.safetensors", "--align", "3", "--out", "told.npy"}).status, 0);
  ASSERT_EQ(heed({"attend", "f.safetensors", "--align", "start", "--out", "start.npy"}).status, 0);
  EXPECT_EQ(text_of(at("own.npy")), text_of(at("told.npy")));
  EXPECT_NE(text_of(at("own.npy")), text_of(at("start.npy")));
  EXPECT_EQ(json({"explain", "f.safetensors"}).at("notes")[1], "align 3 is the file's own (metadata); --align overrides");
}

TEST_F(ToolTest, TokensThatAreNotOnePerKeyAreSaid) {
  for (const auto& [tokens, found] : {std::pair{R"(["a","b"])", "an array of 2"},
                                      {R"(["a","b","c",4,"e","f","g"])", "not all strings"},
                                      {R"({"a": 1})", "no array"},
                                      {"a b c d e f", "no JSON"}}) {
    write("f.safetensors", small_safetensors({1, 2, 6, 8}, {{"tokens", tokens}}));
    const std::string note =
        std::string("the file's metadata key `tokens` is ") + found + ", not an array of 6 strings, one per key; numbers are shown";
    for (const char* verb : {"attend", "explain", "check"}) EXPECT_EQ(json({verb, "f.safetensors"}).at("notes"), nlohmann::json{note});
    EXPECT_NE(heed({"attend", "f.safetensors"}).out.find("note: " + note), std::string::npos);
  }
}

TEST_F(ToolTest, MetadataOfTensorsGivenOneByOneIsSaidToBeUnused) {
  write("f.safetensors", small_safetensors({1, 2, 6, 8}, {{"mask", "causal"}, {"scale", "0.5"}}));
  const auto found = json({"explain", "--q", "f.safetensors:q", "--k", "f.safetensors:k", "--v", "f.safetensors:v"});
  EXPECT_EQ(found.at("problem").at("mask"), "full");
  EXPECT_EQ(found.at("notes"), nlohmann::json{"metadata of f.safetensors is not used, since tensors are given one by one: mask, scale"});
}

TEST_F(ToolTest, TheExampleFindsTheSinks) {
  const auto found = json({"example", "--out", "sheet.png"});
  ASSERT_EQ(found.at("heads").size(), 9u);
  for (const auto& head : found.at("heads")) {
    EXPECT_EQ(head.at("top_key"), 0);
    EXPECT_GT(head.at("top_key_share"), 0.25);
    EXPECT_LT(head.at("top_key_share"), 0.70);
  }
  ASSERT_EQ(found.at("words").size(), 3u);
  EXPECT_EQ(found.at("words")[0].at("token"), " License");
  EXPECT_LT(found.at("plan").at("scratch_bytes"), found.at("plan").at("square_bytes"));
  EXPECT_TRUE(text_of(at("sheet.png")).starts_with(kPngMagic));
  const Ran text = heed({"attend"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("What each head does"), std::string::npos);
}

/// Installed, the layer is found from the program's own place, through a link to it too; pictures go where it runs.
TEST_F(ToolTest, TheExampleRunsFromAnInstalledCopy) {
  const fs::path prefix = folder_ / "prefix", layer = prefix / "share/heed" / fs::path(kExample).filename();
  fs::create_directories(prefix / "bin");
  fs::create_directories(layer.parent_path());
  fs::copy_file(HEED_TOOL_PATH, prefix / "bin/heed");
  fs::copy_file(kExample, layer);
  fs::create_symlink(prefix / "bin/heed", folder_ / "link");
  const Ran ran = shell(quoted((folder_ / "link").string()));
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(files(), std::vector<std::string>{"licence-attention.png"});
  EXPECT_TRUE(text_of(at("licence-attention.png")).starts_with(kPngMagic));
  EXPECT_EQ(std::distance(fs::directory_iterator(prefix / "bin"), fs::directory_iterator()), 1);
#if !HEED_TOOL_EMULATED
  fs::remove(layer);
  const Ran alone = shell(quoted((folder_ / "link").string()));
  EXPECT_EQ(alone.status, 2);
  EXPECT_NE(alone.err.find(layer.string() + ": the example's layer is not there"), std::string::npos) << alone.err;
#endif
}

TEST_F(ToolTest, ExplainIsThePlans) {
  const Ran ran = heed({"explain", kExample, "--kernel", "classic"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("kernel    classic"), std::string::npos);
  EXPECT_NE(ran.out.find("simd: another kernel was asked for"), std::string::npos);
  EXPECT_EQ(json({"explain", kExample}).at("plan").at("kernel"),
            Plan({.queries = 64, .keys = 64, .dim = 64, .value_dim = 64, .dtype = DType::kBF16}).kernel());
}

TEST_F(ToolTest, DrawsInTheTerminalAndAsPng) {
  const Ran ran = heed({"draw", "--mask", "causal", "--tq", "4", "--tk", "4", "--out", "m.png"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("│█▄  │\n│███▄│\n"), std::string::npos) << ran.out;
  EXPECT_TRUE(text_of(at("m.png")).starts_with(kPngMagic));
  const Ran head = heed({"draw", "--mask", "k <= q + h", "--tq", "4", "--tk", "4", "--h", "1"});
  EXPECT_NE(head.out.find("│██▄ │\n│████│\n"), std::string::npos) << head.out;
  const Ran aligned = heed({"draw", "--mask", "causal", "--tq", "2", "--tk", "4", "--align", "end"});
  EXPECT_NE(aligned.out.find("│███▄│\n"), std::string::npos) << aligned.out;
  EXPECT_EQ(heed({"draw", "--mask", "window(3000)", "--tq", "20000", "--tk", "20000"}).status, 0);
}

TEST_F(ToolTest, CheckPassesEveryKernel) {
  write("f.safetensors", small_safetensors({1, 9, 150, 24}, nlohmann::json::object()));
  for (const char* kernel : {"simd", "classic", "reference"}) {
    const auto found = json({"check", "f.safetensors", "--kernel", kernel, "--mask", "window(40)", "--rows", "36"});
    EXPECT_TRUE(found.at("good"));
    EXPECT_EQ(found.at("rows"), 36);
    EXPECT_LE(found.at("o_error"), found.at("o_bound"));
    EXPECT_GT(found.at("o_bound"), 0);
  }
  EXPECT_TRUE(json({"check", kExample}).at("good"));
}

TEST_F(ToolTest, CheckKeepsBatchHeadAndAlignmentInFormulas) {
  io::write_npy(at("q.npy"), random_tensor({3, 4, 9, 8}, 1).view());
  io::write_npy(at("k.npy"), random_tensor({3, 2, 30, 8}, 2).view());
  EXPECT_TRUE(json({"check", "--q", "q.npy", "--k", "k.npy", "--v", "k.npy", "--align", "3,0,21", "--mask", "k <= q + h & k >= b",
                    "--score", "s + h * 0.5 - g"})
                  .at("good"));
}

TEST_F(ToolTest, CheckKeepsRowsOfTables) {
  Tensor seen(DType::kBool, {2, 9, 30});
  for (std::int64_t i = 0; i < seen.count(); ++i) seen.data<bool>()[i] = i % 7 < 3;
  io::write_npy(at("q.npy"), random_tensor({2, 4, 9, 8}, 1).view());
  io::write_npy(at("k.npy"), random_tensor({2, 2, 30, 8}, 2).view());
  io::write_npy(at("seen.npy"), seen.view());
  EXPECT_TRUE(json({"check", "--q", "q.npy", "--k", "k.npy", "--v", "k.npy", "--align", "end", "--mask", "dense(m, b, i, k) | k == i",
                    "--table", "m=seen.npy", "--score", "s + i"})
                  .at("good"));
  for (const char* entry : {"0", "1"})
    EXPECT_EQ(heed({"draw", "--mask", "dense(m, b, i, k)", "--table", "m=seen.npy", "--b", entry, "--tq", "9", "--tk", "30"}).status, 0);
  EXPECT_EQ(heed({"draw", "--mask", "padding(valid)"}).status, 0) << "an example table";
}

TEST_F(ToolTest, BenchMeasures) {
  const auto found = json({"bench", "--t", "128", "--mask", "causal", "--repeat", "2", "--threads", "1", "--d", "32"});
  for (const char* key : {"seconds", "gflops", "peak_gflops"}) EXPECT_GT(found.at(key).get<double>(), 0) << key;
  EXPECT_EQ(found.at("threads"), 1);
  EXPECT_EQ(found.at("runs"), 2);
  EXPECT_EQ(found.at("flop").at("count"), 4.0 * 4 * 128 * 128 * 32 / 2);
  EXPECT_EQ(json({"bench", "--t", "128", "--mask", "window(2)", "--repeat", "1", "--d", "32"}).at("flop").at("count"), 4.0 * 4 * 255 * 32);
  EXPECT_GT(found.at("classic").at("seconds").get<double>(), 0);
  EXPECT_TRUE(json({"bench", "--t", "64", "--kernel", "classic", "--repeat", "1"}).at("classic").contains("skipped"));
}

void expect_limits(const nlohmann::json& limits) {
  for (const char* key : {"multiply_add", "exp", "l1", "l2", "l3", "dram"}) EXPECT_GT(limits.at(key).get<double>(), 0) << key;
  for (const char* key : {"bf16_dot", "matrix_unit"}) EXPECT_GE(limits.at(key).get<double>(), 0) << key;
}

TEST_F(ToolTest, BenchMeasuresLimits) {
  const auto alone = json({"bench", "--limits", "--threads", "1"});
  EXPECT_EQ(alone.at("threads"), 1);
  EXPECT_FALSE(alone.contains("seconds"));
  expect_limits(alone.at("limits"));
  const Ran text = heed({"bench", "--limits", "--threads", "1"});
  for (const char* line : {"measured on 1 thread\n", "f32 multiply-adds", "read from DRAM"})
    EXPECT_NE(text.out.find(line), std::string::npos);
}

TEST_F(ToolTest, BenchSaysWhatARunUsedOfTheLimits) {
  const std::vector<std::string> problem{"bench",   "--limits", "--t",     "128",      "--heads", "2",         "--d", "32",
                                         "--dtype", "f32",      "--alone", "--repeat", "2",       "--threads", "1"};
  const auto found = json(problem);
  const auto &limits = found.at("limits"), &used = found.at("used");
  expect_limits(limits);
  EXPECT_DOUBLE_EQ(found.at("peak_gflops").get<double>(), limits.at("multiply_add").get<double>() / 1e9);
  EXPECT_EQ(used.at("products").at("limit"), "multiply_add");
  EXPECT_EQ(used.at("products").at("count"), 4.0 * 2 * 128 * 128 * 32);
  EXPECT_EQ(used.at("exp").at("count"), 2.0 * 128 * 128);
  EXPECT_EQ(used.at("dram").at("count"), 4.0 * 4 * 2 * 128 * 32);
  double largest = 0;
  for (const char* key : {"products", "exp", "dram"}) {
    const double per_second = used.at(key).at("count").get<double>() / found.at("seconds").get<double>();
    const double share = per_second / limits.at(used.at(key).at("limit").get<std::string>()).get<double>();
    EXPECT_DOUBLE_EQ(used.at(key).at("share").get<double>(), share) << key;
    largest = std::max(largest, share);
  }
  EXPECT_DOUBLE_EQ(used.at(used.at("binds").get<std::string>()).at("share").get<double>(), largest);
  EXPECT_NE(heed(problem).out.find("\nbinds: "), std::string::npos);
}

TEST_F(ToolTest, ListsTheCatalogue) {
  const Ran text = heed({"list"}), markdown = heed({"list", "--markdown"});
  for (const Entry& entry : catalogue()) {
    EXPECT_NE(text.out.find(entry.usage), std::string::npos) << entry.usage;
    EXPECT_NE(markdown.out.find("### `" + entry.usage + "`"), std::string::npos) << entry.usage;
  }
  EXPECT_EQ(json({"list"}).size(), catalogue().size());
  EXPECT_EQ(heed({"list", "--markdown", "--out", "C.md"}).status, 0);
  EXPECT_EQ(text_of(at("C.md")), markdown.out);
  EXPECT_EQ(heed({"list", "--markdown", "--check", "C.md"}).status, 0);
  write("D.md", markdown.out + "x");
  EXPECT_EQ(heed({"list", "--markdown", "--check", "D.md"}).status, 1);
}

TEST_F(ToolTest, HelpVersionCompletionsAndManualSpeakOfEveryVerb) {
  EXPECT_EQ(heed({"--version"}).out, build_text());
  const std::string man = heed({"man"}).out;
  for (const char* verb : {"attend", "explain", "draw", "check", "bench", "list", "example", "completions", "man"}) {
    const Ran help = heed({verb, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find("Examples:\n  heed " + std::string(verb)), std::string::npos) << verb;
    EXPECT_NE(man.find(".SS " + std::string(verb)), std::string::npos);
    for (const char* shell : {"bash", "zsh", "fish"}) EXPECT_NE(heed({"completions", shell}).out.find(verb), std::string::npos);
  }
  EXPECT_NE(man.find("\\-\\-received"), std::string::npos);
  EXPECT_EQ(shell("\"$HEED\" completions bash | bash -n").err, "");
}

void collect_keys(const nlohmann::json& json, std::set<std::string>& keys) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) keys.insert(key);
  }
  for (const auto& value : json) {
    if (value.is_structured()) collect_keys(value, keys);
  }
}

TEST_F(ToolTest, EveryKeyIsDocumented) {
  std::set<std::string> keys;
  collect_keys(json({"attend", kExample, "--stats", "--top", "2", "--out", "O.npy"}), keys);
  collect_keys(json({"explain", kExample}), keys);
  collect_keys(json({"example", "--out", "s.png"}), keys);
  collect_keys(json({"check", kExample, "--rows", "9"}), keys);
  collect_keys(json({"bench", "--t", "64", "--repeat", "1"}), keys);
  collect_keys(json({"bench", "--t", "64", "--repeat", "1", "--kernel", "classic"}), keys);
  collect_keys(json({"bench", "--t", "64", "--repeat", "1", "--limits", "--alone"}), keys);
  collect_keys(json({"bench", "--t", "64,128", "--repeat", "1", "--alone"}), keys);
  collect_keys(json({"list"}), keys);
  Tensor wide(DType::kF64, {1, 1, 4, 8});
  std::fill_n(wide.data<double>(), wide.count(), 0.5);
  io::write_npy(at("d.npy"), wide.view());
  std::vector<std::string> every{"attend", "--q", "d.npy", "--k", "d.npy", "--v", "d.npy", "--map", "m.npy"};
  for (const char* option :
       {"out", "lse", "maximum", "entropy", "effective", "visible", "weights", "scores", "received", "seen-by", "top-keys", "top-weights"})
    every.insert(every.end(), {std::string("--") + option, std::string(option) + ".npy"});
  collect_keys(json(every), keys);
  EXPECT_GT(keys.size(), 40u);
  const std::string page = text_of(std::string(HEED_SOURCE_DIR) + "/docs/json.md");
  for (const std::string& key : keys) EXPECT_NE(page.find("`" + key + "`"), std::string::npos) << key;
}

}  // namespace
}  // namespace heed::tool::test
