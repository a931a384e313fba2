// The catalogue gathers what the tables of masks, scores, kernels and mechanisms say of themselves; it adds no facts.
#include <heed/catalogue.hpp>

#include <heed/expression.hpp>

#include "formula/named.hpp"
#include "mechanism/mechanism.hpp"
#include "plan/kernels.hpp"

namespace heed {
namespace {

std::string usage_of(const formula::Named& named) {
  std::string text = named.name;
  for (std::size_t i = 0; i < named.parameters.size(); ++i) text += (i ? ", " : "(") + named.parameters[i];
  return named.parameters.empty() ? text : text + ")";
}

Entry entry_of(const formula::Named& named) {
  return {.kind = named.kind,
          .usage = usage_of(named),
          .text = to_text(parse(named.example, formula::example_tables())),
          .meaning = named.meaning,
          .source = named.source,
          .example = named.example};
}

}  // namespace

std::vector<Entry> catalogue() {
  std::vector<Entry> entries;
  for (const formula::Named& named : formula::named_masks()) entries.push_back(entry_of(named));
  for (const formula::Named& named : formula::named_scores()) entries.push_back(entry_of(named));
  for (const mechanism::Recipe& recipe : mechanism::recipes()) {
    entries.push_back({.kind = "mechanism",
                       .usage = std::string(recipe.name),
                       .text = std::string(recipe.similarity) + "; state: " + std::string(recipe.state),
                       .meaning = std::string(recipe.meaning),
                       .source = std::string(recipe.source),
                       .example = ""});
  }
  for (const plan::Kernel& kernel : plan::kernels()) {
    entries.push_back({.kind = "kernel",
                       .usage = std::string(kernel.name),
                       .text = kernel.fused() ? "fused" : "not fused",
                       .meaning = std::string(kernel.what),
                       .source = "",
                       .example = "",
                       .missing = kernel.missing()});
  }
  return entries;
}

const Tables& example_tables() {
  return formula::example_tables();
}

}  // namespace heed
