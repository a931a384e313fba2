// Laws that need no reference: V = 1 gives 1, linearity in V, permutation of keys, split and merge.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "laws/support/case.hpp"

namespace heed::laws {
namespace {

void set_all(Tensor& tensor, double value) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, value);
}

TEST(Algebra, ValuesOfOneGiveOne) {
  for (const std::string& mask : sweep_masks()) {
    for (const std::vector<std::string>& scores : sweep_scores()) {
      Case of{.batch = 2, .queries = 90, .keys = 90, .dim = 16, .value_dim = 3, .mask = mask, .scores = scores};
      for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
        of.dtype = dtype;
        Draw draw(of);
        set_all(draw.v_store, 1);
        const Result result = run(draw, kernel);
        const Result counts = truth(draw);
        for (std::int64_t i = 0; i < result.o.count(); ++i) {
          const double expected = counts.visible.data<std::int64_t>()[i / 3] > 0 ? 1.0 : 0.0;
          ASSERT_NEAR(real_at(result.o.view(), i), expected, dtype == DType::kF64 ? 1e-14 : 1e-5)
              << kernel << ": " << of.text() << " element " << i;
        }
      }
    }
  }
}

TEST(Algebra, LinearInValues) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    Case of{.queries = 70, .keys = 80, .dim = 16, .value_dim = 8, .dtype = dtype, .mask = "causal", .scores = {"alibi(slope)"}};
    Draw a(of), b(of), both(of);
    for (std::int64_t i = 0; i < a.v_store.count(); ++i) {
      const double x = real_at(a.v_store.view(), i), y = std::sin(static_cast<double>(i));
      store_real(b.v_store.span(), i, y);
      store_real(both.v_store.span(), i, 3 * x - 2 * y);
    }
    const Result ra = run(a, kernel), rb = run(b, kernel), rboth = run(both, kernel);
    for (std::int64_t i = 0; i < ra.o.count(); ++i) {
      ASSERT_NEAR(real_at(rboth.o.view(), i), 3 * real_at(ra.o.view(), i) - 2 * real_at(rb.o.view(), i),
                  dtype == DType::kF64 ? 1e-13 : 2e-5)
          << kernel;
    }
  }
}

TEST(Algebra, KeysInAnyOrder) {
  for (const auto& [kernel, dtype] : kernels_of_any_dtype()) {
    Case of{.heads = 1, .kv_heads = 1, .queries = 33, .keys = 150, .dim = 16, .value_dim = 16, .dtype = dtype};
    const Draw draw(of);
    Draw shuffled(of);
    std::vector<std::int64_t> order(static_cast<std::size_t>(of.keys));
    std::iota(order.begin(), order.end(), 0);
    std::reverse(order.begin() + 10, order.end());
    for (std::size_t j = 0; j < order.size(); ++j) {
      for (std::int64_t c = 0; c < 16; ++c) {
        const auto to = static_cast<std::int64_t>(j) * 16 + c;
        store_real(shuffled.k_store.span(), to, real_at(draw.k_store.view(), order[j] * 16 + c));
        store_real(shuffled.v_store.span(), to, real_at(draw.v_store.view(), order[j] * 16 + c));
      }
    }
    const Result exact = truth(draw);
    const Naive plain = naive(draw);
    EXPECT_EQ(violation(run(shuffled, kernel), exact, plain, of.dtype), "") << kernel;
  }
}

/// Rows [first, last) along T of a dense [B, H, T, D] tensor.
TensorView part_of(const TensorView& tensor, std::int64_t first, std::int64_t last) {
  TensorView part = tensor;
  part.shape[2] = last - first;
  part.data = static_cast<const std::byte*>(tensor.data) + first * tensor.strides[2] * size_of(tensor.dtype);
  return part;
}

/// The columns of a table up to a key: a part of the keys that ends there has no others.
void cut_keys(TensorView& table, std::int64_t keys) {
  table.shape[table.shape.rank() - 1] = keys;
}

