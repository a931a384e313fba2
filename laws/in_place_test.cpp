// Outputs and memory: O exactly over Q has the bits of O elsewhere, for every kernel; tensors packed into one buffer are computed like
// tensors of their own; any other overlap is refused before anything is written.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"
#include "plan/choice.hpp"
#include "plan/kernels.hpp"

namespace heed::laws {
namespace {

/// A copy of the bytes behind a view that begins at its first element, with the view's strides (none negative).
struct Copy {
  explicit Copy(const TensorView& from) : store(from.dtype, {reach(from)}), span(store.span().data, from.dtype, from.shape, from.strides) {
    std::memcpy(span.data, from.data, static_cast<std::size_t>(store.count() * size_of(from.dtype)));
  }
  static std::int64_t reach(const TensorView& from) {
    std::int64_t last = 0;
    for (int axis = 0; axis < from.shape.rank(); ++axis) last += (from.shape[axis] - 1) * from.strides[axis];
    return last + 1;
  }
  Tensor store;
  TensorSpan span;
};

void expect_in_place(const Draw& draw, const std::string& kernel, int threads, bool statistics) {
  Problem problem = draw.problem();
  problem.kernel = kernel;
  problem.threads = threads;
  problem.statistics = statistics;
  const Plan plan(problem);
  const Dims rows{problem.batch, problem.heads, problem.queries};
  Copy q(draw.q), apart(draw.q);
  const DType statistic = draw.of.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  Tensor lse = poisoned(statistic, rows), lse_apart = poisoned(statistic, rows);
  plan.run({draw.q, draw.k, draw.v}, {.o = apart.span, .lse = lse_apart.span()});
  plan.run({q.span, draw.k, draw.v}, {.o = q.span, .lse = lse.span()});
  EXPECT_TRUE(same_bits(q.store, apart.store)) << kernel << " threads " << threads << ": " << draw.of.text();
  EXPECT_TRUE(same_bits(lse, lse_apart)) << kernel << " threads " << threads << ": " << draw.of.text();
}

/// Every kernel of this machine that takes the problem; returns their names.
std::set<std::string> expect_in_place(const Draw& draw) {
  std::set<std::string> taken;
  for (const plan::Kernel& kernel : plan::kernels()) {
    if (!kernel.missing().empty()) continue;
    const std::string name(kernel.name);
    if (!kernel.decline(inside(Plan(draw.problem())).question, inside(Plan(draw.problem())).parts[0].group).empty()) continue;
    for (const int threads : {1, 2}) expect_in_place(draw, name, threads, name != "classic");
    taken.insert(name);
  }
  return taken;
}

TEST(InPlace, OOverQHasTheBitsOfOElsewhere) {
  std::set<std::string> taken;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    for (const Memory memory : {Memory::kDense, Memory::kTokens, Memory::kColumns}) {
      Case of{.batch = 2, .heads = 2, .kv_heads = 1, .queries = 70, .keys = 100, .dim = 8, .value_dim = 8, .dtype = dtype};
      of.memory = memory;
      of.mask = "causal";
      of.sink = memory == Memory::kTokens;
      taken.merge(expect_in_place(Draw(of)));
      of.queries = 2;  // heads of a group share a tile; decode
      of.scores = {"alibi(slope)"};
      taken.merge(expect_in_place(Draw(of)));
    }
  }
  for (const plan::Kernel& kernel : plan::kernels()) {
    const bool here = kernel.missing().empty();
    EXPECT_EQ(taken.contains(std::string(kernel.name)), here) << kernel.name;
  }
}

/// Few rows on many keys: the blocks of keys are shared out and merged.
TEST(InPlace, WhereKeysAreSplitToo) {
  for (const std::int64_t queries : {1, 3}) {
    Case of{.heads = 1, .kv_heads = 1, .queries = queries, .keys = 5000, .dim = 4, .value_dim = 4, .dtype = DType::kBF16};
    of.mask = "causal & k % 3 != 1";
    expect_in_place(Draw(of));
    of.dtype = DType::kF64;
    expect_in_place(Draw(of));
  }
}

/// Rows that a kernel computes twice, because of numbers that its fast way does not take, read their queries a second time.
TEST(InPlace, WhereRowsAreFoldedAgain) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    for (const std::int64_t queries : {std::int64_t{2}, std::int64_t{90}}) {
      Case of{.heads = 2, .kv_heads = 1, .queries = queries, .keys = 100, .dim = 16, .value_dim = 16, .dtype = dtype};
      of.mask = "causal & k != 3";
      for (int spoiled = 0; spoiled < 5; ++spoiled) {
        Draw draw(of);
        const auto put = [](Tensor& store, std::int64_t row, double value) {
          for (std::int64_t c = 0; c < 16; ++c) store_real(store.span(), row * 16 + c, value);
        };
        if (spoiled == 0) put(draw.v_store, 3, std::nan(""));  // hidden from all
        if (spoiled == 1) put(draw.v_store, 3, HUGE_VAL), put(draw.k_store, 3, HUGE_VAL);
        if (spoiled == 2) put(draw.v_store, 0, 2e38), put(draw.v_store, 1, 2e38), put(draw.k_store, 1, 0), put(draw.k_store, 0, 0);
        if (spoiled == 3) put(draw.q_store, 1, -1e20), put(draw.k_store, 0, 1e20), put(draw.k_store, 1, 2e20);
        if (spoiled == 4) put(draw.q_store, 1, 1e-39), put(draw.v_store, 1, 1e-39);
        expect_in_place(draw);
      }
    }
  }
}

