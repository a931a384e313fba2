// heed list: every mask, score, mechanism and kernel, as text for people, as JSON, or as CATALOGUE.md. No facts of its own: all comes
// from heed::catalogue(); pictures are evaluated from the formulas.
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <memory>
#include <sstream>

#include <heed/catalogue.hpp>
#include <heed/error.hpp>

#include "io/file.hpp"
#include "io/source.hpp"
#include "outputs.hpp"
#include "picture.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr int kPositions = 64;  // that the example tables speak of
constexpr int kSmall = 16, kLarge = 32;

struct ListOptions {
  bool json = false, markdown = false;
  std::string out, check;
};

constexpr const char* kExamples = R"help(Examples:
  heed list
  heed list --json
  heed list --markdown --out CATALOGUE.md
  heed list --markdown --check CATALOGUE.md)help";

struct Group {
  const char *kind, *title, *about;
};
constexpr std::array kGroups{
    Group{"mask", "Masks", "Who sees whom: queries down, keys across. They combine with `&`, `|`, `!` and with formulas of your own."},
    Group{"score", "Scores",
          "How a score `s` is altered, after scaling and before the mask. They chain: each sees the result of the one before."},
    Group{"mechanism", "Mechanisms", "What is computed as a whole."},
    Group{"kernel", "Kernels",
          "With what it is computed; `heed explain` says which one is chosen, what the others would cost and why some decline."},
};

/// An example mask at every n-th of 64 positions, in batch entry 1, head 0: half blocks.
std::vector<std::string> picture(const Entry& entry, int cells) {
  const Tables& tables = example_tables();
  const Drawing drawing(fitted_to_tables(
      {.batch = 2, .queries = kPositions, .keys = kPositions, .mask = parse_mask(entry.example, tables), .tables = tables}));
  Cells grid{.rows = cells, .columns = cells};
  const int step = kPositions / cells;
  for (int row = 0; row < cells; ++row) {
    for (int column = 0; column < cells; ++column) grid.shares.push_back(drawing.sees(1, 0, row * step, column * step) ? 1.0F : 0.0F);
  }
  return half_blocks(grid);
}

std::string mask_text(const Entry& entry) {
  std::vector<std::string> facts{entry.usage, entry.meaning, "", entry.example + "  is", entry.text, "", entry.source};
  std::string text;
  const std::vector<std::string> drawn = picture(entry, kSmall);
  for (std::size_t i = 0; i < std::max(facts.size(), drawn.size()); ++i) {
    std::string line = "  │" + (i < drawn.size() ? drawn[i] : std::string(kSmall, ' ')) + "│  " + (i < facts.size() ? facts[i] : "");
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text + "\n";
}

std::string entry_text(const Entry& entry) {
  std::string text = "  " + entry.usage + "\n      " + entry.meaning + "\n";
  if (!entry.text.empty()) text += "      " + (entry.example.empty() ? "" : entry.example + "  is  ") + entry.text + "\n";
  if (!entry.source.empty()) text += "      " + entry.source + "\n";
  if (entry.kind == "kernel") text += entry.missing.empty() ? "      runs here\n" : "      not here: " + entry.missing + "\n";
  return text;
}

std::string list_text(const std::vector<Entry>& entries) {
  std::string text;
  for (const Group& group : kGroups) {
    text += (text.empty() ? "" : "\n") + std::string(group.title) + "\n\n";
    for (const Entry& entry : entries) {
      if (entry.kind == group.kind) text += entry.kind == "mask" ? mask_text(entry) : entry_text(entry);
    }
  }
  return text;
}

nlohmann::json list_json(const std::vector<Entry>& entries) {
  nlohmann::json list = nlohmann::json::array();
  for (const Entry& entry : entries) {
    list.push_back({{"kind", entry.kind},
                    {"usage", entry.usage},
                    {"text", entry.text},
                    {"meaning", entry.meaning},
                    {"source", entry.source},
                    {"example", entry.example}});
    if (entry.kind == "mask") list.back()["picture"] = picture(entry, kSmall);
    if (entry.kind == "kernel") list.back()["missing"] = entry.missing;
  }
  return list;
}

std::string entry_markdown(const Entry& entry) {
  std::string text = "### `" + entry.usage + "`\n\n" + entry.meaning + "\n\n";
  if (!entry.text.empty()) text += entry.example.empty() ? entry.text + "\n\n" : "`" + entry.example + "` is `" + entry.text + "`\n\n";
  if (!entry.source.empty()) text += "Source: " + entry.source + "\n\n";
  if (entry.kind != "mask") return text;
  text += "```text\n";
  for (const std::string& line : picture(entry, kLarge)) text += "│" + line + "│\n";
  return text + "```\n\n";
}

std::string list_markdown(const std::vector<Entry>& entries) {
  std::string text =
      "# Catalogue\n\nWritten by `heed list --markdown`. The language of the formulas: [docs/formula.md](docs/formula.md). "
      "Pictures show every second of 64 positions, batch entry 1 of the example tables; draw your own with `heed draw --mask TEXT`.\n\n";
  for (const Group& group : kGroups) {
    text += fmt::format("## {}\n\n{}\n\n", group.title, group.about);
    for (const Entry& entry : entries) {
      if (entry.kind == group.kind) text += entry_markdown(entry);
    }
  }
  text.pop_back();
  return text;
}

/// 0 when the file holds exactly this text; else says the first line that differs.
int check_against(const std::string& path, const std::string& text) {
  const io::SourcePtr file = io::open_source(path);
  const std::string found = file->text(0, file->size(), "the catalogue");
  if (found == text) return 0;
  std::istringstream left(found), right(text);
  std::string a, b;
  int line = 1;
  while (std::getline(left, a) && std::getline(right, b) && a == b) ++line;
  say(fmt::format("{} differs from line {} on; write it again with: heed list --markdown --out {}\n", path, line, path));
  return 1;
}

int run(const ListOptions& options) {
  if (!options.markdown && !(options.out.empty() && options.check.empty())) {
    throw Error({"--out and --check go with --markdown", "command line", "heed list --markdown", "no --markdown"});
  }
  if (options.markdown && options.json) throw Error({"two forms at once", "command line", "--json or --markdown", "both"});
  const std::vector<Entry> entries = catalogue();
  const std::string text = [&] {
    const Progress progress("drawing", 0);
    return options.json ? list_json(entries).dump(2) + "\n" : options.markdown ? list_markdown(entries) : list_text(entries);
  }();
  if (!options.check.empty()) return check_against(options.check, text);
  if (options.out.empty()) {
    say(text);
    return 0;
  }
  const Target target{"--out", options.out, [&](const std::string& path) {
                        io::write_file(path, [&](const io::Sink& sink) { sink(text.data(), text.size()); });
                      }};
  check_targets({&target, 1}, {});
  write_targets({&target, 1});
  return 0;
}

}  // namespace

void add_list(CLI::App& app, Task& task) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* const verb = app.add_subcommand("list", "every mask, score, mechanism and kernel: text, source, picture");
  verb->add_flag("--json", options->json, "a JSON array on standard output; keys in docs/json.md");
  verb->add_flag("--markdown", options->markdown, "the catalogue as Markdown (CATALOGUE.md)");
  verb->add_option("-o,--out", options->out, "with --markdown: a file instead of standard output")->type_name("FILE");
  verb->add_option("--check", options->check, "with --markdown: exit status 1 when FILE differs")->type_name("FILE");
  verb->footer(kExamples);
  verb->callback([options, &task] { task = [options] { return run(*options); }; });
}

}  // namespace heed::tool