TEST(Algebra, SplitAnywhereAndMergeIsTheWhole) {
  for (const std::string& mask : sweep_masks()) {
    for (const bool sink : {false, true}) {
      for (const DType dtype : {DType::kF32, DType::kF64}) {
        Case of{.batch = 2,
                .queries = 70,
                .keys = 140,
                .dim = 16,
                .value_dim = 24,
                .dtype = dtype,
                .mask = mask,
                .scores = {"s - 0.02 * abs(q - k)"},
                .sink = sink};
        const Draw draw(of);
        const Result exact = truth(draw);
        const Naive plain = naive(draw);
        for (const std::vector<std::int64_t>& cuts : {std::vector<std::int64_t>{0, 140}, {0, 1, 140}, {0, 50, 64, 64, 133, 140}}) {
          std::vector<Tensor> outs, lses;
          std::vector<Partial> parts;
          for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
            Problem problem = draw.problem();
            problem.keys = cuts[i + 1] - cuts[i];
            for (const char* name : {"seen", "valid", "block"}) cut_keys(problem.tables[name], cuts[i + 1]);
            problem.align = Align::at({of.keys - of.queries});
            problem.first_key = cuts[i];
            problem.partial = true;
            const Result part = run(problem, {draw.q, part_of(draw.k, cuts[i], cuts[i + 1]), part_of(draw.v, cuts[i], cuts[i + 1])});
            outs.push_back(part.o);
            lses.push_back(part.lse);
          }
          for (std::size_t i = 0; i < outs.size(); ++i) parts.push_back({outs[i].view(), lses[i].view()});
          Result merged{.o = poisoned(dtype, exact.o.shape()), .lse = poisoned(dtype, exact.lse.shape())};
          merge(parts, sink ? draw.sink_store.view() : TensorView{}, merged.o.span(), merged.lse.span());
          EXPECT_EQ(violation(merged, exact, plain, of.dtype), "") << of.text() << " parts " << parts.size();
        }
      }
    }
  }
}

/// f64 parts, as a plan of f64 tensors writes them: the whole to double's precision.
TEST(Algebra, PartsInDoubleMergeInDouble) {
  Case of{
      .heads = 2, .kv_heads = 1, .queries = 7, .keys = 50, .dim = 8, .value_dim = 5, .dtype = DType::kF64, .mask = "causal", .sink = true};
  const Draw draw(of);
  const Result whole = truth(draw);
  std::vector<Result> results;
  std::vector<Partial> parts;
  for (const auto& [first, last] : {std::pair{0, 13}, {13, 50}}) {
    const auto part = [first = first, last = last](TensorView all) {
      all.data = static_cast<const double*>(all.data) + first * all.strides[2];
      all.shape[2] = last - first;
      return all;
    };
    Problem problem = draw.problem();
    problem.keys = last - first;
    problem.first_key = first;
    problem.align = Align::at({43});
    problem.partial = true;
    results.push_back(run(problem, {draw.q, part(draw.k), part(draw.v)}));
  }
  for (const Result& result : results) parts.push_back({result.o.view(), result.lse.view()});
  Tensor o = poisoned(DType::kF64, whole.o.shape()), lse = poisoned(DType::kF64, whole.lse.shape()),
         narrow = poisoned(DType::kF32, whole.o.shape());
  merge(parts, draw.sink_store.view(), o.span(), lse.span());
  merge(parts, draw.sink_store.view(), narrow.span(), {});
  for (std::int64_t i = 0; i < o.count(); ++i) {
    EXPECT_NEAR(o.data<double>()[i], whole.o.data<double>()[i], 1e-14);
    EXPECT_EQ(narrow.data<float>()[i], static_cast<float>(o.data<double>()[i]));
  }
  for (std::int64_t i = 0; i < lse.count(); ++i) EXPECT_NEAR(lse.data<double>()[i], whole.lse.data<double>()[i], 1e-14);
}

}  // namespace
}  // namespace heed::laws
