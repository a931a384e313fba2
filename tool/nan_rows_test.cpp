// Rows that are NaN are counted and named by every verb that reports a result, and told apart from rows that see no key.
#include <cmath>

#include "io/safetensors.hpp"
#include "test_support.hpp"

namespace heed::tool::test {
namespace {

/// q [2, 3, 300, 8] and k = v [2, 3, 300, 8] in files; query 17 of batch 1, head 2 is NaN.
class NanRowsTest : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    Tensor q = random_tensor({2, 3, 300, 8}, 1);
    q.data<float>()[((1 * 3 + 2) * 300 + 17) * 8] = std::nanf("");
    io::write_npy(at("q.npy"), q.view());
    io::write_npy(at("k.npy"), random_tensor({2, 3, 300, 8}, 2).view());
  }
  static std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    for (const char* file : {"--q", "q.npy", "--k", "k.npy", "--v", "k.npy"}) arguments.emplace_back(file);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(NanRowsTest, AttendSaysThem) {
  const Ran plain = heed(with({"attend"}, {"--out", "o.npy"}));
  EXPECT_EQ(plain.status, 0) << plain.err;
  EXPECT_NE(plain.out.find("NaN: 1 row of O or L is NaN, the first is query 17 of batch 1, head 2\n"), std::string::npos) << plain.out;
  const Ran top = heed(with({"attend"}, {"--rows", "0,17", "--mask", "k < q"}));
  EXPECT_NE(top.out.find("1     2  NaN\n"), std::string::npos) << top.out;
  EXPECT_NE(top.out.find("1     2  nothing\n"), std::string::npos) << top.out;
  const Ran stats = heed(with({"attend"}, {"--stats"}));
  EXPECT_NE(stats.out.find("nats"), std::string::npos) << stats.out;
  EXPECT_NE(stats.out.find("NaN"), std::string::npos) << stats.out;
  EXPECT_EQ(stats.out.find("nan"), std::string::npos) << stats.out;
}

TEST_F(NanRowsTest, JsonTellsThemFromEmptyRows) {
  const auto found = json(with({"attend"}, {"--stats", "--rows", "0,17", "--mask", "k < q"}));
  const nlohmann::json first{{"batch", 1}, {"head", 2}, {"row", 17}};
  EXPECT_EQ(found.at("nan_rows"), (nlohmann::json{{"count", 1}, {"first", first}}));
  for (const auto& head : found.at("heads")) {
    const bool spoiled = head.at("batch") == 1 && head.at("head") == 2;
    EXPECT_EQ(head.at("empty_rows"), 1);
    EXPECT_EQ(head.at("nan_rows"), spoiled ? 1 : 0);
    EXPECT_EQ(head.at("first_nan_row"), spoiled ? nlohmann::json(17) : nlohmann::json());
    EXPECT_GT(head.at("mean_entropy").get<double>(), 1);  // of the other rows
    EXPECT_EQ(head.at("top_key") == -1, spoiled);
    EXPECT_EQ(head.at("top_key_share").is_null(), spoiled);
  }
  for (const auto& top : found.at("top")) {
    const bool spoiled = top.at("batch") == 1 && top.at("head") == 2 && top.at("row") == 17;
    EXPECT_EQ(top.at("nan"), spoiled);
    EXPECT_EQ(top.at("keys").empty(), spoiled || top.at("row") == 0);
  }
}

/// NaN in a value: L and the weights are known, O is not.
TEST_F(NanRowsTest, OfOAloneCountToo) {
  Tensor v = random_tensor({2, 3, 300, 8}, 3);
  v.data<float>()[5 * 8 + 3] = std::nanf("");
  io::write_npy(at("v.npy"), v.view());
  const auto found = json({"attend", "--q", "k.npy", "--k", "k.npy", "--v", "v.npy", "--mask", "window(2)", "--stats"});
  EXPECT_EQ(found.at("nan_rows").at("count"), 2);
  EXPECT_EQ(found.at("nan_rows").at("first").at("row"), 5);
  EXPECT_EQ(found.at("heads").at(0).at("nan_rows"), 2);
  EXPECT_NE(found.at("heads").at(0).at("top_key"), -1);
}

/// Each row sees its own value alone; an infinite one is no NaN.
TEST_F(NanRowsTest, OfAnyElementType) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) {
    Tensor q(dtype, {1, 1, 9, 4});
    io::write_safetensors(at("q.safetensors"), "q", q.view());
    store_real(q.span(), 5 * 4 + 3, std::nan(""));
    store_real(q.span(), 7 * 4, HUGE_VAL);
    io::write_safetensors(at("v.safetensors"), "v", q.view());
    const auto found =
        json({"attend", "--q", "q.safetensors", "--k", "q.safetensors", "--v", "v.safetensors", "--mask", "q == k"}).at("nan_rows");
    EXPECT_EQ(found.at("count"), 1) << name_of(dtype);
    EXPECT_EQ(found.at("first").at("row"), 5) << name_of(dtype);
  }
}

/// Four queries are sampled, 24 rows; query 17 is compared with them though it is not one of the sample.
TEST_F(NanRowsTest, CheckComparesThem) {
  const auto found = json(with({"check"}, {"--rows", "24"}));
  EXPECT_EQ(found.at("nan_rows").at("count"), 1);
  EXPECT_EQ(found.at("rows"), 30);
  EXPECT_EQ(found.at("nan_compared"), 1);
  EXPECT_EQ(found.at("nan_by_definition"), 1);
  EXPECT_TRUE(found.at("good"));
  const Ran ran = heed(with({"check"}, {"--rows", "24"}));
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("of the rows compared 1 is NaN, 1 of them by the definition too\n"), std::string::npos) << ran.out;
}

TEST_F(NanRowsTest, NothingIsSaidWhereThereAreNone) {
  const Ran ran = heed({"attend", "--q", "k.npy", "--k", "k.npy", "--v", "k.npy", "--stats"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("nats"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("NaN"), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace heed::tool::test
