#include "problem_options.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <heed/error.hpp>
#include <nlohmann/json.hpp>

#include "inputs.hpp"
#include "numbers.hpp"
#include "packed.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

/// "BTHD" of "bthd" or "B T H D": the order of the axes, without B where there is one batch entry.
std::string axes_from(const std::string& text, const std::string& where) {
  std::string axes;
  for (const char c : text) {
    if (std::string_view(" ,[]").find(c) == std::string_view::npos) axes += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  std::string sorted = axes;
  std::ranges::sort(sorted);
  if (sorted != "BDHT" && sorted != "DHT")
    throw Error({"no order of axes", where, "B H T D in any order, as in B T H D, or without B", "\"" + one_line(text) + "\""});
  return axes;
}

/// "[B, T, H, D]"
std::string bracketed(const std::string& axes) {
  std::string text = "[";
  for (const char axis : axes) text += (text.size() > 1 ? ", " : "") + std::string(1, axis);
  return text + "]";
}

/// [B, H, T, D] whatever the order of `axes`; without a batch axis B is 1.
TensorView as_bhtd(const TensorView& tensor, const std::string& name, std::string axes) {
  const int rank = tensor.shape.rank();
  const std::string without = [&] {
    std::string some = axes;
    std::erase(some, 'B');
    return some;
  }();
  if (rank != static_cast<int>(axes.size()) && rank != 3) {
    throw Error(
        {"wrong rank", "tensor " + name, bracketed(axes) + (axes == without ? "" : " or " + bracketed(without)), to_text(tensor.shape)});
  }
  if (rank == 3) axes = without;
  Dims shape, strides;
  for (const char axis : std::string_view("BHTD")) {
    const std::size_t place = axes.find(axis);
    shape.push(place == std::string::npos ? 1 : tensor.shape[static_cast<int>(place)]);
    strides.push(place == std::string::npos ? 0 : tensor.strides[static_cast<int>(place)]);
  }
  return {tensor.data, tensor.dtype, shape, strides};
}

const std::string* find(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : &found->second;
}

/// The order of a tensor's axes: the command line's, else its file's own, which is said where it is not the usual one.
std::string layout_of(const ProblemOptions& options, const std::map<std::string, std::string>& metadata, const std::string& path,
                      std::vector<std::string>& notes) {
  if (!options.layout.empty()) return axes_from(options.layout, "--layout");
  const std::string* const own = find(metadata, "layout");
  if (own == nullptr) return options.offsets.empty() ? "BHTD" : "THD";
  std::string axes = axes_from(*own, "metadata key `layout` of " + path);
  const std::string note = "layout `" + one_line(*own) + "` is the own one of " + path + " (metadata); --layout overrides";
  if (axes != "BHTD" && axes != "HTD" && options.offsets.empty() && std::ranges::find(notes, note) == notes.end()) notes.push_back(note);
  return axes;
}

/// A tensor as it lies where sequences are packed, else [B, H, T, D]. A file whose own layout is another than [T, H, D] is none of them.
TensorView placed(const ProblemOptions& options, const Tensor& tensor, const std::string& name, const std::string& layout) {
  if (options.offsets.empty()) return as_bhtd(tensor.view(), name, layout);
  if (layout != "THD" && layout != "BTHD")
    throw Error(
        {"packed sequences have one order of axes", "tensor " + name + ", layout of its file (metadata)", "T H D", bracketed(layout)});
  return tensor.view();
}

/// The tokens of the metadata: a JSON array of strings, one per key; anything else is no reason to refuse the file, and is said.
std::vector<std::string> tokens_of(const Container& container, std::int64_t keys, std::vector<std::string>& notes) {
  const std::string* const own = find(container.metadata, "tokens");
  if (own == nullptr) return {};
  const auto json = nlohmann::json::parse(*own, nullptr, false);
  std::vector<std::string> tokens;
  bool strings = json.is_array();
  for (const auto& token : strings ? json : nlohmann::json::array()) {
    strings &= token.is_string();
    if (token.is_string()) tokens.push_back(token.get<std::string>());
  }
  if (strings && static_cast<std::int64_t>(tokens.size()) == keys) return tokens;
  const std::string found = json.is_discarded() ? "no JSON"
                            : !json.is_array()  ? "no array"
                            : !strings          ? "not all strings"
                                                : "an array of " + count_text(static_cast<std::int64_t>(tokens.size()));
  notes.push_back("the file's metadata key `tokens` is " + found + ", not an array of " + count_text(keys) +
                  " strings, one per key; numbers are shown");
  return {};
}

/// Of metadata, tensors given one by one take the layout alone: three files may say three things.
void note_unused(const std::string& path, const std::map<std::string, std::string>& metadata, std::vector<std::string>& notes) {
  std::string keys;
  for (const char* key : {"mask", "scale", "align", "tokens"}) {
    if (metadata.contains(key)) keys += (keys.empty() ? "" : ", ") + std::string(key);
  }
  const std::string note = "metadata of " + path + " is not used, since tensors are given one by one: " + keys;
  if (!keys.empty() && std::ranges::find(notes, note) == notes.end()) notes.push_back(note);
}

/// Names under which files hold q, k and v, the usual ones first.
constexpr std::array<std::array<const char*, 3>, 6> kTriples{{{"q", "k", "v"},
                                                              {"Q", "K", "V"},
                                                              {"query", "key", "value"},
                                                              {"queries", "keys", "values"},
                                                              {"q_proj", "k_proj", "v_proj"},
                                                              {"query_states", "key_states", "value_states"}}};

/// The names of q, k and v in a file: those given; else the first of the triples whose others are all there, which is said.
std::array<std::string, 3> names_in(const Container& container, const std::array<std::string, 3>& given, std::vector<std::string>& notes) {
  const auto holds = [&](const std::string& name) {
    return std::ranges::find(container.file->entries(), name, &io::TensorFile::Entry::name) != container.file->entries().end();
  };
  for (const auto& triple : kTriples) {
    std::array<std::string, 3> names = given;
    bool all = true;
    std::string said;
    for (std::size_t n = 0; n < 3; ++n) {
      if (!given[n].empty()) continue;
      names[n] = triple[n];
      all &= holds(names[n]);
      said += (said.empty() ? "" : ", ") + std::string(kTriples[0][n]) + " is `" + names[n] + "`";
    }
    if (!all) continue;
    if (&triple != kTriples.data() && !said.empty()) notes.push_back(said + " of the file; --q, --k and --v choose others");
    return names;
  }
  std::array<std::string, 3> names = given;
  for (std::size_t n = 0; n < 3; ++n) names[n] = given[n].empty() ? kTriples[0][n] : given[n];
  return names;
}

Container read_inputs(const ProblemOptions& options, Loaded& loaded) {
  Container container;
  TensorView* const views[] = {&loaded.inputs.q, &loaded.inputs.k, &loaded.inputs.v};
  const std::pair<const char*, const std::string*> wanted[] = {{"q", &options.q}, {"k", &options.k}, {"v", &options.v}};
  std::array<std::string, 3> names;
  if (!options.file.empty()) {
    container = read_container(options.file);
    loaded.paths.push_back(options.file);
    names = names_in(container, {options.q, options.k, options.v}, loaded.notes);
  }
  for (std::size_t n = 0; n < 3; ++n) {
    const auto& [name, given] = wanted[n];
    std::string layout;
    if (!options.file.empty()) {
      loaded.owned[name] = tensor_of(container, names[n]);
      layout = layout_of(options, container.metadata, container.path, loaded.notes);
    } else {
      const std::string option = std::string("--") + name;
      if (given->empty()) throw Error({"no input", "command line", "FILE, or --q, --k and --v", "no FILE and no " + option});
      const auto& [tensor, metadata] = read_with_metadata(*given, option);
      loaded.owned[name] = tensor;
      loaded.paths.push_back(path_of(*given));
      layout = layout_of(options, metadata, path_of(*given), loaded.notes);
      note_unused(path_of(*given), metadata, loaded.notes);
    }
    *views[n] = placed(options, loaded.owned[name], name, layout);
  }
  return container;
}

void take_align(const ProblemOptions& options, const Container& container, Loaded& loaded) {
  const std::string* const own = options.align.empty() ? find(container.metadata, "align") : nullptr;
  if (own == nullptr) {
    loaded.problem.align = align_from(options.align);
    return;
  }
  const std::string where = "metadata key `align` of " + container.path;
  if (own->empty()) throw Error({"no alignment", where, "start, end or numbers", "\"\""});
  loaded.problem.align = align_from(*own, where);
  loaded.notes.push_back("align " + one_line(*own) + " is the file's own (metadata); --align overrides");
}

void take_mask_and_scale(const ProblemOptions& options, const Container& container, Loaded& loaded) {
  const auto from_file = [&](const char* key) { return find(container.metadata, key); };
  Problem& problem = loaded.problem;
  if (!options.mask.empty()) {
    problem.mask = parse_option("--mask", options.mask, problem.tables);
  } else if (const std::string* mask = from_file("mask")) {
    problem.mask = parse_option("metadata key `mask` of " + container.path, *mask, problem.tables);
    loaded.notes.push_back("mask `" + one_line(*mask) + "` is the file's own (metadata); --mask overrides");
  }
  problem.scale = options.scale;
  if (options.scale) return;
  if (const std::string* scale = from_file("scale")) {
    problem.scale = number_from("metadata key `scale` of " + container.path, *scale);
    loaded.notes.push_back("scale " + one_line(*scale) + " is the file's own (metadata); --scale overrides");
  }
}

}  // namespace

