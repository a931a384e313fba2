// .npy files: samples that NumPy wrote, there and back, and one test for every kind of bad input.
#include "io/npy.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>

#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::bytes_of;
using test::expect_error;
using test::Folder;
using test::from_hex;

// Written by numpy.lib.format.write_array (NumPy 2.4).
constexpr std::string_view kF4 =
    "934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a20"
    "28322c2033292c207d202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a0000803f0000004000004040000080400000a0400000d040";
constexpr std::string_view kF8Fortran =
    "934e554d5059010076007b276465736372273a20273c6638272c2027666f727472616e5f6f72646572273a20547275652c20277368617065273a2028"
    "322c20332c2034292c207d20202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a00000000000000000000000000002840000000000000104000000000000030400000000000002040000000000000344000000000"
    "0000f03f0000000000002a40000000000000144000000000000031400000000000002240000000000000354000000000000000400000000000002c40"
    "000000000000184000000000000032400000000000002440000000000000364000000000000008400000000000002e400000000000001c4000000000"
    "0000334000000000000026400000000000003740";
constexpr std::string_view kF2Scalar =
    "934e554d5059010076007b276465736372273a20273c6632272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a20"
    "28292c207d20202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a00be";
constexpr std::string_view kBoolVersion2 =
    "934e554d50590200740000007b276465736372273a20277c6231272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861706527"
    "3a2028332c292c207d202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a010001";
constexpr std::string_view kBig =
    "934e554d5059010076007b276465736372273a20273e6934272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a20"
    "28322c292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a0000000100000002";
constexpr std::string_view kStruct =
    "934e554d5059010076007b276465736372273a205b282761272c20273c693427292c20282762272c20273c663427295d2c2027666f727472616e5f6f"
    "72646572273a2046616c73652c20277368617065273a2028312c292c207d202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a0100000000000040";
constexpr std::string_view kComplex =
    "934e554d5059010076007b276465736372273a20273c6338272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a20"
    "28312c292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "202020202020200a0000000000000000";

Tensor parse(const std::string& bytes) {
  return parse_npy(bytes_of(bytes), bytes.size(), "x.npy");
}

/// A file of version 1.0 around a header.
std::string npy(const std::string& header, const std::string& data) {
  return std::string("\x93NUMPY\x01\x00", 8) + test::little(header.size(), 2) + header + data;
}

void expect_refusal(const std::string& header, const std::string& data, std::initializer_list<std::string_view> pieces) {
  expect_error([&] { (void)parse(npy(header, data)); }, pieces);
  expect_error([&] { (void)parse(npy(header, data)); }, {"x.npy"});
}

TEST(ParseNpy, ReadsWhatNumPyWrote) {
  const Tensor tensor = parse(from_hex(kF4));
  EXPECT_EQ(tensor.dtype(), DType::kF32);
  EXPECT_EQ(tensor.shape(), (Dims{2, 3}));
  const std::array<float, 6> expected{1, 2, 3, 4, 5, 6.5F};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(tensor.data<float>()[i], expected[i]);
}

TEST(ParseNpy, FortranOrderComesOutInCOrder) {
  const Tensor tensor = parse(from_hex(kF8Fortran));
  EXPECT_EQ(tensor.shape(), (Dims{2, 3, 4}));
  for (int i = 0; i < 24; ++i) EXPECT_EQ(tensor.data<double>()[i], i);
}

TEST(ParseNpy, ReadsAScalarOfHalfPrecision) {
  const Tensor tensor = parse(from_hex(kF2Scalar));
  EXPECT_EQ(tensor.shape(), Dims{});
  EXPECT_EQ(real_at(tensor.view(), 0), -1.5);
}

TEST(ParseNpy, ReadsVersion2) {
  const Tensor tensor = parse(from_hex(kBoolVersion2));
  EXPECT_EQ(tensor.dtype(), DType::kBool);
  EXPECT_EQ(tensor.shape(), Dims{3});
  EXPECT_EQ(integer_at(tensor.view(), 0), 1);
  EXPECT_EQ(integer_at(tensor.view(), 1), 0);
}

