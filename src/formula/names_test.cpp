// Names: identifiers, taken names, guesses.
#include "formula/names.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace heed::formula {
namespace {

TEST(Names, Identifiers) {
  for (const char* name : {"a", "_", "length", "doc_3f2a", "T5"}) EXPECT_TRUE(is_identifier(name)) << name;
  for (const char* name : {"", "5", "5a", "a.b", "a b", "a-b", "l\u00e4nge"}) EXPECT_FALSE(is_identifier(name)) << name;
}

TEST(Names, TakenNames) {
  EXPECT_EQ(taken_by("q"), "symbol");
  EXPECT_EQ(taken_by("i"), "symbol");
  EXPECT_EQ(taken_by("floor"), "function");
  EXPECT_EQ(taken_by("window"), "named mask");
  EXPECT_EQ(taken_by("true"), "literal");
  EXPECT_EQ(taken_by("nan"), "literal");
  for (const char* name : {"bias", "temperature", "length", "Q", "<=", "[]", "integer"}) EXPECT_EQ(taken_by(name), "") << name;
}

TEST(Names, NearestByTypingSlips) {
  const std::vector<std::string> names{"causal", "chunked", "exp", "abs", "length", "longformer"};
  EXPECT_EQ(nearest("cusal", names), "causal");
  EXPECT_EQ(nearest("casual", names), "causal");
  EXPECT_EQ(nearest("Causal", names), "causal");
  EXPECT_EQ(nearest("lenght", names), "length");
  EXPECT_EQ(nearest("ex", names), "exp");
  EXPECT_EQ(nearest("asb", names), "abs");
  EXPECT_EQ(nearest("longfromer", names), "longformer");
  for (const char* far : {"x", "foo", "csl", "window", "", "sb"}) EXPECT_EQ(nearest(far, names), "") << far;
  EXPECT_EQ(nearest(std::string(1000, 'a'), names), "");
}

}  // namespace
}  // namespace heed::formula
