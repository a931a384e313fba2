// .safetensors files: a real one, small ones made here, and one test for every kind of bad input.
#include "io/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::bytes_of;
using test::expect_error;
using test::little;

std::string file_of(const std::string& header, const std::string& data) {
  return little(header.size(), 8) + header + data;
}

Safetensors parse(const std::string& bytes) {
  return parse_safetensors(bytes_of(bytes), bytes.size(), "x.safetensors");
}

void expect_refusal(const std::string& header, const std::string& data, std::initializer_list<std::string_view> pieces) {
  expect_error([&] { (void)parse(file_of(header, data)); }, pieces);
  expect_error([&] { (void)parse(file_of(header, data)); }, {"x.safetensors"});
}

/// A header of one tensor t.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST(ReadSafetensors, ReadsTheExampleFile) {
  const Safetensors file = read_safetensors(HEED_SOURCE_DIR "/examples/licence-smollm2-layer15.safetensors");
  const Tensor& query = file.tensors.at("q");
  EXPECT_EQ(query.dtype(), DType::kBF16);
  EXPECT_EQ(query.shape(), (Dims{1, 9, 2224, 64}));
  EXPECT_EQ(file.tensors.at("k").shape(), (Dims{1, 3, 2224, 64}));
  EXPECT_EQ(file.tensors.at("v").shape(), (Dims{1, 3, 2224, 64}));
  for (std::int64_t i = 0; i < query.count(); i += 997) ASSERT_TRUE(std::isfinite(real_at(query.view(), i)));
  EXPECT_EQ(file.metadata.at("scale"), "0.125");
  EXPECT_EQ(file.metadata.at("mask"), "causal");
  EXPECT_TRUE(file.metadata.at("tokens").starts_with("["));
}

TEST(ReadSafetensors, AMissingFileIsAnError) {
  expect_error([] { (void)read_safetensors("/nowhere/x.safetensors"); }, {"/nowhere/x.safetensors", "No such file"});
}

TEST(ParseSafetensors, ReadsTensorsMetadataAndPadding) {
  const Safetensors file = parse(file_of(R"({"b":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]},"__metadata__":{"k":"v"},)"
                                         R"("a":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]}}   )",
                                         little(1, 2) + little(0xFFFE, 2) + std::string("\x00\x01\x05", 3)));
  EXPECT_EQ(file.metadata.at("k"), "v");
  EXPECT_EQ(file.tensors.at("a").shape(), (Dims{2, 1}));
  EXPECT_EQ(integer_at(file.tensors.at("a").view(), 1), -2);
  EXPECT_EQ(file.tensors.at("b").data<std::uint8_t>()[2], 1);
}

TEST(ParseSafetensors, ReadsEveryDtype) {
  const std::pair<const char*, DType> names[] = {{"F64", DType::kF64}, {"F32", DType::kF32},  {"F16", DType::kF16}, {"BF16", DType::kBF16},
                                                 {"I64", DType::kI64}, {"I32", DType::kI32},  {"I16", DType::kI16}, {"I8", DType::kI8},
                                                 {"U8", DType::kU8},   {"BOOL", DType::kBool}};
  for (const auto& [name, dtype] : names) {
    const std::string data(static_cast<std::size_t>(size_of(dtype)), '\0');
    const Safetensors file = parse(file_of(one('"' + std::string(name) + '"', "[]", "[0," + std::to_string(data.size()) + "]"), data));
    EXPECT_EQ(file.tensors.at("t").dtype(), dtype);
    EXPECT_EQ(file.tensors.at("t").shape(), Dims{});
  }
}

