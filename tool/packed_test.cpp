// Packed sequences through the program: files of O, L and statistics are those of each sequence by itself; explain and JSON say who
// computes which; what does not fit is refused with the option, the file and the number.
#include <heed/heed.hpp>

#include "io/safetensors.hpp"
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

constexpr std::int64_t kHeads = 4, kKvHeads = 2, kD = 16;

/// Sequences of few and many queries, one of none; keys are more where queries are few.
class PackedTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    io::write_npy(at("q.npy"), q_.view());
    io::write_npy(at("k.npy"), k_.view());
    io::write_npy(at("v.npy"), v_.view());
    write_offsets<std::int32_t>("O.npy", queries_);
    write_offsets<std::int64_t>("K.npy", keys_);
  }

  template <class T>
  void write_offsets(const std::string& name, const std::vector<std::int64_t>& values) const {
    Tensor tensor(detail::DTypeOf<T>::value, {static_cast<std::int64_t>(values.size())});
    for (std::size_t n = 0; n < values.size(); ++n) tensor.data<T>()[n] = static_cast<T>(values[n]);
    io::write_npy(at(name), tensor.view());
  }

  [[nodiscard]] static std::vector<std::string> call(const std::string& verb, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{verb, "--q", "q.npy", "--k", "k.npy", "--v", "v.npy", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// Sequence b of a packed tensor [T_total, H, D] where it lies, as [1, H, T, D].
  static TensorView sequence(const Tensor& packed, const std::vector<std::int64_t>& offsets, std::size_t b) {
    const std::int64_t heads = packed.shape()[1], columns = packed.shape().rank() == 3 ? packed.shape()[2] : 1;
    TensorView view = packed.view();
    view.data = packed.data<std::byte>() + offsets[b] * heads * columns * size_of(packed.dtype());
    view.shape = {1, heads, offsets[b + 1] - offsets[b], columns};
    view.strides = {0, columns, heads * columns, 1};
    return view;
  }

  static void expect_rows(const TensorView& found, const Tensor& alone, const std::string& what) {
    for (std::int64_t h = 0; h < found.shape[1]; ++h) {
      for (std::int64_t t = 0; t < found.shape[2]; ++t) {
        for (std::int64_t c = 0; c < found.shape[3]; ++c) {
          const double value = real_at(found, h * found.strides[1] + t * found.strides[2] + c);
          ASSERT_EQ(value, real_at(alone.view(), (h * found.shape[2] + t) * found.shape[3] + c)) << what << ", head " << h << ", row " << t;
        }
      }
    }
  }

  void expect_refused(const std::vector<std::string>& arguments, const std::vector<std::string>& said) const {
    const std::vector<std::string> before = files();
    const Ran ran = heed(arguments);
    EXPECT_EQ(ran.status, 2) << ran.out;
    EXPECT_EQ(ran.out, "");
    for (const std::string& text : said) EXPECT_NE(ran.err.find(text), std::string::npos) << text << " is not in: " << ran.err;
    EXPECT_EQ(files(), before);
  }

  std::vector<std::int64_t> queries_{0, 1, 71, 71, 74, 374}, keys_{0, 900, 970, 990, 1690, 1990};
  Tensor q_ = random_tensor({374, kHeads, kD}, 1), k_ = random_tensor({1990, kKvHeads, kD}, 2), v_ = random_tensor({1990, kKvHeads, kD}, 3);
};

TEST_F(PackedTest, FilesAreThoseOfEachSequenceByItself) {
  const Ran ran = heed(call("attend", {"--offsets", "O.npy", "--key-offsets", "K.npy", "--mask", "causal", "--align", "end", "--kernel",
                                       "simd", "--out", "Y.npy", "--lse", "L.npy", "--entropy", "E.npy", "--visible", "N.npy"}));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Tensor y = io::read_npy(at("Y.npy")), l = io::read_npy(at("L.npy")), e = io::read_npy(at("E.npy")), n = io::read_npy(at("N.npy"));
  EXPECT_EQ(to_text(y.shape()), to_text(q_.shape()));
  EXPECT_EQ(to_text(l.shape()), to_text(Dims{374, kHeads}));
  for (std::size_t b = 0; b + 1 < queries_.size(); ++b) {
    const Inputs inputs{sequence(q_, queries_, b), sequence(k_, keys_, b), sequence(v_, keys_, b)};
    Problem alone = problem_of(inputs.q, inputs.k, inputs.v);
    alone.mask = causal();
    alone.align = Align::end();
    alone.kernel = "simd";
    alone.threads = 1;
    alone.statistics = true;
    const Dims rows{1, kHeads, alone.queries};
    Tensor o(DType::kF32, {1, kHeads, alone.queries, kD}), lse(DType::kF32, rows), entropy(DType::kF32, rows), visible(DType::kI64, rows);
    Plan(alone).run(inputs, {.o = o.span(), .lse = lse.span(), .entropy = entropy.span(), .visible = visible.span()});
    const std::string of = "sequence " + std::to_string(b);
    expect_rows(sequence(y, queries_, b), o, of + ", O");
    expect_rows(sequence(l, queries_, b), lse, of + ", L");
    expect_rows(sequence(e, queries_, b), entropy, of + ", entropy");
    expect_rows(sequence(n, queries_, b), visible, of + ", visible");
  }
}

TEST_F(PackedTest, WhatKeysReceiveIsTheLibrarys) {
  const Ran ran = heed(call("attend", {"--offsets", "O.npy", "--key-offsets", "K.npy", "--mask", "causal", "--align", "end", "--received",
                                       "R.npy", "--seen-by", "S.npy"}));
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem problem = problem_of(q_.view(), k_.view(), v_.view(), queries_, keys_);
  problem.mask = causal();
  problem.align = Align::end();
  problem.threads = 1;
  Tensor received(DType::kF32, {1990, kHeads}), seen_by(DType::kI64, {1990, kHeads});
  census(Plan(problem), q_.view(), k_.view(), {}, {.received = received.span(), .seen_by = seen_by.span()});
  expect_same(io::read_npy(at("R.npy")), received);
  expect_same(io::read_npy(at("S.npy")), seen_by);
}

TEST_F(PackedTest, KeysHaveTheOffsetsOfQueriesUnlessSaid) {
  const Tensor k = random_tensor({374, kKvHeads, kD}, 4);
  io::write_npy(at("few.npy"), k.view());
  const Ran ran = heed({"attend", "--q", "q.npy", "--k", "few.npy", "--v", "few.npy", "--offsets", "O.npy", "--mask", "causal", "--threads",
                        "1", "--out", "Y.npy"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  Problem problem = problem_of(q_.view(), k.view(), k.view(), queries_, queries_);
  problem.mask = causal();
  problem.threads = 1;
  Tensor o(DType::kF32, {374, kHeads, kD});
  Plan(problem).run({q_.view(), k.view(), k.view()}, {.o = o.span()});
  expect_same(io::read_npy(at("Y.npy")), o);
}

/// Decode beside prefill: who computes what is said in words, in JSON and by the library.
TEST_F(PackedTest, TheKernelOfEachClassIsSaid) {
  const std::vector<std::string> options{"--offsets", "O.npy", "--key-offsets", "K.npy", "--mask", "causal", "--align", "end"};
  Problem problem = problem_of(q_.view(), k_.view(), v_.view(), queries_, keys_);
  problem.mask = causal();
  problem.align = Align::end();
  problem.threads = 1;
  const Plan plan(problem);
  const std::vector<SequenceClass> classes = plan.classes();
  ASSERT_EQ(classes.size(), 2U) << plan.explain();
  EXPECT_EQ(classes[0].kernel, plan.kernel());
  EXPECT_EQ(classes[0].sequences, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(classes[1].kernel, "decode");
  EXPECT_EQ(classes[1].sequences, (std::vector<std::int64_t>{0, 2, 3}));
  const auto said = json(call("explain", options));
  EXPECT_EQ(said.at("problem").at("packed"), (nlohmann::json{{"sequences", 5}, {"queries", 374}, {"keys", 1990}}));
  const auto& listed = said.at("plan").at("classes");
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].at("kernel"), plan.kernel());
  EXPECT_EQ(listed[0].at("sequences"), 2);
  EXPECT_EQ(listed[1].at("kernel"), "decode");
  EXPECT_EQ(listed[1].at("sequences"), 3);
  EXPECT_EQ(listed[1].at("fewest_queries"), 0);
  EXPECT_EQ(listed[1].at("most_queries"), 3);
  EXPECT_EQ(listed[1].at("refusals").size(), plan.refusals().size());
  const Ran words = heed(call("explain", options)), attended = heed(call("attend", options));
  EXPECT_NE(words.out.find("decode, for 3 sequences of at most 8 queries"), std::string::npos) << words.out;
  EXPECT_NE(words.out.find("374 queries and 1990 keys in all"), std::string::npos) << words.out;
  EXPECT_NE(attended.out.find("kernels " + plan.kernel() + " of 2 sequences, decode of 3"), std::string::npos) << attended.out;
}

TEST_F(PackedTest, ADenseProblemIsOneClass) {
  const Plan plan(Problem{.batch = 3, .heads = 2, .kv_heads = 2, .queries = 9, .keys = 9, .dim = 8, .value_dim = 8});
  ASSERT_EQ(plan.classes().size(), 1U);
  EXPECT_EQ(plan.classes()[0].kernel, plan.kernel());
  EXPECT_EQ(plan.classes()[0].sequences, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(plan.classes()[0].refusals.size(), plan.refusals().size());
}

TEST_F(PackedTest, CheckComparesRowsOfManySequences) {
  const std::vector<std::string> options{"--offsets", "O.npy",  "--key-offsets",   "K.npy",   "--align",
                                         "end",       "--mask", "causal | b == 3", "--score", "s - 0.01 * abs(q - k) + 0.1 * b"};
  const auto said = json(call("check", options));
  EXPECT_EQ(said.at("good"), true) << said.dump(2);
  EXPECT_EQ(said.at("sequences"), 4);
  EXPECT_EQ(said.at("classes").size(), 2U);
  const Ran words = heed(call("check", options));
  EXPECT_NE(words.out.find("of 4 sequences"), std::string::npos) << words.out;
}

TEST_F(PackedTest, AContainerAndItsOffsets) {
  const Ran ran = heed({"explain", "--q", "q.npy", "--k", "k.npy", "--v", "k.npy", "--offsets", "O.npy:offsets"});
  EXPECT_NE(ran.err.find("no name"), std::string::npos) << ran.err;
  write("own.safetensors", small_safetensors({6, 2, 8}, {{"layout", "T H D"}, {"mask", "causal"}}));
  write_offsets<std::int64_t>("six.npy", {0, 2, 6});
  const Tensor six = io::read_npy(at("six.npy"));
  io::write_safetensors(at("six.safetensors"), "ends", six.view());
  const auto said = json({"explain", "own.safetensors", "--offsets", "six.safetensors:ends"});
  EXPECT_EQ(said.at("problem").at("queries"), 4);
  EXPECT_EQ(said.at("problem").at("mask"), "k <= q");
  write("other.safetensors", small_safetensors({2, 6, 8}, {{"layout", "H T D"}}));
  expect_refused({"explain", "other.safetensors", "--offsets", "six.npy"}, {"T H D", "H, T, D"});
}

TEST_F(PackedTest, WrongOffsetsAreRefusedWithFileAndNumber) {
  const std::vector<std::string> beside{"--key-offsets", "K.npy", "--out", "Y.npy"};
  const auto refused = [&](const std::string& file, const std::vector<std::string>& said) {
    std::vector<std::string> options{"--offsets", file};
    options.insert(options.end(), beside.begin(), beside.end());
    expect_refused(call("attend", options), said);
  };
  write_offsets<std::int64_t>("falls.npy", {0, 71, 1, 71, 74, 374});
  refused("falls.npy", {"offsets fall", "--offsets falls.npy, sequence 1", "71", "1"});
  write_offsets<std::int64_t>("ends.npy", {0, 1, 71, 71, 74, 375});
  refused("ends.npy", {"the last offset is not the end of the tensor", "--offsets ends.npy", "374", "375"});
  write_offsets<std::int64_t>("begins.npy", {2, 2, 71, 71, 74, 374});
  refused("begins.npy", {"does not begin at 0", "--offsets begins.npy", "2"});
  write_offsets<std::int64_t>("few.npy", {0, 74, 374});
  refused("few.npy", {"how many sequences", "--offsets few.npy and --key-offsets K.npy", "3 and 6"});
  write_offsets<float>("real.npy", queries_);
  refused("real.npy", {"no integers", "--offsets real.npy", "f32"});
  io::write_npy(at("two.npy"), Tensor(DType::kI64, {2, 3}).view());
  refused("two.npy", {"wrong rank", "--offsets two.npy", "[2, 3]"});
  io::write_npy(at("none.npy"), Tensor(DType::kI64, {0}).view());
  refused("none.npy", {"no offsets", "--offsets none.npy"});
  refused("missing.npy", {"missing.npy"});
  expect_refused(call("attend", {"--offsets", "O.npy"}), {"--offsets O.npy (of the keys too, without --key-offsets)", "1990", "374"});
  expect_refused(call("attend", {"--offsets", "O.npy", "--key-offsets", "ends.npy"}), {"--key-offsets ends.npy", "1990", "375"});
  for (const char* verb : {"attend", "explain", "check"}) {
    expect_refused(call(verb, {"--key-offsets", "K.npy"}), {"--key-offsets K.npy", "--offsets"});
    expect_refused(call(verb, {"--offsets", "O.npy", "--layout", "thd"}), {"--layout"});
  }
  io::write_npy(at("q4.npy"), random_tensor({1, 374, kHeads, kD}, 1).view());
  expect_refused({"attend", "--q", "q4.npy", "--k", "k.npy", "--v", "v.npy", "--offsets", "O.npy", "--key-offsets", "K.npy"},
                 {"wrong rank", "tensor q", "[T_total, H, D]"});
}

TEST_F(PackedTest, WhatHasRowsOrMapsIsRefused) {
  const std::vector<std::vector<std::string>> wrong{{"--map", "M.png"},    {"--map", "M.npy"},      {"--weights", "P.npy"},
                                                    {"--scores", "S.npy"}, {"--top-keys", "T.npy"}, {"--top-weights", "T.npy"},
                                                    {"--top", "3"},        {"--rows", "0"},         {"--stats"}};
  for (const std::vector<std::string>& one : wrong) {
    std::vector<std::string> options{"--offsets", "O.npy", "--key-offsets", "K.npy", "--out", "Y.npy"};
    options.insert(options.end(), one.begin(), one.end());
    expect_refused(call("attend", options), {"packed sequences have no rows, maps and tables of one shape", one[0]});
  }
}

/// A NaN is said where it is: in its sequence.
TEST_F(PackedTest, NanRowsCountWithinTheirSequence) {
  Tensor q = random_tensor({374, kHeads, kD}, 1);
  q.data<float>()[(72 * kHeads + 2) * kD] = std::nanf("");
  io::write_npy(at("nan.npy"), q.view());
  const auto said = json({"attend", "--q", "nan.npy", "--k", "k.npy", "--v", "v.npy", "--offsets", "O.npy", "--key-offsets", "K.npy"});
  EXPECT_EQ(said.at("nan_rows").at("count"), 1);
  EXPECT_EQ(said.at("nan_rows").at("first"), (nlohmann::json{{"batch", 3}, {"head", 2}, {"row", 1}}));
}

TEST_F(PackedTest, Float64IsComputedInDouble) {
  Tensor q(DType::kF64, {6, 2, 8});
  for (std::int64_t i = 0; i < q.count(); ++i) q.data<double>()[i] = 0.01 * static_cast<double>(i % 37);
  io::write_npy(at("wide.npy"), q.view());
  write_offsets<std::int64_t>("six.npy", {0, 2, 6});
  const std::vector<std::string> files{"--q", "wide.npy", "--k", "wide.npy", "--v", "wide.npy", "--offsets", "six.npy", "--mask", "causal"};
  for (const char* kernel : {"double", "reference"}) {
    std::vector<std::string> arguments{"attend", "--kernel", kernel, "--out", "Y.npy", "--received", "R.npy"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const auto said = json(arguments);
    EXPECT_GE(said.at("float32").at("double_seconds"), 0);
    EXPECT_EQ(to_text(io::read_npy(at("Y.npy")).shape()), to_text(Dims{6, 2, 8}));
    EXPECT_EQ(to_text(io::read_npy(at("R.npy")).shape()), to_text(Dims{6, 2}));
  }
}

}  // namespace
}  // namespace heed::tool::test