void add_mask_options(CLI::App& verb, FormulaOptions& options) {
  verb.add_option("-m,--mask", options.mask, "who sees whom: a name with arguments, a formula, or both mixed")
      ->type_name("TEXT")
      ->group(kFormulaGroup);
  verb.add_option("--table", options.tables, "binds data that formulas look up; FILE, or FILE:NAME where it holds several; may repeat")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false)
      ->group(kFormulaGroup);
  verb.add_option_function<std::string>(
          "--read-as", [](const std::string&) { read_files_as({.bf16 = true}); },
          "what .npy elements of two opaque bytes are: NumPy writes bfloat16 of ml_dtypes as <V2")
      ->type_name("bf16")
      ->check(CLI::IsMember({"bf16"}).description(""))
      ->group(kInputGroup);
  verb.add_option("--align", options.align,
                  "position of the first query: start (0), end (Tk - Tq), or a number (one per batch entry: 3,0,7)")
      ->type_name("start|end|N,...")
      ->group(kFormulaGroup);
}

void add_score_options(CLI::App& verb, FormulaOptions& options) {
  verb.add_option("-s,--score", options.scores, "alters a score; may repeat, each sees the previous result as s")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(kFormulaGroup);
}

void add_run_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("--kernel", options.kernel, "run this kernel or refuse; see `heed list`")->type_name("NAME")->group(kRunGroup);
  verb.add_flag("--strict", options.strict, "anything but a fused kernel is an error")->group(kRunGroup);
  add_whole(verb, "--threads", options.threads, {0, kMostThreads}, "0: all cores of this process")->group(kRunGroup);
  verb.add_flag("--json", options.json, "one JSON object on standard output; keys in docs/json.md")->group(kRunGroup);
}

