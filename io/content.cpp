// One table of what files begin with, in the order in which it is asked; what heed reads is in it with the rest.
// Checked in tensor_file_test.cpp.
#include "io/content.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace heed::io {
namespace {

using namespace std::string_view_literals;

struct Beginning {
  std::string_view bytes;
  Format format;
  const char* words;
};

constexpr Beginning kBeginnings[] = {
    {"\x93NUMPY"sv, Format::kNpy, "a .npy file"},
    {"PK\x03\x04"sv, Format::kZip, "a zip archive"},
    {"PK\x05\x06"sv, Format::kZip, "an empty zip archive"},
    {"version https://git-lfs"sv, Format::kOther, "a git-lfs pointer: fetch the file itself (git lfs pull)"},
    {"GGUF"sv, Format::kOther, "a GGUF file"},
    {"\x1f\x8b"sv, Format::kOther, "a gzip file: unpack it first (gunzip)"},
    {"\x28\xb5\x2f\xfd"sv, Format::kOther, "a Zstandard file: unpack it first (unzstd)"},
    {"BZh"sv, Format::kOther, "a bzip2 file: unpack it first (bunzip2)"},
    {"\xfd"
     "7zXZ"sv,
     Format::kOther, "an xz file: unpack it first (unxz)"},
    {"7z\xbc\xaf\x27\x1c"sv, Format::kOther, "a 7z archive"},
    {"\x89PNG\r\n"sv, Format::kOther, "a PNG picture"},
    {"\xff\xd8\xff"sv, Format::kOther, "a JPEG picture"},
    {"GIF8"sv, Format::kOther, "a GIF picture"},
    {"%PDF"sv, Format::kOther, "a PDF document"},
    {"\x89HDF\r\n"sv, Format::kOther, "an HDF5 file: its arrays can be written with numpy.save"},
    {"\x7f"
     "ELF"sv,
     Format::kOther, "a program"},
    {"\x80\x02"sv, Format::kOther, "a Python pickle, which heed does not run: save its tensors as .safetensors or .npy"},
    {"\x80\x03"sv, Format::kOther, "a Python pickle, which heed does not run: save its tensors as .safetensors or .npy"},
    {"\x80\x04"sv, Format::kOther, "a Python pickle, which heed does not run: save its tensors as .safetensors or .npy"},
    {"\x80\x05"sv, Format::kOther, "a Python pickle, which heed does not run: save its tensors as .safetensors or .npy"},
};

bool is_text(std::string_view head) {
  return std::ranges::none_of(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f');
  });
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// Text by what stands first in it.
std::string words_of_text(std::string_view head) {
  const std::size_t begin = std::min(head.find_first_not_of(" \t\r\n\f\xef\xbb\xbf"), head.size());
  const std::string start = lower_case(head.substr(begin, 64));
  for (const char* tag : {"<!doctype html", "<html", "<head", "<body", "<script"}) {
    if (start.starts_with(tag)) return "an HTML page: what was downloaded is not the file but a page about it";
  }
  if (start.starts_with("<")) return "an XML or HTML text";
  if (start.starts_with("{") || start.starts_with("[")) return "a JSON text";
  const std::string_view line = head.substr(begin, std::min<std::size_t>(head.substr(begin).find_first_of("\r\n"), 40));
  return line.empty() ? "nothing but white space" : "a text that begins \"" + std::string(line) + "\"";
}

/// u64 header length, '{': its upper bytes are zero in any file that fits the format. A text could have a brace there too.
bool begins_safetensors(std::string_view head) {
  return head.size() > 8 && head[8] == '{' && (head.substr(4, 4) == "\0\0\0\0"sv || !is_text(head.substr(0, 8)));
}

std::string words_of_bytes(std::string_view head) {
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; })) return "zeros: a download that never came, perhaps";
  std::string words = "other bytes:";
  for (const char c : head.substr(0, 8)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    words += {' ', kDigits[byte >> 4], kDigits[byte & 15U]};
  }
  return words;
}

}  // namespace

Content content_of(const Source& source) {
  std::array<char, 512> bytes{};
  const std::string_view head(bytes.data(), std::min<std::uint64_t>(source.size(), bytes.size()));
  source.read(0, std::as_writable_bytes(std::span(bytes).first(head.size())), "its beginning");
  if (head.empty()) return {Format::kOther, "an empty file"};
  for (const Beginning& known : kBeginnings) {
    if (head.starts_with(known.bytes)) return {known.format, known.words};
  }
  if (begins_safetensors(head)) return {Format::kSafetensors, "a .safetensors file"};
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return {Format::kOther, "a tar archive: unpack it first (tar -x)"};
  return {Format::kOther, is_text(head) ? words_of_text(head) : words_of_bytes(head)};
}

}  // namespace heed::io
