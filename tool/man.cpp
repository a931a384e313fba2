// heed man: the manual page in roff, made from the parser's own verbs, options and examples.
#include <sstream>

#include <heed/version.hpp>

#include "outline.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

/// Text that roff shows as it stands.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else if (c == '`')
      out += "\\(ga";
    else
      out += c;
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string lines_of(const std::string& text) {
  std::istringstream in(text);
  std::string line, out;
  while (std::getline(in, line)) out += plain(line) + "\n";
  return out;
}

std::string option_text(const OptionOutline& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + ("\\fB" + plain(name) + "\\fR");
  if (!option.value.empty()) names += (names.empty() ? "" : " ") + ("\\fI" + plain(option.value) + "\\fR");
  return ".TP\n" + names + "\n" + plain(option.meaning) + "\n";
}

std::string page(const std::vector<VerbOutline>& outlines) {
  std::string text =
      ".TH HEED 1 \"\" \"heed " + plain(version()) + "\" \"User Commands\"\n.SH NAME\nheed \\- exact attention on CPUs\n.SH SYNOPSIS\n";
  for (std::size_t i = 1; i < outlines.size(); ++i) {
    text += ".B heed " + plain(outlines[i].name) + "\n[\\fIOPTIONS\\fR]";
    for (const OptionOutline& option : outlines[i].options) {
      if (option.names.empty()) text += " [\\fI" + plain(option.value) + "\\fR]";
    }
    text += "\n.br\n";
  }
  text += ".SH DESCRIPTION\n" + plain(outlines[0].meaning) + "\n";
  for (const OptionOutline& option : outlines[0].options) text += option_text(option);
  text += ".SH VERBS\n";
  for (std::size_t i = 1; i < outlines.size(); ++i) {
    text += ".SS " + plain(outlines[i].name) + "\n" + plain(outlines[i].meaning) + "\n";
    for (const OptionOutline& option : outlines[i].options) text += option_text(option);
    text += ".PP\n.nf\n" + lines_of(outlines[i].footer) + ".fi\n";
  }
  return text +
         ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nthe answer is no (check beyond its bound, list \\-\\-check differs), or an unexpected "
         "error\n.TP\n2\nbad input; one line on standard error, nothing written\n";
}

}  // namespace

void add_man(CLI::App& app, Task& task) {
  CLI::App* const verb = app.add_subcommand("man", "the manual page, in roff");
  verb->footer("Examples:\n  heed man | man -l -\n  heed man > heed.1");
  verb->callback([&app, &task] {
    task = [&app] {
      say(page(outline_of(app)));
      return 0;
    };
  });
}

}  // namespace heed::tool
