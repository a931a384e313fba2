// merge: two parts by hand, in f32 and in place, with a sink, and what is refused. What it does for every kernel: laws/algebra_test.cpp.
#include <heed/merge.hpp>

#include <gtest/gtest.h>

#include <cmath>

#include <heed/error.hpp>

namespace heed {
namespace {

constexpr float kNothing = -INFINITY;

TEST(Merge, WeighsPartsByTheirSums) {
  // Row 0: both parts see; row 1: one alone; row 2: none.
  float o1[] = {1, 2, 5, 6, 0, 0}, l1[] = {0, 2, kNothing}, o2[] = {4, 8, 0, 0, 0, 0}, l2[] = {std::log(2.0F), kNothing, kNothing};
  const Dims o{1, 1, 3, 2}, l{1, 1, 3};
  const Partial parts[] = {{view(o1, o), view(l1, l)}, {view(o2, o), view(l2, l)}};
  float whole[6], lse[3];
  merge(parts, {}, span(whole, o), span(lse, l));
  EXPECT_FLOAT_EQ(whole[0], 3);
  EXPECT_FLOAT_EQ(whole[1], 6);
  EXPECT_FLOAT_EQ(lse[0], std::log(3.0F));
  EXPECT_EQ(whole[2], 5);
  EXPECT_EQ(lse[1], 2);
  EXPECT_EQ(whole[4], 0);
  EXPECT_EQ(lse[2], kNothing);
  const float sink[] = {std::log(3.0F)};
  merge(parts, view(sink, {1}), span(o1, o), span(l1, l));  // over the first part
  EXPECT_FLOAT_EQ(o1[0], 1.5);
  EXPECT_FLOAT_EQ(l1[0], std::log(6.0F));
  EXPECT_FLOAT_EQ(l1[2], std::log(3.0F));
}

TEST(Merge, RefusesWhatIsNoPart) {
  float o[4], l[2], other[3];
  const Partial good{view(o, {1, 1, 2, 2}), view(l, {1, 1, 2})}, wrong{view(o, {1, 1, 2, 2}), view(other, {1, 1, 3})};
  EXPECT_THROW(merge({}, {}, {}, {}), Error);
  EXPECT_THROW(merge({&wrong, 1}, {}, {}, {}), Error);
  EXPECT_THROW(merge({&good, 1}, {}, span(o, {1, 1, 2, 2}), span(o, {1, 1, 2})), Error);
}

}  // namespace
}  // namespace heed
