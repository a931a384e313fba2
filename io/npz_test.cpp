// .npz files: archives that NumPy wrote, Zip64 in all its places, and one test for every kind of bad input.
#include <gtest/gtest.h>

#include "io/npy.hpp"
#include "io/test_support.hpp"

namespace heed::io {
namespace {

using test::bytes_of;
using test::expect_error;
using test::Folder;
using test::from_hex;
using test::little;

// numpy.savez_compressed and numpy.savez (NumPy 2.4) of q, f32 [2, 3], and lengths, i32 [2]; kZip64 by Python's zipfile with its limits
// lowered: a text, the same q, and a Zip64 end record.
constexpr std::string_view kDeflated =
    "504b03042d0000000800000021002d8e1ce8ffffffffffffffff05001400712e6e707901001000980000000000000058000000000000009bec17ea1b"
    "10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a0ac69a3a0ab5"
    "0a64032e0686067b060606072002e206205e00c4171c00504b03042d000000080000002100cfc658f2ffffffffffffffff0b0014006c656e67746873"
    "2e6e70790100100088000000000000004b000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a2aea3a09e965f5452949817"
    "9f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e6606060656200600504b01022d032d0000000800000021002d8e1ce858"
    "00000098000000050000000000000000000000800100000000712e6e7079504b01022d032d000000080000002100cfc658f24b000000880000000b00"
    "0000000000000000000080018f0000006c656e677468732e6e7079504b050600000000020002006c000000170100000000";
constexpr std::string_view kStored =
    "504b03042d0000000000000021002d8e1ce8ffffffffffffffff05001400712e6e70790100100098000000000000009800000000000000934e554d50"
    "59010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028322c2033"
    "292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"
    "20200a0000803f0000004000004040000080400000a0400000d040504b03042d000000000000002100cfc658f2ffffffffffffffff0b0014006c656e"
    "677468732e6e70790100100088000000000000008800000000000000934e554d5059010076007b276465736372273a20273c6934272c2027666f7274"
    "72616e5f6f72646572273a2046616c73652c20277368617065273a2028322c292c207d20202020202020202020202020202020202020202020202020"
    "20202020202020202020202020202020202020202020202020202020202020202020200a0300000005000000504b01022d032d000000000000002100"
    "2d8e1ce89800000098000000050000000000000000000000800100000000712e6e7079504b01022d032d000000000000002100cfc658f28800000088"
    "0000000b00000000000000000000008001cf0000006c656e677468732e6e7079504b050600000000020002006c000000940100000000";
constexpr std::string_view kZip64 =
    "504b03042d000000080008ba755d8f5d0e5effffffffffffffff0a001400726561646d652e7478740100100064000000000000000600000000000000"
    "aba8a03d0000504b03042d000000080008ba755d2d8e1ce8ffffffffffffffff05001400712e6e707901001000980000000000000058000000000000"
    "009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a"
    "0ac69a3a0ab50a64032e0686067b060606072002e206205e00c4171c00504b01022d032d000000080008ba755d8f5d0e5effffffffffffffff0a0014"
    "000000000000000000800100000000726561646d652e7478740100100064000000000000000600000000000000504b01022d032d000000080008ba75"
    "5d2d8e1ce8ffffffffffffffff05001c0000000000000000008001ffffffff712e6e7079010018009800000000000000580000000000000042000000"
    "00000000504b06062c000000000000002d002d000000000000000000020000000000000002000000000000009b00000000000000d100000000000000"
    "504b0607000000006c0100000000000001000000504b050600000000020002009b000000d10000000000";

std::map<std::string, Tensor> parse(const std::string& bytes) {
  return parse_npz(bytes_of(bytes), bytes.size(), "x.npz");
}

void expect_refusal(const std::string& bytes, std::initializer_list<std::string_view> pieces) {
  expect_error([&] { (void)parse(bytes); }, pieces);
  expect_error([&] { (void)parse(bytes); }, {"x.npz"});
}

/// Where a record begins, by the two last letters of its signature.
std::size_t find(const std::string& bytes, const std::string& letters) {
  const std::size_t at = bytes.find("PK" + letters);
  EXPECT_NE(at, std::string::npos);
  return at;
}
const std::string kLocal = "\x03\x04", kCentral = "\x01\x02", kEnd = "\x05\x06", kEnd64 = "\x06\x06", kLocator = "\x06\x07";

std::string patched(std::string bytes, std::size_t at, const std::string& piece) {
  return bytes.replace(at, piece.size(), piece);
}

/// One member of an archive made here.
struct Part {
  std::string name;
  std::string packed;
  std::uint64_t method;
  std::uint64_t size;
  std::uint64_t crc;
};

std::string archive_of(const std::vector<Part>& parts) {
  std::string body, directory;
  for (const Part& part : parts) {
    const std::string facts = little(part.method, 2) + little(0, 4) + little(part.crc, 4) + little(part.packed.size(), 4) +
                              little(part.size, 4) + little(part.name.size(), 2) + little(0, 2);
    directory +=
        "PK" + kCentral + little(20, 2) + little(20, 2) + little(0, 2) + facts + little(0, 10) + little(body.size(), 4) + part.name;
    body += "PK" + kLocal + little(20, 2) + little(0, 2) + facts + part.name + part.packed;
  }
  return body + directory + "PK" + kEnd + little(0, 4) + little(parts.size(), 2) + little(parts.size(), 2) + little(directory.size(), 4) +
         little(body.size(), 4) + little(0, 2);
}

void expect_sample(const std::map<std::string, Tensor>& tensors) {
  const Tensor& query = tensors.at("q");
  EXPECT_EQ(query.shape(), (Dims{2, 3}));
  EXPECT_EQ(query.data<float>()[5], 6.5F);
}

TEST(ParseNpz, ReadsWhatNumPyWrote) {
  for (const std::string_view sample : {kDeflated, kStored}) {
    const auto tensors = parse(from_hex(sample));
    EXPECT_EQ(tensors.size(), 2U);
    expect_sample(tensors);
    EXPECT_EQ(tensors.at("lengths").dtype(), DType::kI32);
    EXPECT_EQ(integer_at(tensors.at("lengths").view(), 1), 5);
  }
}

TEST(ParseNpz, ReadsZip64AndPassesOverOtherMembers) {
  std::string bytes = from_hex(kZip64);
  EXPECT_EQ(parse(bytes).size(), 1U);
  const std::size_t end = find(bytes, kEnd);
  bytes = patched(bytes, end + 8, std::string(12, '\xFF'));  // the end record now refers to the Zip64 one
  expect_sample(parse(bytes));
  expect_refusal(patched(bytes, find(bytes, kLocator) + 8, little(0, 8)), {"Zip64 end record is not where"});
  expect_refusal(patched(bytes, find(bytes, kLocator) + 8, little(~0ULL, 8)), {"truncated: the Zip64 end record"});
  expect_refusal(patched(bytes, find(bytes, kEnd64) + 48, little(~0ULL, 8)), {"the central directory lies outside"});
}

TEST(ParseNpz, AZip64FieldThatIsTooShortIsAnError) {
  const std::string bytes = from_hex(kZip64);
  const std::size_t second = bytes.rfind("PK" + kCentral);
  const std::size_t field = second + 46 + 5;
  expect_refusal(patched(bytes, field + 2, little(8, 2)), {"Zip64 field"});
}

TEST(ParseNpz, AnEmptyArchiveHoldsNothing) {
  EXPECT_TRUE(parse(archive_of({})).empty());
}

TEST(ParseNpz, ACommentAtTheEndIsLegal) {
  const std::string bytes = from_hex(kDeflated);
  expect_sample(parse(patched(bytes, bytes.size() - 2, little(5, 2)) + "hello"));
}

TEST(ParseNpz, OtherBytesAreNoArchive) {
  expect_refusal("", {"not a zip archive"});
  expect_refusal("hello", {"not a zip archive"});
  expect_refusal(std::string(100'000, 'P'), {"not a zip archive"});
}

TEST(ParseNpz, EveryTruncationAtEitherEndIsAnError) {
  for (const std::string_view sample : {kDeflated, kStored, kZip64}) {
    const std::string whole = from_hex(sample);
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_THROW((void)parse(whole.substr(0, size)), Error) << size;
    for (std::size_t size = 1; size < whole.size(); ++size) EXPECT_THROW((void)parse(whole.substr(size)), Error) << size;
  }
}

TEST(ParseNpz, AWrongChecksumIsAnError) {
  const std::string bytes = from_hex(kStored);
  expect_refusal(patched(bytes, find(bytes, kCentral) + 16, little(1, 4)), {"member q.npy", "wrong checksum", "expected 1"});
  std::string flipped = bytes;
  flipped[bytes.find("\xD0\x40")] = '\xD1';  // inside 6.5
  expect_refusal(flipped, {"wrong checksum"});
}

TEST(ParseNpz, AnEncryptedMemberIsAnError) {
  const std::string bytes = from_hex(kStored);
  expect_refusal(patched(bytes, find(bytes, kCentral) + 8, little(1, 2)), {"member q.npy", "encrypted"});
}

TEST(ParseNpz, AnUnknownMethodIsAnError) {
  expect_refusal(archive_of({{"a.npy", "abc", 12, 3, 0}}), {"member a.npy", "unknown compression", "found 12"});
}

TEST(ParseNpz, AStoredMemberHasOneSize) {
  expect_refusal(archive_of({{"a.npy", "abc", 0, 4, 0}}), {"declared size is impossible", "4 bytes from 3"});
}

TEST(ParseNpz, ABombIsRefusedBeforeMemoryIsAsked) {
  expect_refusal(archive_of({{"a.npy", "abc", 8, 0xFFFF'FFFE, 0}}),
                 {"declared size is impossible", "at most 1040 times", "4294967294 bytes from 3"});
}

TEST(ParseNpz, ABrokenStreamIsAnError) {
  expect_refusal(archive_of({{"a.npy", "\x07\x08\x09", 8, 10, 0}}), {"member a.npy", "deflate stream is broken", "invalid block type"});
  const std::string empty("\x03\x00", 2);  // a stream of no bytes
  expect_refusal(archive_of({{"a.npy", empty, 8, 10, 0}}), {"deflate stream is broken", "expected 10 bytes", "found 0 from 2"});
  expect_refusal(archive_of({{"a.npy", empty + "x", 8, 0, 0}}), {"deflate stream is broken", "expected 0 bytes from 3"});
  expect_refusal(archive_of({{"a.npy", empty, 8, 0, 0}}), {"not a .npy file"});  // the stream itself is sound
  const std::string bytes = from_hex(kDeflated);
  expect_refusal(patched(bytes, find(bytes, kCentral) + 24, little(151, 4)), {"truncated: the data of shape [2, 3]", "151 bytes in all"});
  const std::string stored = from_hex(kStored);
  const std::string npy = stored.substr(stored.find("\x93NUMPY"), 152) + "!";  // one byte more than the member declares
  const std::string block = "\x01" + little(153, 2) + little(static_cast<std::uint64_t>(~153), 2) + npy;
  expect_refusal(archive_of({{"a.npy", block, 8, 152, 0}}), {"deflate stream is broken", "expected 152 bytes", "found 153"});
}

TEST(ParseNpz, TheLocalHeaderMustBeTheMembers) {
  const std::string bytes = from_hex(kStored);
  expect_refusal(patched(bytes, 0, "XX"), {"local header is not the member's", "q.npy"});
  expect_refusal(patched(bytes, 30, "k"), {"local header is not the member's", "q.npy"});
  expect_refusal(patched(bytes, find(bytes, kCentral) + 42, little(0xFFFF'FFF0, 4)), {"truncated: the local header"});
}

TEST(ParseNpz, MembersMayNotShareBytesOrNames) {
  const Part part{"a.npy", "abc", 0, 3, 0};
  expect_refusal(archive_of({part, part}), {"two members of one name", "a.npy"});
  const Part twin{"b.npy", "abc", 0, 3, 0};
  std::string bytes = archive_of({part, twin});
  const std::size_t second = bytes.rfind("PK" + kCentral);
  bytes = patched(bytes, second + 46, "a.npz");
  expect_refusal(patched(bytes, second + 42, little(0, 4)), {"local header is not the member's"});
  const Part outer{"o.npy", std::string("PK") + kLocal + std::string(22, '\0') + little(5, 2) + little(0, 2) + "b.npyabc", 0, 38, 0};
  std::string nested = archive_of({outer, twin});
  nested = patched(nested, nested.rfind("PK" + kCentral) + 42, little(35, 4));
  expect_refusal(nested, {"two members share their bytes", "an overlap at byte 35"});
}

TEST(ParseNpz, TheDirectoryMustBeWhereAndAsLongAsDeclared) {
  const std::string bytes = from_hex(kStored);
  const std::size_t end = find(bytes, kEnd);
  expect_refusal(patched(bytes, end + 16, little(bytes.size(), 4)), {"the central directory lies outside the archive"});
  expect_refusal(patched(bytes, end + 16, little(0, 4)), {"the central directory is broken"});
  expect_refusal(patched(bytes, end + 10, little(1, 2)), {"another length than declared"});
  expect_refusal(patched(bytes, end + 10, little(3, 2)), {"truncated: the central directory"});
  expect_refusal(patched(bytes, end + 4, little(1, 2)), {"split over several disks"});
  const std::string lone = archive_of({{"a.npy", "abc", 0, 3, 0}});
  std::string reaching = patched(lone, lone.rfind("PK" + kCentral) + 20, little(5, 4) + little(5, 4));
  expect_refusal(reaching, {"reaches into the central directory"});
}

TEST(ParseNpz, AMemberThatIsNoNpyIsNamed) {
  expect_refusal(archive_of({{"a.npy", "abc", 0, 3, 0x352441C2}}), {"x.npz, member a.npy", "not a .npy file"});
}

TEST(OpenNpz, ReadsWhatIsAskedForWhateverElseIsThere) {
  const std::string stored = from_hex(kStored);
  std::string text = stored.substr(stored.find("\x93NUMPY"), 152);
  text = patched(text, text.find("<f4"), "<U1");
  const std::string whole = archive_of({{"bad.npy", "no array", 0, 8, 0},
                                        {"text.npy", text, 0, 152, 0},
                                        {"q.npy", stored.substr(stored.find("\x93NUMPY"), 152), 0, 152, 0xE81C8E2D}});
  const TensorFilePtr file = open_npz(memory_source({bytes_of(whole), whole.size()}, "x.npz"));
  ASSERT_EQ(file->entries().size(), 3U);
  EXPECT_EQ(file->entries()[2].name, "q");
  EXPECT_EQ(file->entries()[2].bytes, 152U);
  EXPECT_EQ(file->read(2).data<float>()[5], 6.5F);
  expect_error([&] { (void)file->read(1); }, {"x.npz, member text.npy", "unknown element type", "'<U1'"});
  expect_error([&] { (void)file->read(0); }, {"x.npz, member bad.npy", "not a .npy file"});
}

TEST(ReadNpz, ReadsAFileAndNamesItInErrors) {
  const Folder folder;
  test::put(folder.file("a.npz"), from_hex(kDeflated));
  expect_sample(read_npz(folder.file("a.npz")));
  expect_error([&] { (void)read_npz(folder.file("none.npz")); }, {"none.npz", "No such file"});
}

}  // namespace
}  // namespace heed::io
