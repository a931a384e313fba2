// Every named mask against its definition, written here a second time with plain loops and conditions; and how exactly boxes are judged.
#include <heed/masks.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include <heed/error.hpp>

#include "formula/formula.hpp"
#include "formula/named.hpp"
#include "formula/over.hpp"

namespace heed {
namespace {

using formula::Formula;
using formula::Place;
using Sees = std::function<bool(std::int64_t q, std::int64_t k)>;

struct Square {
  std::int64_t first_query = -6, queries = 70, keys = 70;
};

void expect_defined_as(const Expr& mask, const Sees& sees, const Tables& tables = {}, const Square& square = {}, const Place& at = {}) {
  const Formula formula = Formula::mask(mask, tables);
  for (std::int64_t q = square.first_query; q < square.queries; ++q) {
    for (std::int64_t k = 0; k < square.keys; ++k) {
      const formula::Value value = formula.at({.q = q, .k = k, .b = at.b, .h = at.h, .g = at.g, .i = q + at.i});
      ASSERT_LT(value.broken, 0) << to_text(mask) << " has no value at q " << q << ", k " << k;
      ASSERT_EQ(value.integer != 0, sees(q, k)) << to_text(mask) << " at q " << q << ", k " << k;
    }
  }
}

Tensor integers(const std::vector<std::int64_t>& values) {
  Tensor tensor(DType::kI64, {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data<std::int64_t>());
  return tensor;
}

TEST(Masks, Full) {
  expect_defined_as(full(), [](auto, auto) { return true; });
}

TEST(Masks, Causal) {
  expect_defined_as(causal(), [](auto q, auto k) { return !(k > q); });
}

TEST(Masks, WindowCountsItsOwnKey) {
  for (const std::int64_t w : {1, 2, 5, 16, 100}) {
    expect_defined_as(window(w), [w](auto q, auto k) {
      for (std::int64_t back = 0; back < w; ++back) {
        if (k == q - back) return true;
      }
      return false;
    });
  }
}

TEST(Masks, WindowToBothSides) {
  for (const auto& [left, right] : {std::pair{0, 0}, {3, 0}, {0, 4}, {5, 2}}) {
    expect_defined_as(window(left, right), [l = left, r = right](auto q, auto k) {
      for (std::int64_t place = q - l; place <= q + r; ++place) {
        if (k == place) return true;
      }
      return false;
    });
  }
}

TEST(Masks, WindowsOfHugeWidthDoNotOverflow) {
  expect_defined_as(window(INT64_MAX), [](auto q, auto k) { return k <= q; });
  expect_defined_as(window(INT64_MAX, INT64_MAX), [](auto, auto) { return true; });
}

TEST(Masks, Prefix) {
  for (const std::int64_t n : {0, 1, 7}) {
    expect_defined_as(prefix(n), [n](auto q, auto k) {
      if (k < n) return true;
      return k <= q;
    });
  }
}

TEST(Masks, LengthsPerSequence) {
  const Tensor length = integers({5, 0, 64});
  const std::vector<std::int64_t> lengths_of{5, 0, 64};
  for (std::int64_t b = 0; b < 3; ++b) {
    const std::int64_t n = lengths_of[static_cast<std::size_t>(b)];
    expect_defined_as(lengths(Table("length")[symbols::b]), [n](auto, auto k) { return k < n; }, {{"length", length.view()}}, {}, {.b = b});
  }
}

TEST(Masks, DocumentsEmptyOnesAndAllPositionsBeyond) {
  for (const std::vector<std::int64_t>& ends : {std::vector<std::int64_t>{10, 26, 26, 40}, {1}, {0, 0, 3}, {70}}) {
    std::vector<std::int64_t> offsets{0};
    offsets.insert(offsets.end(), ends.begin(), ends.end());
    const Tensor table = integers(offsets);
    expect_defined_as(documents(table.view()), [&](auto q, auto k) {
      for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        const auto inside = [&](std::int64_t place) { return offsets[i] <= place && place < offsets[i + 1]; };
        if (inside(q) && inside(k)) return true;
      }
      return false;
    });
  }
}

TEST(Masks, DocumentsOfAnyIntegerTypeAndStride) {
  Tensor wide(DType::kI32, {3, 2});
  const std::vector<std::int32_t> values{0, -1, 4, -1, 9, -1};
  std::copy(values.begin(), values.end(), wide.data<std::int32_t>());
  const TensorView column(wide.view().data, DType::kI32, {3}, {2});
  EXPECT_TRUE(same(documents(column), documents(integers({0, 4, 9}).view())));
}

TEST(Masks, DocumentsWithoutAnyPosition) {
  expect_defined_as(documents(integers({0}).view()), [](auto, auto) { return false; });
  expect_defined_as(documents(integers({0, 0}).view()), [](auto, auto) { return false; });
}

TEST(Masks, TwoDocumentTablesInOneFormulaKeepTheirNames) {
  const Expr both = documents(integers({0, 4, 9}).view()) & documents(integers({0, 6, 9}).view());
  expect_defined_as(both, [](auto q, auto k) {
    const auto part = [](std::int64_t place) { return place < 0 || place >= 9 ? -1 : place < 4 ? 0 : place < 6 ? 1 : 2; };
    return part(q) >= 0 && part(q) == part(k);
  });
  EXPECT_FALSE(same(documents(integers({0, 4, 9}).view()), documents(integers({0, 6, 9}).view())));
  EXPECT_TRUE(same(documents(integers({0, 4, 9}).view()), documents(integers({0, 4, 9}).view())));
}

TEST(Masks, DocumentsRefusesBadOffsets) {
  EXPECT_THROW((void)documents(integers({1, 2}).view()), Error);
  EXPECT_THROW((void)documents(integers({0, 5, 4}).view()), Error);
  EXPECT_THROW((void)documents(integers({}).view()), Error);
  EXPECT_THROW((void)documents(Tensor(DType::kF32, {3}).view()), Error);
  EXPECT_THROW((void)documents(Tensor(DType::kBool, {3}).view()), Error);
  EXPECT_THROW((void)documents(Tensor(DType::kI64, {3, 1}).view()), Error);
}

TEST(Masks, Chunked) {
  for (const std::int64_t n : {1, 4, 16, 100}) {
    expect_defined_as(chunked(n), [n](auto q, auto k) {
      std::int64_t start = 0;  // of the query's chunk; keys have no chunk before 0
      while (start + n <= q) start += n;
      return q >= 0 && start <= k && k <= q;
    });
  }
}

TEST(Masks, Streaming) {
  for (const auto& [n, w] : {std::pair{4, 16}, {0, 3}, {1, 1}}) {
    expect_defined_as(streaming(n, w), [sinks = n, last = w](auto q, auto k) {
      if (k > q) return false;
      if (k < sinks) return true;
      return q - k <= last - 1;
    });
  }
}

TEST(Masks, Dilated) {
  for (const auto& [w, step] : {std::pair{1, 1}, {4, 1}, {8, 3}, {3, 20}}) {
    expect_defined_as(dilated(w, step), [count = w, stride = step](auto q, auto k) {
      for (std::int64_t i = 0; i < count; ++i) {
        if (k == q - i * stride) return true;
      }
      return false;
    });
  }
}

TEST(Masks, Longformer) {
  const Tables& tables = formula::example_tables();  // global: 0 and 32
  for (const std::int64_t w : {0, 2, 16}) {
    const Sees sees = [w](auto q, auto k) {
      if (q == 0 || q == 32 || k == 0 || k == 32) return true;
      return std::abs(q - k) <= w / 2;
    };
    expect_defined_as(longformer(w, Table("global")), sees, tables, {.first_query = 0, .queries = 64, .keys = 64});
  }
  EXPECT_EQ(to_text(longformer(Table("length")[symbols::b], Table("global"))),
            "abs(q - k) <= length[b] / 2 | dense(global, q) | global[k]");
}

TEST(Masks, DenseOfEveryRankAndBroadcast) {
  const Square square{.first_query = 0, .queries = 5, .keys = 7};
  for (const Dims& shape :
       {Dims{5, 7}, Dims{1, 7}, Dims{5, 1}, Dims{3, 5, 7}, Dims{1, 5, 7}, Dims{2, 3, 5, 7}, Dims{2, 1, 5, 7}, Dims{1, 1, 1, 1}}) {
    Tensor seen(DType::kBool, shape);
    for (std::int64_t i = 0; i < seen.count(); ++i) seen.data<bool>()[i] = (i * i + i / 3) % 5 < 2;
    const TensorView view = seen.view();
    for (std::int64_t b = 0; b < 2; ++b) {
      for (std::int64_t h = 0; h < 3; ++h) {
        const Sees sees = [&](std::int64_t q, std::int64_t k) {
          const std::vector<std::int64_t> place{b, h, q, k};
          std::int64_t offset = 0;
          for (int axis = 0; axis < shape.rank(); ++axis) {
            const std::int64_t index = place[static_cast<std::size_t>(axis + 4 - shape.rank())];
            if (shape[axis] != 1) offset += index * view.strides[axis];
          }
          return integer_at(view, offset) != 0;
        };
        expect_defined_as(dense(Table("seen"), shape), sees, {{"seen", view}}, square, {.b = b, .h = h});
      }
    }
  }
  EXPECT_EQ(to_text(dense(Table("seen"), {2, 1, 5, 7})), "dense(seen)");
  EXPECT_EQ(to_text(dense(Table("seen"), symbols::b, symbols::i, symbols::k)), "dense(seen, b, i, k)");
  EXPECT_THROW((void)dense(Table("seen"), {7}), Error);
  EXPECT_THROW((void)dense(Table("seen"), {1, 1, 1, 5, 7}), Error);
}

// Rows are those of the table, whatever the positions: a query at position q stands in row q + 3 here.
TEST(Masks, DenseReadsTheRowOfTheQuery) {
  Tensor seen(DType::kBool, {9, 7});
  for (std::int64_t i = 0; i < seen.count(); ++i) seen.data<bool>()[i] = i % 5 < 2;
  const Sees sees = [&](auto q, auto k) { return seen.data<bool>()[(q + 3) * 7 + k]; };
  expect_defined_as(dense(Table("seen"), {9, 7}), sees, {{"seen", seen.view()}}, {.first_query = -3, .queries = 6, .keys = 7}, {.i = 3});
}

TEST(Masks, Padding) {
  const Tables& tables = formula::example_tables();  // valid: from 0 in entry 0, from 20 in entry 1
  for (const std::int64_t b : {0, 1})
    expect_defined_as(padding(Table("valid")), [&](auto, auto k) { return k >= 20 * b; }, tables, {.keys = 64}, {.b = b});
}

TEST(Masks, TextAndFunctionsAgree) {
  const Tables& tables = formula::example_tables();
  const std::vector<std::pair<std::string, Expr>> cases{
      {"full", full()},
      {"causal", causal()},
      {"window(16)", window(16)},
      {"window(8, 4)", window(8, 4)},
      {"prefix(16)", prefix(16)},
      {"lengths(length)", lengths(Table("length"))},
      {"documents(offsets)", documents(tables.at("offsets"))},
      {"chunked(16)", chunked(16)},
      {"streaming(4, 16)", streaming(4, 16)},
      {"dilated(8, 3)", dilated(8, 3)},
      {"longformer(16, global)", longformer(16, Table("global"))},
      {"padding(valid)", padding(Table("valid"))},
      {"dense(seen)", dense(Table("seen"), {64, 64})},
      {"dense(block, b, i, k)", dense(Table("block"), symbols::b, symbols::i, symbols::k)},
  };
  EXPECT_EQ(cases.size(), formula::named_masks().size()) << "a named mask is missing here";
  for (const auto& [text, mask] : cases) EXPECT_TRUE(same(parse(text, tables), mask)) << text;
}

// A box is called empty exactly when no place of it is seen, full only when all are: no tile is computed in vain.
TEST(Masks, BoxesWithoutASeenPlaceAreFoundEmpty) {
  const Tables& tables = formula::example_tables();
  std::mt19937 random(7);
  for (const formula::Named& row : formula::named_masks()) {
    if (row.name == "dense" || row.name == "padding" || row.name == "dilated")
      continue;  // as arbitrary as its table; gaps that intervals do not see
    const Formula mask = Formula::mask(parse(row.example, tables), tables);
    const formula::Over over(mask);
    for (int i = 0; i < 300; ++i) {
      const auto range = [&] {
        const std::int64_t first = random() % 64;
        return formula::Range{first, std::min<std::int64_t>(63, first + random() % 20)};
      };
      const formula::Box box{.q = range(), .k = range(), .b = {1, 1}, .h = {0, 0}, .g = {0, 0}};
      std::int64_t seen = 0;
      std::int64_t places = 0;
      for (std::int64_t q = box.q.first; q <= box.q.last; ++q) {
        for (std::int64_t k = box.k.first; k <= box.k.last; ++k, ++places) seen += mask.at({.q = q, .k = k, .b = 1}).integer;
      }
      const formula::Verdict verdict = over.verdict(box);
      const std::string where = row.example + " q " + std::to_string(box.q.first) + ".." + std::to_string(box.q.last) + " k " +
                                std::to_string(box.k.first) + ".." + std::to_string(box.k.last);
      EXPECT_EQ(verdict == formula::Verdict::kEmpty, seen == 0) << where;
      if (verdict == formula::Verdict::kFull) {
        EXPECT_EQ(seen, places) << where;
      }
    }
  }
}

}  // namespace
}  // namespace heed