TEST(ParseSafetensors, UnsignedNumbersAreWidened) {
  EXPECT_EQ(integer_at(parse(file_of(one(R"("U16")", "[1]", "[0,2]"), "\xff\xff")).tensors.at("t").view(), 0), 0xFFFF);
  const Safetensors file = parse(file_of(one(R"("U32")", "[1]", "[0,4]"), "\xff\xff\xff\xff"));
  EXPECT_EQ(file.tensors.at("t").dtype(), DType::kI64);
  EXPECT_EQ(integer_at(file.tensors.at("t").view(), 0), 0xFFFF'FFFF);
  EXPECT_EQ(integer_at(parse(file_of(one(R"("U64")", "[]", "[0,8]"), little(5, 8))).tensors.at("t").view(), 0), 5);
  expect_refusal(one(R"("U64")", "[1]", "[0,8]"), std::string(8, '\xff'), {"tensor t", "does not fit", "18446744073709551615"});
}

TEST(OpenSafetensors, ReadsWhatIsAskedForWhateverElseIsThere) {
  const std::string bytes = file_of(R"({"f8":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},)"
                                    R"("deep":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[2,3]},)"
                                    R"("q":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
                                    "12345");
  const TensorFilePtr file = open_safetensors(memory_source({bytes_of(bytes), bytes.size()}, "x.safetensors"));
  ASSERT_EQ(file->entries().size(), 3U);
  EXPECT_EQ(file->entries()[2].name, "q");
  EXPECT_EQ(file->entries()[2].bytes, 2U);
  EXPECT_EQ(file->read(2).data<char>()[1], '5');
  expect_error([&] { (void)file->read(0); }, {"x.safetensors, tensor f8", "unknown dtype", "F8_E4M3"});
  expect_error([&] { (void)file->read(1); }, {"x.safetensors, tensor deep", "too many axes"});
}

TEST(WriteSafetensors, ComesBack) {
  const test::Folder folder;
  for (const DType dtype :
       {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64, DType::kI32, DType::kI16, DType::kI8, DType::kU8, DType::kBool}) {
    Tensor tensor(dtype, {2, 3});
    for (std::int64_t i = 0; i < 6; ++i) store_real(tensor.span(), i, static_cast<double>(i % 2));
    write_safetensors(folder.file("a"), "o", {tensor.data<char>(), dtype, {3, 2}, {1, 3}});
    const Safetensors file = read_safetensors(folder.file("a"));
    const Tensor& back = file.tensors.at("o");
    EXPECT_EQ(back.dtype(), dtype);
    ASSERT_EQ(back.shape(), (Dims{3, 2}));
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(real_at(back.view(), i), static_cast<double>((i / 2 + i % 2 * 3) % 2));
  }
  write_safetensors(folder.file("a"), "\"", Tensor(DType::kF32, {0, 4}).view());
  EXPECT_EQ(read_safetensors(folder.file("a")).tensors.at("\"").shape(), (Dims{0, 4}));
  expect_error([&] { write_safetensors(folder.file("b"), "o", {nullptr, DType::kF32, {2}}); }, {"without data"});
  EXPECT_EQ(folder.count(), 1);
}

TEST(ParseSafetensors, EmptyTensorsAndNoTensorsAreLegal) {
  EXPECT_EQ(parse(file_of(one(R"("F32")", "[2,0]", "[0,0]"), "")).tensors.at("t").shape(), (Dims{2, 0}));
  EXPECT_TRUE(parse(file_of("{}", "")).tensors.empty());
}

TEST(ParseSafetensors, EveryTruncationIsAnError) {
  const std::string whole = file_of(one(R"("F32")", "[2]", "[0,8]"), "12345678");
  (void)parse(whole);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_THROW((void)parse(whole.substr(0, size)), Error) << size;
  expect_error([&] { (void)parse(whole.substr(0, 5)); }, {"truncated: the header length"});
  expect_error([&] { (void)parse(whole.substr(0, 20)); }, {"truncated: the header is"});
  expect_error([&] { (void)parse(whole.substr(0, whole.size() - 1)); }, {"tensor t", "truncated", "expected 8 bytes of data", "found 7"});
}

TEST(ParseSafetensors, ALongHeaderIsAnError) {
  expect_error([] { (void)parse(little(1ULL << 60, 8) + "{}"); }, {"header is too long", "100000000", "1152921504606846976"});
  expect_error([] { (void)parse(little(100'000'001, 8) + "{}"); }, {"header is too long"});
  expect_error([] { (void)parse(little(100'000'000, 8) + "{}"); }, {"truncated: the header is"});
}

TEST(ParseSafetensors, AHeaderThatIsNoObjectIsAnError) {
  expect_refusal("", "", {"not an object"});
  expect_refusal("[]", "", {"not an object"});
  expect_refusal(" {}", "", {"not an object", "'{' at its beginning"});
  expect_refusal("{", "", {"not JSON", "line 1"});
  expect_refusal("{}{}", "", {"not JSON"});
  expect_refusal("{\"\xFF\":1}", "", {"not JSON", "UTF-8"});
  expect_refusal(R"({"t":1})", "", {"tensor t", "entry is not an object"});
}

TEST(ParseSafetensors, DeepNestingIsAnError) {
  expect_refusal(R"({"t":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}", "", {"nested too deeply"});
}

TEST(ParseSafetensors, AKeyThatStandsTwiceIsAnError) {
  const std::string tensor = R"("t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  expect_refusal("{" + tensor + "," + tensor + "}", "", {"a key stands twice", "\"t\""});
  expect_refusal(R"({"t":{"dtype":"F32","shape":[0],"shape":[0],"data_offsets":[0,0]}})", "", {"a key stands twice", "\"shape\""});
  expect_refusal(R"({"__metadata__":{"a":"1","a":"2"}})", "", {"a key stands twice", "\"a\""});
}

TEST(ParseSafetensors, AMissingKeyIsAnError) {
  expect_refusal(R"({"t":{"shape":[0],"data_offsets":[0,0]}})", "", {"tensor t", "no \"dtype\""});
  expect_refusal(R"({"t":{"dtype":"F32","data_offsets":[0,0]}})", "", {"tensor t", "no \"shape\""});
  expect_refusal(R"({"t":{"dtype":"F32","shape":[0]}})", "", {"tensor t", "no \"data_offsets\""});
}

TEST(ParseSafetensors, AnUnknownDtypeNamesTheTensor) {
  expect_refusal(one(R"("F8_E4M3")", "[1]", "[0,1]"), "x", {"tensor t", "unknown dtype", "BF16", "\"F8_E4M3\""});
  expect_refusal(one("7", "[1]", "[0,1]"), "x", {"unknown dtype", "found 7"});
}

TEST(ParseSafetensors, ShapesAreWholeNumbersOfAtLeast0) {
  for (const std::string shape :
       {"[-1]", "[1.0]", "[1.5]", "[\"1\"]", "[null]", "[[1]]", "4", "{}", "[9223372036854775808]", "[99999999999999999999999]"}) {
    const std::string deep = shape == "[[1]]" ? "nested too deeply" : "\"shape\" is not understood";
    expect_refusal(one(R"("F32")", shape, "[0,4]"), "1234", {deep});
  }
  expect_refusal(one(R"("F32")", "[1e999]", "[0,4]"), "1234", {"not JSON", "number overflow"});
  expect_refusal(one(R"("F32")", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), "1234", {"tensor t", "too many axes"});
}

TEST(ParseSafetensors, HugeShapesAskForNoMemory) {
  expect_refusal(one(R"("F32")", "[4294967296,4294967296]", "[0,4]"), "1234", {"tensor t", "leaves 63 bits"});
  expect_refusal(one(R"("F64")", "[2305843009213693952]", "[0,4]"), "1234", {"tensor t", "size in bytes leaves 63 bits"});
  expect_refusal(one(R"("U8")", "[1152921504606846976]", "[0,1152921504606846976]"), "x", {"tensor t", "truncated"});
}

TEST(ParseSafetensors, OffsetsMustAgreeWithTheShape) {
  expect_refusal(one(R"("F32")", "[1]", "[0,5]"), "12345", {"tensor t", "expected 4 bytes for [1] of f32", "found 0 to 5"});
  expect_refusal(one(R"("F32")", "[1]", "[4,0]"), "1234", {"tensor t", "found 4 to 0"});
  expect_refusal(one(R"("F32")", "[1]", "[0,4,8]"), "1234", {"not a pair", "3 numbers"});
  expect_refusal(one(R"("F32")", "[1]", "[-4,0]"), "1234", {"\"data_offsets\" is not understood"});
}

TEST(ParseSafetensors, OverlapsHolesAndRemaindersAreErrors) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a + R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(parse(file_of(two("[2,4]", "[0,2]"), "1234")).tensors.size(), 2U);
  expect_refusal(two("[0,2]", "[1,3]"), "123", {"tensor b", "overlaps another"});
  expect_refusal(two("[0,2]", "[0,2]"), "12", {"tensor", "overlaps another"});
  expect_refusal(two("[0,2]", "[3,5]"), "12345", {"tensor b", "a hole lies before", "begin at 2", "found 3"});
  expect_refusal(two("[1,3]", "[3,5]"), "12345", {"tensor a", "a hole lies before"});
  expect_refusal(two("[0,2]", "[2,4]"), "12345", {"bytes follow the last tensor", "expected 4", "found 5"});
}

TEST(ParseSafetensors, MetadataAreStrings) {
  expect_refusal(R"({"__metadata__":{"a":1}})", "", {"__metadata__", "a string for a", "found 1"});
  expect_refusal(R"({"__metadata__":{"a":[1]}})", "", {"__metadata__", "a string for a", "found [1]"});
  expect_refusal(R"({"__metadata__":{"a":[[1]]}})", "", {"__metadata__ holds something else than strings"});
  expect_refusal(R"({"__metadata__":[]})", "", {"__metadata__ is not an object"});
}

}  // namespace
}  // namespace heed::io