TEST(ParseNpy, AnyNonZeroByteBecomesTrue) {
  const Tensor tensor = parse(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", {'\x00', '\x07'}));
  EXPECT_EQ(tensor.data<std::uint8_t>()[1], 1);
}

TEST(ParseNpy, KeyOrderQuotesAndSpacesAreFree) {
  const Tensor tensor = parse(npy("\n { \"shape\":( 2L ,1 ) ,\t'fortran_order' : True,'descr':'<i1'} ", "\x05\x06"));
  EXPECT_EQ(tensor.shape(), (Dims{2, 1}));
  EXPECT_EQ(integer_at(tensor.view(), 1), 6);
}

TEST(ParseNpy, UnsignedNumbersAreWidened) {
  const auto header = [](const std::string& descr, const char* order = "False") {
    return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': (2, 2), }";
  };
  const Tensor two = parse(npy(header("<u2", "True"), test::little(0xFFFF'0003'0002'0001, 8)));
  EXPECT_EQ(two.dtype(), DType::kI32);
  const std::array<std::int32_t, 4> expected{1, 3, 2, 0xFFFF};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(two.data<std::int32_t>()[i], expected[i]);
  const Tensor four = parse(npy(header("<u4"), test::little(7, 12) + test::little(0xFFFF'FFFF, 4)));
  EXPECT_EQ(four.dtype(), DType::kI64);
  EXPECT_EQ(four.data<std::int64_t>()[3], 0xFFFF'FFFF);
  const std::string most = test::little(7, 24) + test::little(0x7FFF'FFFF'FFFF'FFFF, 8);
  EXPECT_EQ(parse(npy(header("<u8"), most)).data<std::int64_t>()[3], 0x7FFF'FFFF'FFFF'FFFF);
  const std::string beyond = test::little(7, 24) + test::little(0x8000'0000'0000'0000, 8);
  expect_refusal(header("<u8"), beyond, {"does not fit", "below 2^63", "9223372036854775808"});
}

TEST(ParseNpy, ManyPiecesInFortranOrder) {
  const std::int64_t rows = 700, columns = 500;  // 2.8 MB of doubles
  std::string data(static_cast<std::size_t>(rows * columns) * 8, '\0');
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto value = static_cast<double>(row * columns + column);
      std::memcpy(data.data() + (column * rows + row) * 8, &value, 8);
    }
  }
  const Tensor tensor = parse(npy("{'descr': '<f8', 'fortran_order': True, 'shape': (700, 500), }", data));
  for (std::int64_t i = 0; i < rows * columns; ++i) ASSERT_EQ(tensor.data<double>()[i], static_cast<double>(i));
}

TEST(ParseNpy, OpaqueBytesAreBrainFloatsWhenAskedFor) {
  const std::string bytes = npy("{'descr': '<V2', 'fortran_order': False, 'shape': (1,), }", "\x80\x3f");
  expect_error([&] { (void)parse(bytes); }, {"two opaque bytes", "--read-as bf16", "ml_dtypes", ".safetensors", "'<V2'"});
  const Tensor tensor = open_npy(memory_source({bytes_of(bytes), bytes.size()}, "x.npy"))->read(0, {.bf16 = true});
  EXPECT_EQ(tensor.dtype(), DType::kBF16);
  EXPECT_EQ(real_at(tensor.view(), 0), 1.0);
}

TEST(ParseNpy, AnEmptyArrayIsLegal) {
  EXPECT_EQ(parse(npy("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 0), }", "")).shape(), (Dims{3, 0}));
}

TEST(ParseNpy, OtherBytesAreNotNpy) {
  expect_error([] { (void)parse("hello world"); }, {"not a .npy file", "magic"});
  expect_error([] { (void)parse(""); }, {"not a .npy file", "no bytes at all"});
  expect_refusal(std::string(60'000, ' '), "", {"not understood"});
  expect_error([] { (void)parse(std::string("\x93NUMPY\x02\x00", 8) + test::little(2'000'000, 4) + std::string(2'000'000, ' ')); },
               {"header is too long", "1 MiB"});
}

TEST(ParseNpy, EveryTruncationIsAnError) {
  const std::string whole = from_hex(kF4);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_THROW((void)parse(whole.substr(0, size)), Error) << size;
  expect_error([&] { (void)parse(whole.substr(0, 9)); }, {"truncated: the header length"});
  expect_error([&] { (void)parse(whole.substr(0, 100)); }, {"truncated: the header is"});
  expect_error([&] { (void)parse(whole.substr(0, 151)); },
               {"truncated: the data of shape [2, 3]", "expected 24 bytes from byte 128", "found 151 bytes in all"});
}

TEST(ParseNpy, BytesBehindTheDataAreAnError) {
  expect_error([] { (void)parse(from_hex(kF4) + "!"); }, {"bytes follow the data", "expected 152 bytes", "found 153"});
}

TEST(ParseNpy, AnUnknownVersionIsAnError) {
  std::string bytes = from_hex(kF4);
  bytes[6] = '\x04';
  expect_error([&] { (void)parse(bytes); }, {"unknown .npy version", "found 4.0"});
}

TEST(ParseNpy, BigEndianDataAreAnErrorThatSaysSo) {
  expect_error([] { (void)parse(from_hex(kBig)); }, {"big-endian", "'>i4'"});
}

TEST(ParseNpy, StructuredAndComplexArraysAreErrors) {
  expect_error([] { (void)parse(from_hex(kStruct)); }, {"structured arrays are not read"});
  expect_error([] { (void)parse(from_hex(kComplex)); }, {"unknown element type", "'<c8'", "f8 f4 f2"});
  expect_refusal("{'descr': '|f4', 'fortran_order': False, 'shape': (), }", "1234", {"unknown element type", "'|f4'"});
}

TEST(ParseNpy, KeysMustBeThereOnceAndKnown) {
  expect_refusal("{'descr': '<f4', 'fortran_order': False}", "", {"the keys 'descr', 'fortran_order' and 'shape'"});
  expect_refusal("{'descr': '<f4', 'descr': '<f4'}", "", {"a key stands twice", "'descr'"});
  expect_refusal("{'descr': '<f4', 'order': 'C'}", "", {"unknown key", "'order'"});
}

TEST(ParseNpy, ABrokenHeaderIsAnErrorWithItsPlace) {
  expect_refusal("", "", {"expected '{'", "found its end at byte 0"});
  expect_refusal("{'descr'; '<f4'}", "", {"expected ':'", "at byte 8"});
  expect_refusal("{'descr': '<f4}", "", {"closed string"});
  expect_refusal("{'descr': '<f4\\n'}", "", {"without backslashes"});
  expect_refusal("{'fortran_order': 0}", "", {"True or False"});
  expect_refusal("{'shape': (2)}", "", {"',' after a single extent"});
  expect_refusal("{'shape': (-2,)}", "", {"an extent of at least 0"});
  expect_refusal("{'shape': (2 3)}", "", {"','"});
  expect_refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (), } x", "1234", {"nothing after the dict"});
}

TEST(ParseNpy, ANinthAxisIsAnError) {
  expect_refusal("{'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}", "", {"too many axes"});
}

TEST(ParseNpy, HugeShapesAskForNoMemory) {
  const std::string head = "{'descr': '<f8', 'fortran_order': True, 'shape': (";
  expect_refusal(head + "9223372036854775808,)}", "", {"an extent below 2^63"});
  expect_refusal(head + "4294967296, 4294967296)}", "", {"leaves 63 bits", "[4294967296, 4294967296]"});
  expect_refusal(head + "2305843009213693952,)}", "", {"size in bytes leaves 63 bits"});
  expect_refusal(head + "1152921504606846975,)}", "", {"truncated"});
  expect_refusal(head + "0, 4294967296, 4294967296)}", "", {"leaves 63 bits"});
}

TEST(WriteNpy, GivesNumPysOwnBytes) {
  const Folder folder;
  const std::array<float, 6> values{1, 2, 3, 4, 5, 6.5F};
  write_npy(folder.file("a.npy"), view(values.data(), {2, 3}));
  EXPECT_EQ(test::content_of(folder.file("a.npy")), from_hex(kF4));
  const f16 scalar{0xBE00};
  write_npy(folder.file("a.npy"), view(&scalar, {}));
  EXPECT_EQ(test::content_of(folder.file("a.npy")), from_hex(kF2Scalar));
}

TEST(WriteNpy, EveryTypeAndRankComesBack) {
  const Folder folder;
  for (const DType dtype :
       {DType::kF64, DType::kF32, DType::kF16, DType::kI64, DType::kI32, DType::kI16, DType::kI8, DType::kU8, DType::kBool}) {
    for (const Dims& shape : {Dims{}, Dims{3}, Dims{2, 0, 3}, Dims{1, 2, 1, 2, 1, 2, 1, 2}}) {
      Tensor tensor(dtype, shape);
      for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, static_cast<double>(i % 2));
      write_npy(folder.file("a.npy"), tensor.view());
      const Tensor back = read_npy(folder.file("a.npy"));
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_EQ(back.shape(), shape);
      for (std::int64_t i = 0; i < tensor.count(); ++i) EXPECT_EQ(real_at(back.view(), i), static_cast<double>(i % 2));
    }
  }
}

TEST(WriteNpy, StridedViewsAreWrittenInTheirLogicalOrder) {
  const Folder folder;
  std::array<std::int32_t, 24> values{};
  std::iota(values.begin(), values.end(), 0);
  write_npy(folder.file("a.npy"), {values.data() + 23, DType::kI32, {3, 2, 2}, {0, -1, -12}});
  const Tensor back = read_npy(folder.file("a.npy"));
  const std::array<std::int32_t, 4> expected{23, 11, 22, 10};
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(back.data<std::int32_t>()[i], expected[i % 4]);
}

TEST(WriteNpy, BrainFloatsHaveNoNpyForm) {
  const Folder folder;
  const Tensor tensor(DType::kBF16, {2});
  expect_error([&] { write_npy(folder.file("a.npy"), tensor.view()); }, {"no .npy form", "a.npy", "found bf16"});
  EXPECT_EQ(folder.count(), 0);
}

TEST(WriteNpy, ATensorWithoutDataIsAnError) {
  const Folder folder;
  expect_error([&] { write_npy(folder.file("a.npy"), {nullptr, DType::kF32, {2}}); }, {"without data"});
  expect_error([&] { write_npy(folder.file("a.npy"), {nullptr, DType::kF32, {-2}, {1}}); }, {"a.npy", "negative"});
  EXPECT_EQ(folder.count(), 0);
}

TEST(WriteNpy, AFullDiskAndAMissingFolderAreErrors) {
  const Tensor tensor(DType::kF32, {2});
  test::expect_no_space([&](const std::string& path) { write_npy(path, tensor.view()); });
  expect_error([&] { write_npy("/nowhere/a.npy", tensor.view()); }, {"/nowhere/a.npy", "No such file or directory"});
}

TEST(ReadNpy, NamesTheFileInErrors) {
  const Folder folder;
  test::put(folder.file("bad.npy"), "no");
  expect_error([&] { (void)read_npy(folder.file("bad.npy")); }, {"bad.npy", "not a .npy file"});
  expect_error([&] { (void)read_npy(folder.file("none.npy")); }, {"none.npy", "No such file"});
}

}  // namespace
}  // namespace heed::io
