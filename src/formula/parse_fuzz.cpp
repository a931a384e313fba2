// Any text either is refused with an Error or becomes a tree whose canonical text reads back to an equal tree.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <heed/error.hpp>

#include "formula/named.hpp"
#include "formula/node.hpp"

namespace {

// The tables bound at first, and those that named masks and scores made.
heed::Tables with_travelling(const heed::Expr& tree) {
  heed::Tables tables = heed::formula::example_tables();
  std::vector<heed::Expr> waiting{tree};
  while (!waiting.empty()) {
    const heed::Expr next = waiting.back();
    waiting.pop_back();
    if (next.node().data) tables.emplace(next.node().name, next.node().data->view());
    waiting.insert(waiting.end(), next.node().args.begin(), next.node().args.end());
  }
  return tables;
}

heed::Expr parsed(std::string_view text) {
  try {
    return heed::parse(text, heed::formula::example_tables());
  } catch (const heed::Error&) {
    return {};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const heed::Expr tree = parsed({reinterpret_cast<const char*>(data), size});
  if (tree.empty()) return 0;
  const std::string text = heed::to_text(tree);
  const heed::Expr again = heed::parse(text, with_travelling(tree));
  if (!heed::same(tree, again) || heed::to_text(again) != text) __builtin_trap();
  return 0;
}