void add_problem_options(CLI::App& verb, ProblemOptions& options) {
  verb.add_option("FILE", options.file,
                  "a .safetensors or .npz file with q, k and v, - is standard input; obeyed metadata: layout, mask, scale, align, tokens")
      ->type_name("");
  const std::pair<const char*, std::string*> tensors[] = {{"--q", &options.q}, {"--k", &options.k}, {"--v", &options.v}};
  for (const auto& [name, value] : tensors) {
    verb.add_option(
            name, *value,
            value == &options.q ? "name of q in FILE; without FILE a .npy file" : std::string("name of ") + (name + 2) + ", likewise")
        ->type_name("NAME")
        ->group(kInputGroup);
  }
  verb.add_option("--layout", options.layout, "order of the axes, bhtd or another; without batch axis B = 1; default: the file's, or bhtd")
      ->type_name("bhtd|bthd|...")
      ->group(kInputGroup);
  const std::pair<const char*, std::string*> offsets[] = {{"--offsets", &options.offsets}, {"--key-offsets", &options.key_offsets}};
  for (const auto& [name, value] : offsets) {
    verb.add_option(name, *value,
                    value == &options.offsets
                        ? "q, k and v are packed sequences [T_total, H, D]: integers [sequences + 1], where each begins and the last ends"
                        : "the same of the keys; default: as --offsets")
        ->type_name("FILE")
        ->group(kInputGroup);
  }
  add_mask_options(verb, options);
  add_score_options(verb, options);
  verb.add_option("--sink", options.sink, "a logit per query head [Hq] that takes part in the softmax and has no value")
      ->type_name("FILE")
      ->group(kFormulaGroup);
  add_number(verb, "--scale", options.scale, "first s = X * (q . k); default 1/sqrt(D)")->group(kFormulaGroup);
  add_run_options(verb, options);
}