/// [B, T, Hq + 2 Hkv + Hq, D]: a token's queries, keys, values and outputs side by side.
TEST(InPlace, PackedTensorsAreFine) {
  Case of{.batch = 2, .heads = 4, .kv_heads = 2, .queries = 70, .keys = 70, .dim = 16, .value_dim = 16, .mask = "causal"};
  const Draw draw(of);
  const std::int64_t row = 12 * 16;
  Tensor store(DType::kF32, {2, 70, 12, 16});
  const auto part = [&](std::int64_t first, std::int64_t heads) {
    return TensorSpan(store.data<float>() + first * 16, DType::kF32, {2, heads, 70, 16}, {70 * row, 16, row, 1});
  };
  const auto fill = [&](const TensorSpan& to, const Tensor& from) {
    std::int64_t at = 0;
    for (std::int64_t b = 0; b < 2; ++b) {
      for (std::int64_t h = 0; h < to.shape[1]; ++h) {
        for (std::int64_t t = 0; t < 70; ++t) {
          for (std::int64_t c = 0; c < 16; ++c)
            store_real(to, b * to.strides[0] + h * to.strides[1] + t * to.strides[2] + c, real_at(from.view(), at++));
        }
      }
    }
  };
  fill(part(0, 4), draw.q_store);
  fill(part(4, 2), draw.k_store);
  fill(part(6, 2), draw.v_store);
  for (const std::string& kernel : kernels()) {
    Problem problem = draw.problem();
    problem.kernel = kernel;
    Plan(problem).run({part(0, 4), part(4, 2), part(6, 2)}, {.o = part(8, 4)});
    EXPECT_TRUE(same_bits(converted(part(8, 4), DType::kF32), run(draw, kernel).o)) << kernel;
  }
}

void expect_refused(const std::function<void()>& act, const std::string& first, const std::string& second) {
  const std::string message = refusal(act);
  EXPECT_NE(message.find("shares memory"), std::string::npos) << "'" << message << "' " << first << " " << second;
  EXPECT_NE(message.find("tensors " + first + " and " + second), std::string::npos) << message;
}

TEST(InPlace, OverlapsOfARunAreRefused) {
  const Dims shape{1, 2, 20, 8}, rows{1, 2, 20};
  Tensor q(DType::kF32, shape), k(DType::kF32, shape), v(DType::kF32, shape),
      o = poisoned(DType::kF32, shape), lse = poisoned(DType::kF32, rows), bias(DType::kF32, {20, 20}), sinks(DType::kF32, {2});
  Problem problem{.heads = 2, .kv_heads = 2, .queries = 20, .keys = 20, .dim = 8, .value_dim = 8, .sink = sinks.view(), .statistics = true};
  problem.tables = {{"bias", bias.view()}};
  problem.scores = {parse("bias(bias)", problem.tables)};
  const Plan plan(problem);
  const Inputs inputs{q.view(), k.view(), v.view()};
  const auto at = [](Tensor& tensor, std::int64_t elements, const Dims& of) {
    return TensorSpan(tensor.data<float>() + elements, DType::kF32, of);
  };
  expect_refused([&] { plan.run(inputs, {.o = k.span()}); }, "o", "k");
  expect_refused([&] { plan.run(inputs, {.o = v.span()}); }, "o", "v");
  expect_refused([&] { plan.run({q.view(), q.view(), v.view()}, {.o = q.span()}); }, "o", "k");
  expect_refused([&] { plan.run(inputs, {.o = o.span(), .lse = at(q, 0, rows)}); }, "lse", "q");
  expect_refused([&] { plan.run(inputs, {.o = o.span(), .lse = at(o, 280, rows)}); }, "lse", "o");
  expect_refused([&] { plan.run(inputs, {.lse = lse.span(), .entropy = lse.span()}); }, "entropy", "lse");
  expect_refused([&] { plan.run(inputs, {.lse = at(bias, 7, rows)}); }, "lse", "bias");
  expect_refused([&] { plan.run(inputs, {.lse = TensorSpan(sinks.span().data, DType::kF32, rows)}); }, "lse", "sink");
  // The S x S matrices: 2 x 20 x 20 numbers each.
  const Dims square{1, 2, 20, 20};
  Problem whole = problem;
  whole.statistics = false;
  whole.weights = true;
  whole.wanted_scores = Scores::kScaled;
  const Plan gives(whole);
  Tensor scores = poisoned(DType::kF32, square), large(DType::kF32, {2000});
  const auto part = [&](std::int64_t first, const Dims& of) { return TensorSpan(large.data<float>() + first, DType::kF32, of); };
  expect_refused([&] { gives.run(inputs, {.weights = scores.span(), .scores = scores.span()}); }, "scores", "weights");
  expect_refused([&] { gives.run(inputs, {.o = part(0, shape), .scores = part(319, square)}); }, "scores", "o");
  expect_refused([&] { gives.run({part(799, shape), k.view(), v.view()}, {.scores = part(0, square)}); }, "scores", "q");
  expect_refused([&] { gives.run({q.view(), part(799, shape), v.view()}, {.scores = part(0, square)}); }, "scores", "k");
  expect_refused([&] { gives.run({q.view(), k.view(), part(799, shape)}, {.scores = part(0, square)}); }, "scores", "v");
  whole.tables = {{"bias", part(799, {20, 20})}};
  whole.scores = {parse("bias(bias)", whole.tables)};
  expect_refused([&] { Plan(whole).run(inputs, {.scores = part(0, square)}); }, "scores", "bias");
  EXPECT_TRUE(same_bits(scores, poisoned(DType::kF32, square)));
  gives.run({q.view(), k.view(), v.view()}, {.o = part(0, shape), .weights = part(320, square), .scores = part(1120, square)});
  // Over Q, but other places of it.
  Tensor longer(DType::kF32, {2000});
  const TensorView late(longer.data<float>() + 8, DType::kF32, shape);
  expect_refused([&] { plan.run({late, k.view(), v.view()}, {.o = at(longer, 0, shape)}); }, "o", "q");
  EXPECT_TRUE(same_bits(o, poisoned(DType::kF32, shape)));
  EXPECT_TRUE(same_bits(lse, poisoned(DType::kF32, rows)));
  // Rows of O that run into each other, no stride 0 among them.
  const TensorSpan tight(longer.data<float>(), DType::kF32, shape, {320, 160, 7, 1});
  EXPECT_NE(refusal([&] { plan.run(inputs, {.o = tight}); }).find("several results in one place"), std::string::npos);
}

