#include <heed/error.hpp>

#include <utility>

namespace heed {
namespace {

std::string sentence(const Error::Parts& parts) {
  std::string text = parts.where.empty() ? parts.what : parts.where + ": " + parts.what;
  if (!parts.expected.empty()) text += "; expected " + parts.expected;
  if (!parts.found.empty()) text += "; found " + parts.found;
  return text;
}

}  // namespace

Error::Error(Parts parts) : std::runtime_error(sentence(parts)), parts_(std::move(parts)) {}

}  // namespace heed
