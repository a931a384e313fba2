// Names: identifiers, taken names.
#include "formula/names.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace heed::formula
