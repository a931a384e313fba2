// Bad input to the library: one clear heed::Error that says what, where, expected, found; and nothing is written.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"

namespace heed::laws {
namespace {

Problem small() {
  return {.heads = 2, .kv_heads = 2, .queries = 4, .keys = 4, .dim = 8, .value_dim = 8};
}

void expect_refusal(const std::function<void(Problem&)>& spoil, const std::vector<std::string>& says) {
  const std::string message = refusal([&] {
    Problem problem = small();
    spoil(problem);
    const Plan plan(problem);
  });
  for (const std::string& part : says)
    EXPECT_NE(message.find(part), std::string::npos) << "'" << message << "' should say '" << part << "'";
}

TEST(Refusals, OfTheProblem) {
  expect_refusal([](Problem& p) { p.kv_heads = 3; }, {"multiple of kv heads", "Hq % Hkv == 0", "Hkv = 3"});
  expect_refusal([](Problem& p) { p.kv_heads = 0; }, {"multiple of kv heads"});
  expect_refusal([](Problem& p) { p.queries = -1; }, {"negative size", "Tq", "-1"});
  expect_refusal([](Problem& p) { p.dim = 0; }, {"D", "1 or more", "0"});
  expect_refusal([](Problem& p) { p.keys = p.queries = std::int64_t{1} << 62; }, {"[1, 2, 4611686018427387904"});
  expect_refusal([](Problem& p) { p.scale = std::nan(""); }, {"scale", "finite", "nan"});
  expect_refusal([](Problem& p) { p.dtype = DType::kI32; }, {"dtype", "i32"});
  expect_refusal([](Problem& p) { p.threads = -2; }, {"threads", "-2"});
  expect_refusal([](Problem& p) { p.kernel = "warp"; }, {"unknown kernel", "simd, double, classic, reference", "warp"});
  expect_refusal([](Problem& p) { p.strict = true, p.weights = true; }, {"no kernel accepts", "simd", "classic", "strict"});
  expect_refusal([](Problem& p) { p.kernel = "simd", p.dtype = DType::kF64; }, {"no kernel accepts", "f64 asks for double"});
  expect_refusal([](Problem& p) { p.kernel = "double", p.dtype = DType::kBF16; }, {"no kernel accepts", "is for f64 tensors"});
  expect_refusal([](Problem& p) { p.kernel = "double", p.dtype = DType::kF64, p.weights = true; }, {"never makes the S x S weights"});
  expect_refusal([](Problem& p) { p.keys = 9, p.mask = causal(); }, {"align", "Tq = 4, Tk = 9"});
  expect_refusal([](Problem& p) { p.align = Align::at({1, 2, 3}); }, {"offsets", "3"});
}

/// Positions are refused, with both numbers, before they are added up; just below the limit they are right.
TEST(Refusals, OfPositionsTooFar) {
  constexpr std::int64_t kFar = std::int64_t{1} << 60;
  for (const std::int64_t first : {INT64_MIN, INT64_MIN + 1, -kFar - 1, kFar, INT64_MAX}) {
    for (const Align& align : {Align::end(), Align::start(), Align{}}) {
      expect_refusal([&](Problem& p) { p.first_key = first, p.align = align; }, {"first_key = " + std::to_string(first), "Tk = 4"});
    }
  }
  for (const std::int64_t offset : {INT64_MIN, -kFar - 1, kFar, INT64_MAX}) {
    expect_refusal([&](Problem& p) { p.align = Align::at({offset}); }, {"offset = " + std::to_string(offset), "Tq = 4"});
    expect_refusal([&](Problem& p) { p.batch = 2, p.align = Align::at({0, offset}); }, {"offset = " + std::to_string(offset), "Tq = 4"});
  }
  expect_refusal([](Problem& p) { p.heads = p.kv_heads = p.dim = p.value_dim = 1, p.queries = INT64_MAX, p.align = Align::end(); },
                 {"position too far", "Tq = 9223372036854775807"});
  for (const std::int64_t first : {-kFar, kFar - 3}) {
    Problem problem = small();
    problem.mask = causal();
    problem.first_key = first;
    problem.align = first < 0 ? Align::at({first}) : Align::end();
    EXPECT_EQ(Plan(problem).tiles().partial, 2) << first;
  }
}

TEST(Refusals, OfFormulas) {
  const float one[] = {1};
  expect_refusal([](Problem& p) { p.mask = symbols::s > 0; }, {"`s` is the score", "^"});
  expect_refusal([](Problem& p) { p.mask = symbols::k + 1; }, {"a mask must be boolean", "integer"});
  expect_refusal([](Problem& p) { p.scores = {symbols::k < 3}; }, {"boolean"});
  expect_refusal([](Problem& p) { p.mask = Table("nowhere")[symbols::k] < 3; }, {"nowhere"});
  expect_refusal([&](Problem& p) { p.tables["t"] = view(one, {1}), p.mask = Table("t")(symbols::q, symbols::k) < 3.0; },
                 {"rank 1", "2 indices"});
  expect_refusal([&](Problem& p) { p.tables["t"] = view(one, {1}), p.scores = {symbols::s + Table("t")[symbols::k]}; },
                 {"t[1]", "shape [1]", "k = 1"});
  expect_refusal([](Problem& p) { p.mask = symbols::k / (symbols::q - 2) == 0; }, {"division by zero", "q = 2"});
}

/// A condition that reads s may come out either way: what a plan lets through has a value whatever the scores are.
/// A box of positions holds rows of one entry where it holds none of another.
TEST(Refusals, OfARowOfAnyEntryWhereverItStands) {
  const Tensor table(DType::kF32, {4, 1});
  for (const std::vector<std::int64_t>& offsets : {std::vector<std::int64_t>{0, 50}, {50, 0}, {3, -2}}) {
    expect_refusal(
        [&](Problem& p) {
          p.batch = 2;
          p.align = Align::at(offsets);
          p.tables = {{"m", table.view()}};
          p.scores = {parse("s + m[i, b]", p.tables)};
        },
        {"out of range: m[0, 1]", "b = 1", "i = 0"});
  }
}

TEST(Refusals, OfWhatSomeScoreCanReach) {
  const std::vector<float> ten(10, 1.0F);
  const auto score = [&](const char* text, const char* mask = "true") {
    return [&ten, text, mask](Problem& p) {
      p.queries = p.keys = 100;
      p.tables["t"] = view(ten.data(), {10});
      p.mask = parse(mask, p.tables);
      p.scores = {parse(text, p.tables)};
    };
  };
  const auto accepted = [&](const char* text, const char* mask = "true") {
    EXPECT_EQ(refusal([&] {
                Problem problem = small();
                score(text, mask)(problem);
                const Plan plan(problem);
              }),
              "")
        << text;
  };
  expect_refusal(score("select(s > 0.5, t[k], s)"), {"t[10]", "shape [10]", "k = 10"});
  expect_refusal(score("select(s > 1e30, s, t[k])"), {"t[10]", "k = 10"});
  expect_refusal(score("s + select(s > 1, 10 / (k - 5), 0)"), {"division by zero", "k = 5"});
  expect_refusal(score("select(s > 0.5 & t[k] > 0.0, 1.0, s)"), {"t[10]", "k = 10"});
  expect_refusal(score("select(s > 0.5, t[k], s)", "k < 11 & q > 40"), {"t[10]", "q = 41, k = 10"});
  expect_refusal(score("select(s > 0.5, 9223372036854775807 + k, 0)"), {"overflow", "k = 1"});
  accepted("select(s > 0.5, t[k], s)", "k < 10");
  accepted("select(s > 0.5 & k < 10, t[k], s)");
  accepted("select(k < 10, select(s > 0.5, t[k], s), s)");
  accepted("s + floor(1.0 / s)");
  accepted("s + 3 / floor(s) + floor(s * 1e30)");
}

TEST(Refusals, OfTensorsBeforeAnythingIsWritten) {
  const Plan plan(small());
  const Dims shape{1, 2, 4, 8};
  Tensor good(DType::kF32, shape), wrong(DType::kF32, {1, 2, 5, 8}), other(DType::kF16, shape);
  Tensor o = poisoned(DType::kF32, shape), lse(DType::kF32, {1, 2, 5});
  const auto message = [&](const Inputs& inputs, const Outputs& outputs) { return refusal([&] { plan.run(inputs, outputs); }); };
  EXPECT_NE(message({wrong.view(), good.view(), good.view()}, {.o = o.span()})
                .find("tensor q: wrong shape; expected [1, 2, 4, 8]; found [1, 2, 5, 8]"),
            std::string::npos);
  EXPECT_NE(
      message({good.view(), other.view(), good.view()}, {.o = o.span()}).find("tensor k: wrong element type; expected f32; found f16"),
      std::string::npos);
  EXPECT_NE(message({good.view(), good.view(), good.view()}, {.o = o.span(), .lse = lse.span()}).find("tensor lse"), std::string::npos);
  EXPECT_NE(message({good.view(), good.view(), good.view()}, {.o = o.span(), .maximum = Tensor(DType::kF32, {1, 2, 4}).span()})
                .find("Problem::statistics"),
            std::string::npos);
  EXPECT_TRUE(same_bits(o, poisoned(DType::kF32, shape)));
}

/// What would compile and be wrong without a word.
TEST(Refusals, OfLikelyMistakes) {
  static_assert(!std::is_convertible_v<Expr (*)(), Expr>, "a mask without its parentheses");
  static_assert(!std::is_convertible_v<const float*, Expr> && !std::is_convertible_v<const char*, Expr>);
  const Plan plan(small());
  const Dims shape{1, 2, 4, 8};
  Tensor good(DType::kF32, shape), o(DType::kF32, shape);
  const TensorView lame(good.view().data, DType::kF32, shape, {8, 1});
  EXPECT_NE(refusal([&] {
              plan.run({lame, good.view(), good.view()}, {.o = o.span()});
            }).find("wrong number of strides; expected 4; found 2"),
            std::string::npos);
  const TensorSpan one(o.span().data, DType::kF32, shape, {64, 32, 0, 1});
  EXPECT_NE(refusal([&] {
              plan.run({good.view(), good.view(), good.view()}, {.o = one});
            }).find("several results in one place"),
            std::string::npos);
  expect_refusal([](Problem& p) { p.mask = causal(), p.first_key = 64; }, {"align", "first_key = 64"});
  expect_refusal(
      [](Problem& p) { p.tables["t"] = TensorView(nullptr, DType::kF32, {4}), p.scores = {symbols::s + Table("t")[symbols::k]}; },
      {"no data"});
  const float infinite[] = {0, HUGE_VALF};
  expect_refusal([&](Problem& p) { p.sink = view(infinite, {2}); }, {"sink", "inf"});
  EXPECT_NE(refusal([] { (void)Expr(~std::uint64_t{0}); }).find("too large"), std::string::npos);
}

/// The last query of a part stands at the last key of the part.
TEST(Refusals, NotOfPartsThatSayWhereTheyStand) {
  Problem problem = small();
  problem.mask = causal();
  problem.first_key = 64;
  problem.align = Align::end();
  EXPECT_EQ(Plan(problem).tiles().partial, 2);
  problem.align = Align::start();
  EXPECT_EQ(Plan(problem).tiles().empty, 2);
}

TEST(Refusals, OfDisagreeingTensors) {
  Tensor q(DType::kF32, {1, 4, 8, 16}), k(DType::kF32, {1, 2, 9, 16});
  const auto message = [&](const Dims& v, DType dtype = DType::kF32) {
    return refusal([&] { (void)problem_of(q.view(), k.view(), Tensor(dtype, v).view()); });
  };
  EXPECT_EQ(message({1, 2, 9, 4}), "");
  EXPECT_NE(message({1, 2, 8, 4}).find("numbers of keys disagree"), std::string::npos);
  EXPECT_NE(message({2, 2, 9, 4}).find("batch sizes disagree"), std::string::npos);
  EXPECT_NE(message({1, 4, 9, 4}).find("kv heads disagree"), std::string::npos);
  EXPECT_NE(message({2, 9, 4}).find("wrong rank"), std::string::npos);
  EXPECT_NE(message({1, 2, 9, 4}, DType::kBF16).find("element types disagree"), std::string::npos);
}

TEST(Refusals, OfMerging) {
  Tensor o(DType::kF32, {1, 1, 2, 3}), lse(DType::kF32, {1, 1, 2}), half(DType::kF16, {1, 1, 2, 3});
  EXPECT_NE(refusal([&] { merge({}, {}, o.span(), lse.span()); }).find("nothing to merge"), std::string::npos);
  const Partial bad[] = {{o.view(), lse.view()}, {half.view(), lse.view()}};
  EXPECT_NE(refusal([&] { merge(bad, {}, o.span(), lse.span()); }).find("o of part 1"), std::string::npos);
  Tensor wide(DType::kF64, {1, 1, 2, 3}), wide_lse(DType::kF64, {1, 1, 2}), part_o(DType::kF32, {1, 1, 2, 3}),
      part_lse(DType::kF32, {1, 1, 2});
  const Partial mixed[] = {{part_o.view(), part_lse.view()}, {wide.view(), wide_lse.view()}};
  EXPECT_NE(refusal([&] { merge(mixed, {}, o.span(), lse.span()); }).find("o of part 1: wrong element type; expected f32; found f64"),
            std::string::npos);
  const Partial part[] = {{part_o.view(), part_lse.view()}};
  EXPECT_NE(refusal([&] { merge(part, {}, wide.span(), lse.span()); }).find("tensor o: wrong element type"), std::string::npos);
  const TensorSpan one_row(o.span().data, DType::kF32, {1, 1, 2, 3}, {6, 6, 0, 1}),
      one_place(lse.span().data, DType::kF32, {1, 1, 2}, {2, 2, 0});
  EXPECT_NE(refusal([&] { merge(part, {}, one_row, lse.span()); }).find("several results in one place"), std::string::npos);
  EXPECT_NE(refusal([&] { merge(part, {}, o.span(), one_place); }).find("several results in one place"), std::string::npos);
  for (const float logit : {std::nanf(""), HUGE_VALF}) {
    const float sinks[] = {logit};
    EXPECT_NE(refusal([&] { merge(part, view(sinks, {1}), o.span(), lse.span()); }).find("sink of head 0"), std::string::npos);
  }
}

}  // namespace
}  // namespace heed::laws