Align align_from(const std::string& text, const std::string& where) {
  if (text.empty()) return {};
  if (text == "start") return Align::start();
  if (text == "end") return Align::end();
  return Align::at(integers_from(where + " (start, end or numbers)", text));
}

Expr parse_option(const std::string& option, const std::string& text, const Tables& tables) {
  try {
    return option == "--score" ? parse_score(text, tables) : parse_mask(text, tables);
  } catch (const Error& error) {
    Error::Parts parts = error.parts();
    parts.where = option + (parts.where.empty() ? "" : ", " + parts.where);
    throw Error(parts);
  }
}

void load_tables(const FormulaOptions& options, Loaded& loaded) {
  for (const std::string& table : options.tables) {
    const std::size_t equals = table.find('=');
    if (equals == 0 || equals == std::string::npos) throw Error({"no table", "--table", "NAME=FILE", "\"" + table + "\""});
    const std::string name = table.substr(0, equals), spec = table.substr(equals + 1), key = "table " + name;
    if (loaded.owned.contains(key)) throw Error({"the table is bound twice", "--table " + name, "one FILE for a name", "two"});
    loaded.owned[key] = read_tensor(spec, "--table " + name);
    loaded.paths.push_back(path_of(spec));
    loaded.problem.tables.insert_or_assign(name, loaded.owned[key].view());
  }
}

Loaded load(const ProblemOptions& options) {
  check_packed_options(options);
  Loaded loaded;
  const Container container = read_inputs(options, loaded);
  Problem& problem = loaded.problem;
  problem = options.offsets.empty() ? problem_of(loaded.inputs.q, loaded.inputs.k, loaded.inputs.v) : packed_problem(options, loaded);
  load_tables(options, loaded);
  take_mask_and_scale(options, container, loaded);
  for (const std::string& score : options.scores) problem.scores.push_back(parse_option("--score", score, problem.tables));
  if (!options.sink.empty()) {
    loaded.owned["sink"] = read_tensor(options.sink, "--sink");
    loaded.paths.push_back(path_of(options.sink));
    problem.sink = loaded.owned["sink"].view();
  }
  take_align(options, container, loaded);
  problem.kernel = options.kernel;
  problem.strict = options.strict;
  problem.threads = options.threads;
  if (!is_packed(problem)) loaded.tokens = tokens_of(container, problem.keys, loaded.notes);
  return loaded;
}

}  // namespace heed::tool
