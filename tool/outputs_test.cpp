// Everything that can be computed is an output as a file: its numbers are the library's.
#include <cmath>
#include <numeric>

#include <heed/heed.hpp>

#include "test_support.hpp"

namespace heed::tool::test {
namespace {

constexpr std::int64_t kB = 2, kH = 4, kT = 70;

Tensor wide(const Tensor& narrow) {
  Tensor tensor(DType::kF64, narrow.shape());
  for (std::int64_t i = 0; i < narrow.count(); ++i) tensor.data<double>()[i] = narrow.data<float>()[i];
  return tensor;
}

class OutputsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    const std::pair<const char*, const Tensor*> tensors[] = {{"q", &q_}, {"k", &k_}, {"v", &v_}};
    for (const auto& [name, tensor] : tensors) {
      io::write_npy(at(name + std::string(".npy")), tensor->view());
      io::write_npy(at(name + std::string("64.npy")), wide(*tensor).view());
    }
  }

  Ran attend(std::vector<std::string> more, const std::string& kind = "") const {
    std::vector<std::string> arguments{"attend", "--threads", "1", "--mask", "window(9) | k < 2"};
    for (const char* name : {"q", "k", "v"}) arguments.insert(arguments.end(), {std::string("--") + name, name + kind + ".npy"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return heed(arguments);
  }

  [[nodiscard]] Tensor read(const char* name) const { return io::read_npy(at(name)); }

  [[nodiscard]] Problem problem() const {
    Problem problem = problem_of(q_.view(), k_.view(), v_.view());
    problem.mask = parse("window(9) | k < 2");
    problem.threads = 1;
    return problem;
  }

  Tensor q_ = random_tensor({kB, kH, kT, 16}, 1), k_ = random_tensor({kB, 2, kT, 16}, 2), v_ = random_tensor({kB, 2, kT, 16}, 3);
};

TEST_F(OutputsTest, StatisticsOfRowsAreTheLibrarys) {
  const Ran ran = attend({"--maximum", "M.npy", "--entropy", "E.npy", "--effective", "N.npy", "--visible", "S.npy"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem p = problem();
  p.statistics = true;
  const Dims rows{kB, kH, kT};
  Tensor maximum(DType::kF32, rows), entropy(DType::kF32, rows), effective(DType::kF32, rows), visible(DType::kI64, rows);
  Plan(p).run({q_.view(), k_.view(), v_.view()},
              {.maximum = maximum.span(), .entropy = entropy.span(), .effective = effective.span(), .visible = visible.span()});
  expect_same(read("M.npy"), maximum);
  expect_same(read("E.npy"), entropy);
  expect_same(read("N.npy"), effective);
  expect_same(read("S.npy"), visible);
}

TEST_F(OutputsTest, WeightsCostTheSquareAndSaySo) {
  const Ran ran = attend({"--weights", "P.npy"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("the S x S matrices of all heads, 153.1 KiB"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("kernel classic"), std::string::npos) << ran.out;
  Problem p = problem();
  p.weights = true;
  Tensor weights(DType::kF32, {kB, kH, kT, kT});
  Plan(p).run({q_.view(), k_.view(), v_.view()}, {.weights = weights.span()});
  expect_same(read("P.npy"), weights);
  EXPECT_NE(attend({"--weights", "P.npy", "--kernel", "simd"}).err.find("S x S weights"), std::string::npos);
}

TEST_F(OutputsTest, ScoresOfEachStageAreTheLibrarys) {
  const std::pair<const char*, Scores> stages[] = {
      {"", Scores::kMasked}, {"masked", Scores::kMasked}, {"altered", Scores::kAltered}, {"scaled", Scores::kScaled}};
  for (const auto& [stage, wanted] : stages) {
    std::vector<std::string> more{"--score", "alibi(4)", "--scores", "S.npy"};
    if (*stage != '\0') more.insert(more.end(), {"--scores-stage", stage});
    const Ran ran = attend(more);
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_NE(ran.out.find("--scores holds the S x S matrices of all heads, 153.1 KiB: the classic operator's"), std::string::npos)
        << ran.out;
    EXPECT_NE(ran.out.find("kernel classic"), std::string::npos) << ran.out;
    Problem p = problem();
    p.scores = {parse("alibi(4)")};
    p.wanted_scores = wanted;
    Tensor scores(DType::kF32, {kB, kH, kT, kT});
    Plan(p).run({q_.view(), k_.view(), v_.view()}, {.scores = scores.span()});
    expect_same(read("S.npy"), scores);
  }
  EXPECT_NE(attend({"--scores", "S.npy"}, "64").out.find("306.2 KiB: the reference operator's"), std::string::npos);
  EXPECT_EQ(read("S.npy").dtype(), DType::kF64);
  EXPECT_NE(attend({"--scores", "S.npy", "--kernel", "simd"}).err.find("S x S scores"), std::string::npos);
}

/// --scores is near --score: what is no name of an array is refused, not taken for a file.
TEST_F(OutputsTest, AFormulaIsNoFileOfScores) {
  for (const char* formula : {"softcap(50)", "softcap(50.0)", "s * 2"}) {
    const Ran ran = attend({"--scores", formula});
    EXPECT_EQ(ran.status, 2) << formula;
    EXPECT_NE(ran.err.find("a name in .npy or .safetensors (a score formula goes to --score)"), std::string::npos) << ran.err;
  }
  EXPECT_EQ(attend({"--scores", "-"}).status, 0);
  EXPECT_EQ(attend({"--scores", "/dev/null"}).status, 0);
  EXPECT_NE(attend({"--scores-stage", "scaled"}).err.find("--scores FILE"), std::string::npos);
  EXPECT_NE(attend({"--scores", "S.npy", "--scores-stage", "softmax"}).err.find("scaled,altered,masked"), std::string::npos);
  EXPECT_NE(attend({"--logits", "S.npy"}).err.find("did you mean --scores?"), std::string::npos);
}

TEST_F(OutputsTest, WeightsOfChosenRowsCostTheseAlone) {
  const Ran ran = attend({"--weights", "P.npy", "--rows", "69,3", "--kernel", "simd"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out.find("S x S matrices of all heads"), std::string::npos) << ran.out;
  Problem p = problem();
  p.kernel = "simd";
  Tensor weights(DType::kF32, {kB, kH, 2, kT});
  census(Plan(p), q_.view(), k_.view(), {}, {.rows = {69, 3}, .weights = weights.span()});
  expect_same(read("P.npy"), weights);
}

TEST_F(OutputsTest, WhatKeysGetIsTheLibrarys) {
  const Ran ran = attend(
      {"--received", "R.npy", "--seen-by", "S.npy", "--top-keys", "K.npy", "--top-weights", "W.npy", "--top", "3", "--kernel", "simd"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem p = problem();
  p.kernel = "simd";
  Tensor received(DType::kF32, {kB, kH, kT}), seen_by(DType::kI64, {kB, kH, kT});
  Tensor keys(DType::kI64, {kB, kH, kT, 3}), weights(DType::kF32, {kB, kH, kT, 3});
  std::vector<std::int64_t> rows(kT);
  std::iota(rows.begin(), rows.end(), 0);
  census(Plan(p), q_.view(), k_.view(), {},
         {.received = received.span(), .seen_by = seen_by.span(), .rows = rows, .top_keys = keys.span(), .top_weights = weights.span()});
  expect_same(read("R.npy"), received);
  expect_same(read("S.npy"), seen_by);
  expect_same(read("K.npy"), keys);
  expect_same(read("W.npy"), weights);
  ASSERT_EQ(attend({"--top-keys", "K.npy", "--rows", "4"}).status, 0);
  EXPECT_EQ(to_text(read("K.npy").shape()), to_text(Dims{kB, kH, 1, 5}));
}

TEST_F(OutputsTest, FilesOfChosenHeads) {
  const Ran ran = attend({"--received", "R.npy", "--map", "M.npy", "--map-size", "7,5", "--weights", "P.npy", "--rows", "4,9", "--heads",
                          "2,0", "--kernel", "simd"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem p = problem();
  p.kernel = "simd";
  Tensor received(DType::kF32, {kB, 2, kT}), map(DType::kF32, {kB, 2, 7, 5}), weights(DType::kF32, {kB, 2, 2, kT});
  census(Plan(p), q_.view(), k_.view(), {},
         {.received = received.span(), .map = map.span(), .rows = {4, 9}, .weights = weights.span(), .heads = {2, 0}});
  expect_same(read("R.npy"), received);
  expect_same(read("M.npy"), map);
  expect_same(read("P.npy"), weights);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--received", "R.npy", "--heads", "0,99"},
                                                {"--top", "3", "--heads", "0"},
                                                {"--stats", "--heads", "0"},
                                                {"--map", "M.png", "--heads", "0"}}) {
    const Ran refused = attend(wrong);
    EXPECT_EQ(refused.status, 2);
    EXPECT_NE(refused.err.find("--heads"), std::string::npos) << refused.err;
  }
}

TEST_F(OutputsTest, AMapIsNumbersOfTheSizeAskedFor) {
  const Ran ran = attend({"--map", "M.npy", "--map-size", "7,5"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Tensor map = read("M.npy");
  ASSERT_EQ(to_text(map.shape()), to_text(Dims{kB, kH, 7, 5}));
  for (std::int64_t row = 0; row < map.count() / 5; ++row)
    EXPECT_NEAR(std::accumulate(map.data<float>() + row * 5, map.data<float>() + row * 5 + 5, 0.0), 1, 1e-5);
  ASSERT_EQ(attend({"--map", "M.safetensors"}).status, 0);
  ASSERT_EQ(attend({"--map", "M.png", "--map-size", "70,10"}).status, 0);
  EXPECT_TRUE(text_of(at("M.png")).starts_with("\x89PNG"));
  for (const auto& [size, said] : {std::pair{"71,5", "1 to 70 rows"}, {"0,5", "1 to 70 rows"}, {"7", "R,C"}, {"7,x", "--map-size"}}) {
    const Ran wrong = attend({"--map", "M.npy", "--map-size", size});
    EXPECT_EQ(wrong.status, 2) << size;
    EXPECT_NE(wrong.err.find(said), std::string::npos) << wrong.err;
  }
  EXPECT_NE(attend({"--map-size", "7,5"}).err.find("--map FILE"), std::string::npos);
}

TEST_F(OutputsTest, DoubleInputsHaveThemTooAndSayWhatIsNarrower) {
  const std::vector<std::string> wanted{"--stats", "--top",     "3",     "--map",     "M.npy", "--received", "R.npy", "--entropy",
                                        "E.npy",   "--weights", "P.npy", "--seen-by", "S.npy", "--top-keys", "K.npy"};
  ASSERT_EQ(attend(wanted).status, 0);
  const Tensor received = read("R.npy"), seen_by = read("S.npy"), keys = read("K.npy"), entropy = read("E.npy"), weights = read("P.npy");
  const Ran ran = attend(wanted, "64");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("note: what keys receive, maps, chosen rows and top keys are computed in float32"), std::string::npos) << ran.out;
  expect_same(read("S.npy"), seen_by);
  expect_same(read("K.npy"), keys);
  const auto expect_near = [](const Tensor& found, const Tensor& expected, DType dtype) {
    ASSERT_EQ(found.dtype(), dtype);
    ASSERT_EQ(to_text(found.shape()), to_text(expected.shape()));
    for (std::int64_t i = 0; i < found.count(); ++i) ASSERT_NEAR(real_at(found.view(), i), real_at(expected.view(), i), 1e-4);
  };
  expect_near(read("R.npy"), received, DType::kF32);
  expect_near(read("E.npy"), entropy, DType::kF64);
  expect_near(read("P.npy"), weights, DType::kF64);
}

TEST_F(OutputsTest, DoubleInputsSayWhatFloat32WouldCost) {
  const Ran ran = attend({}, "64");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("note: float64 is computed in double: about "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("; float32 inputs would take about "), std::string::npos) << ran.out;
  for (const char* verb : {"attend", "explain"}) {
    const auto found = json({verb, "--q", "q64.npy", "--k", "k64.npy", "--v", "v64.npy", "--mask", "causal"}).at("float32");
    EXPECT_GT(found.at("double_seconds").get<double>(), found.at("expected_seconds").get<double>());
    EXPECT_GT(found.at("expected_seconds").get<double>(), 0);
    EXPECT_NE(found.at("kernel"), "reference");
    EXPECT_FALSE(json({verb, "--q", "q.npy", "--k", "k.npy", "--v", "v.npy"}).contains("float32"));
  }
  EXPECT_NE(heed({"explain", "--q", "q64.npy", "--k", "k64.npy", "--v", "v64.npy"}).out.find("note: float64"), std::string::npos);
  const Ran slow = heed({"attend", "--q", "q64.npy", "--k", "k64.npy", "--v", "v64.npy", "--kernel", "reference"});
  EXPECT_NE(slow.out.find("note: float64 runs the definition, in double: about "), std::string::npos) << slow.out;
}

}  // namespace
}  // namespace heed::tool::test
