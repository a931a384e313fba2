// Every named score against its definition, written here a second time; the tables they make against the reference programs.
#include <heed/scores.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <heed/error.hpp>
#include <heed/masks.hpp>

#include "formula/formula.hpp"
#include "formula/named.hpp"
#include "formula/node.hpp"

namespace heed {
namespace {

using formula::Formula;
using formula::Place;

double value_of(const Expr& score, const Place& place, const Tables& tables = formula::example_tables()) {
  const Formula formula = Formula::score(std::span(&score, 1), tables);
  const formula::Value value = formula.at(place);
  EXPECT_LT(value.broken, 0) << to_text(score);
  return value.real;
}

// The first table that travels with the tree.
const Tensor* travelling(const Expr& tree) {
  if (tree.node().data) return tree.node().data.get();
  for (const Expr& argument : tree.node().args) {
    if (const Tensor* found = travelling(argument)) return found;
  }
  return nullptr;
}

TEST(Scores, ScaleAndTemperature) {
  EXPECT_EQ(value_of(scale(0.25), {.s = 3.0}), 0.75);
  EXPECT_EQ(value_of(scale(-2), {.s = 3.0}), -6.0);
  EXPECT_EQ(value_of(temperature(4), {.s = 3.0}), 0.75);
  EXPECT_EQ(value_of(temperature(Table("heat")[symbols::q]), {.q = 40, .s = 3.0}), 1.5);
  EXPECT_THROW((void)temperature(0), Error);
  EXPECT_THROW((void)temperature(0.0), Error);
  for (const double infinite : {HUGE_VAL, -HUGE_VAL}) {
    EXPECT_THROW((void)temperature(infinite), Error);
    EXPECT_THROW((void)scale(infinite), Error);
  }
  EXPECT_THROW((void)parse("scale(-inf)"), Error);
  EXPECT_THROW((void)parse("temperature(-0.0)"), Error);
}

TEST(Scores, SoftcapBoundsTheScore) {
  for (const double similarity : {-1e6, -40.0, -1.0, 0.0, 0.5, 40.0, 1e6}) {
    EXPECT_EQ(value_of(softcap(30.0), {.s = similarity}), 30.0 * std::tanh(similarity / 30.0));
    EXPECT_LE(std::fabs(value_of(softcap(30), {.s = similarity})), 30.0);
  }
  EXPECT_NEAR(value_of(softcap(30.0), {.s = 0.01}), 0.01, 1e-8);
  EXPECT_THROW((void)softcap(0), Error);
  EXPECT_THROW((void)softcap(0.0), Error);
  EXPECT_THROW((void)softcap(-30.0), Error);
  EXPECT_THROW((void)softcap(HUGE_VAL), Error);
  for (const char* text : {"softcap(inf)", "softcap(-inf)", "softcap(-5)", "softcap(0)", "softcap(1e999)"})
    EXPECT_THROW((void)parse(text), Error) << text;
}

TEST(Scores, AlibiWithSlopesGiven) {
  for (std::int64_t h = 0; h < 4; ++h) {
    const double slope = std::ldexp(1.0, static_cast<int>(-2 - 2 * h));  // example_tables
    EXPECT_EQ(value_of(alibi(Table("slope")), {.q = 10, .k = 3, .h = h, .s = 1.5}), 1.5 - slope * 7);
  }
}

// The lists of the authors' get_slopes for 1, 2, 8, 12 (not a power of two) and 3 heads, as powers of two.
TEST(Scores, AlibiSlopesAreThePapers) {
  const std::vector<std::vector<double>> powers{
      {-8}, {-4, -8}, {-4, -8, -2}, {-1, -2, -3, -4, -5, -6, -7, -8}, {-1, -2, -3, -4, -5, -6, -7, -8, -0.5, -1.5, -2.5, -3.5}};
  for (const std::vector<double>& expected : powers) {
    const auto heads = static_cast<std::int64_t>(expected.size());
    const Expr score = alibi(heads);
    const Tensor* slopes = travelling(score);
    ASSERT_NE(slopes, nullptr);
    ASSERT_EQ(slopes->shape(), Dims{heads});
    for (std::int64_t h = 0; h < heads; ++h) {
      EXPECT_EQ(slopes->data<float>()[h], static_cast<float>(std::pow(2.0, expected[static_cast<std::size_t>(h)])))
          << heads << " heads, head " << h;
    }
    const std::string slope = "slope_" + std::to_string(heads);
    EXPECT_EQ(to_text(score), "s + " + (heads == 1 ? slope + "[h]" : "dense(" + slope + ", h)") + " * (k - q)");
    EXPECT_EQ(value_of(score, {.q = 5, .k = 2, .h = heads - 1, .s = 0.0}), -3.0 * slopes->data<float>()[heads - 1]);
  }
  EXPECT_THROW((void)alibi(std::int64_t{0}), Error);
  EXPECT_THROW((void)alibi(std::int64_t{-1}), Error);
}

// The distances at which a new bucket begins, computed by transformers' T5Attention._relative_position_bucket in float32 (numpy).
struct Buckets {
  bool bidirectional;
  std::int64_t buckets, max_distance;
  std::vector<std::int64_t> starts;
};

const std::vector<Buckets>& reference_buckets() {
  static const std::vector<Buckets> all{
      {true, 32, 128, {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91}},
      {true, 32, 256, {0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 20, 30, 46, 70, 108, 166}},
      {false, 32, 128, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                        16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113}},
      {false, 64, 1000, {0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14,  15,  16,  17,  18,  19, 20, 21,
                         22,  23,  24,  25,  26,  27,  28,  29,  30,  31,  32,  36,  40,  45,  50,  55,  62,  68,  76,  85, 94, 105,
                         117, 130, 145, 161, 179, 200, 222, 248, 276, 307, 342, 380, 423, 471, 525, 585, 651, 725, 807, 899}},
  };
  return all;
}

// A bias that tells its bucket: bias[h, bucket] = bucket + 1000 h.
Tensor telling_bias(std::int64_t buckets) {
  Tensor bias(DType::kF32, {2, buckets});
  for (std::int64_t i = 0; i < bias.count(); ++i) bias.data<float>()[i] = static_cast<float>(i % buckets + 1000 * (i / buckets));
  return bias;
}

TEST(Scores, T5BucketsAreTransformers) {
  for (const Buckets& reference : reference_buckets()) {
    const Tensor bias = telling_bias(reference.buckets);
    const Expr score = t5(Table("bias"), reference.buckets, reference.max_distance, reference.bidirectional);
    const Formula formula = Formula::score(std::span(&score, 1), {{"bias", bias.view()}});
    const std::int64_t farthest = 3 * reference.max_distance;
    for (std::int64_t distance = -farthest; distance <= farthest; ++distance) {  // k - q
      const std::int64_t away = reference.bidirectional ? std::abs(distance) : std::max<std::int64_t>(-distance, 0);
      const auto begin = reference.starts.begin();
      std::int64_t bucket = std::upper_bound(begin, reference.starts.end(), away) - begin - 1;
      if (reference.bidirectional && distance > 0) bucket += reference.buckets / 2;
      const formula::Value value = formula.at({.q = 5000, .k = 5000 + distance, .h = 1, .s = 0.5});
      ASSERT_LT(value.broken, 0) << distance;
      ASSERT_EQ(value.real, 1000.5 + static_cast<double>(bucket)) << "distance " << distance << " of " << reference.max_distance;
    }
  }
}

TEST(Scores, T5TextAndLimits) {
  EXPECT_EQ(to_text(t5(Table("bias"), 32, 128, true)), "s + dense(bias, h, bucket_32_128[min(max(k - q, -128), 128) + 128])");
  EXPECT_EQ(to_text(t5(Table("bias"), 32, 128, false)), "s + dense(bias, h, bucket_32_128_back[min(max(k - q, -128), 128) + 128])");
  EXPECT_NO_THROW((void)t5(Table("bias"), 2, 2, false));
  EXPECT_NO_THROW((void)t5(Table("bias"), 4, 2, true));
  EXPECT_THROW((void)t5(Table("bias"), 3, 128, true), Error);
  EXPECT_THROW((void)t5(Table("bias"), 1, 128, false), Error);
  EXPECT_THROW((void)t5(Table("bias"), 32, 8, true), Error);
  EXPECT_THROW((void)t5(Table("bias"), 32, std::int64_t{1} << 40, true), Error);
}

TEST(Scores, RelativeClipsTheDistance) {
  const Tables& tables = formula::example_tables();
  const TensorView& table = tables.at("distance");  // [4, 17]
  for (std::int64_t k = 0; k < 64; ++k) {
    const std::int64_t distance = std::clamp<std::int64_t>(k - 30, -8, 8);
    EXPECT_EQ(value_of(relative(Table("distance"), 8), {.q = 30, .k = k, .h = 2, .s = 0.5}), 0.5 + real_at(table, 2 * 17 + distance + 8));
  }
  EXPECT_THROW((void)relative(Table("distance"), -1), Error);
}

TEST(Scores, BiasOfEveryRank) {
  for (const Dims& shape : {Dims{3, 5}, Dims{1, 5}, Dims{2, 3, 5}, Dims{1, 3, 5}, Dims{2, 2, 3, 5}, Dims{2, 1, 3, 1}}) {
    Tensor bias_table(DType::kF32, shape);
    for (std::int64_t i = 0; i < bias_table.count(); ++i) bias_table.data<float>()[i] = static_cast<float>(i) * 0.5F;
    const TensorView view = bias_table.view();
    const std::vector<std::int64_t> place{1, 1, 2, 4};  // b h i k
    std::int64_t offset = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] != 1) offset += place[static_cast<std::size_t>(axis + 4 - shape.rank())] * view.strides[axis];
    }
    EXPECT_EQ(value_of(bias(Table("t"), shape), {.q = 7, .k = 4, .b = 1, .h = 1, .i = 2, .s = 0.25}, {{"t", view}}),
              0.25 + real_at(view, offset))
        << to_text(shape);
  }
  EXPECT_THROW((void)bias(Table("t"), {5}), Error);
}

TEST(Scores, TextAndFunctionsAgree) {
  const Tables& tables = formula::example_tables();
  const std::vector<std::pair<std::string, Expr>> cases{
      {"scale(0.125)", scale(0.125)},
      {"softcap(30.0)", softcap(30.0)},
      {"alibi(4)", alibi(std::int64_t{4})},
      {"t5(buckets, 32, 128, true)", t5(Table("buckets"), 32, 128, true)},
      {"relative(distance, 8)", relative(Table("distance"), 8)},
      {"bias(bias)", bias(Table("bias"), {1, 64, 64})},
      {"bias(bias, b, i, k)", symbols::s + dense(Table("bias"), symbols::b, symbols::i, symbols::k)},
      {"temperature(heat[q])", temperature(Table("heat")[symbols::q])},
  };
  EXPECT_EQ(cases.size(), formula::named_scores().size()) << "a named score is missing here";
  for (const auto& [text, score] : cases) EXPECT_TRUE(same(parse(text, tables), score)) << text;
  EXPECT_TRUE(same(parse("alibi(slope)", tables), alibi(Table("slope"))));
}

}  // namespace
}  // namespace heed