TEST(InPlace, OverlapsOfACensusAreRefused) {
  const Dims shape{1, 2, 20, 8};
  Tensor q(DType::kF32, shape), k(DType::kF32, shape), lse(DType::kF32, {1, 2, 20}), received(DType::kF32, {1, 2, 20});
  const Plan plan(Problem{.heads = 2, .kv_heads = 2, .queries = 20, .keys = 20, .dim = 8, .value_dim = 8});
  const auto call = [&](const CensusOutputs& outputs) { return [&, outputs] { census(plan, q.view(), k.view(), lse.view(), outputs); }; };
  EXPECT_EQ(refusal(call({.received = received.span()})), "");
  expect_refused(call({.received = lse.span()}), "received", "lse");
  expect_refused(call({.received = TensorSpan(q.span().data, DType::kF32, {1, 2, 20})}), "received", "q");
  expect_refused(call({.received = received.span(), .map = TensorSpan(received.span().data, DType::kF32, {1, 2, 4, 4})}), "map",
                 "received");
}

TEST(InPlace, AMergeTakesInPartAfterPart) {
  Case of{.heads = 2, .kv_heads = 2, .queries = 9, .keys = 60, .dim = 8, .value_dim = 8};
  const Draw draw(of);
  std::vector<Result> results;
  for (const std::int64_t first : {0, 20, 40}) {
    const auto part = [&](TensorView whole) {
      whole.data = static_cast<const float*>(whole.data) + first * 8;
      whole.shape[2] = 20;
      return whole;
    };
    Problem problem = draw.problem();
    problem.keys = 20;
    problem.partial = true;
    results.push_back(run(problem, {draw.q, part(draw.k), part(draw.v)}));
  }
  const auto part = [](const Result& result) { return Partial{result.o.view(), result.lse.view()}; };
  Tensor o(DType::kF32, results[0].o.shape()), lse(DType::kF32, results[0].lse.shape());
  const Partial two[] = {part(results[0]), part(results[1])};
  merge(two, {}, o.span(), lse.span());
  merge(two, {}, results[0].o.span(), results[0].lse.span());
  EXPECT_TRUE(same_bits(o, results[0].o));
  EXPECT_TRUE(same_bits(lse, results[0].lse));
  expect_refused([&] { merge(two, {}, o.span(), TensorSpan(o.span().data, DType::kF32, lse.shape())); }, "lse", "o");
  expect_refused([&] { merge(two, {}, o.span(), TensorSpan(results[1].o.span().data, DType::kF32, lse.shape())); }, "lse", "o of part 1");
  TensorSpan reversed = results[1].o.span();
  reversed.data = results[1].o.data<float>() + 8 * 8;
  reversed.strides[2] = -8;
  expect_refused([&] { merge(two, {}, reversed, lse.span()); }, "o", "o of part 1");
  TensorSpan turned = results[1].lse.span();
  turned.data = results[1].lse.data<float>() + 8;
  turned.strides[2] = -1;
  expect_refused([&] { merge(two, {}, o.span(), turned); }, "lse", "lse of part 1");
}

}  // namespace
}  // namespace heed::laws
