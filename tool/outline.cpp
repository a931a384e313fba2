#include "outline.hpp"

namespace heed::tool {
namespace {

VerbOutline outline_of_verb(const CLI::App& verb) {
  VerbOutline outline{verb.get_name(), verb.get_description(), verb.get_footer(), {}};
  for (const CLI::Option* option : verb.get_options()) {
    OptionOutline one{
        .names = {}, .value = option->get_type_name(), .meaning = option->get_description(), .flag = option->get_expected_max() == 0};
    for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
    if (one.names.empty()) one.value = option->get_name(true);
    if (one.flag) one.value.clear();
    outline.options.push_back(std::move(one));
  }
  return outline;
}

}  // namespace

std::vector<VerbOutline> outline_of(const CLI::App& app) {
  std::vector<VerbOutline> outlines{outline_of_verb(app)};
  for (const CLI::App* verb : app.get_subcommands({})) outlines.push_back(outline_of_verb(*verb));
  return outlines;
}

}  // namespace heed::tool
