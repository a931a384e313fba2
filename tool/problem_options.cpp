#include "problem_options.hpp"

#include <charconv>
#include <cstdlib>

#include <heed/error.hpp>
#include <nlohmann/json.hpp>

#include "formula/formula.hpp"
#include "inputs.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

constexpr int kMostThreads = 4096;

/// [B, H, T, D] whatever the file's order: `bthd` exchanges two axes, rank 3 has one batch entry.
TensorView as_bhtd(const TensorView& tensor, const std::string& name, const std::string& layout) {
  const int rank = tensor.shape.rank();
  if (rank != 3 && rank != 4) {
    throw Error({"wrong rank", "tensor " + name, layout == "bthd" ? "[B, T, H, D] or [T, H, D]" : "[B, H, T, D] or [H, T, D]",
                 to_text(tensor.shape)});
  }
  Dims shape, strides;
  if (rank == 3) {
    shape.push(1);
    strides.push(0);
  }
  for (int axis = 0; axis < rank; ++axis) {
    shape.push(tensor.shape[axis]);
    strides.push(tensor.strides[axis]);
  }
  if (layout == "bthd") {
    std::swap(shape[1], shape[2]);
    std::swap(strides[1], strides[2]);
  }
  return {tensor.data, tensor.dtype, shape, strides};
}

/// The tokens of the metadata: a JSON array of strings, one per key; anything else is no reason to refuse the file.
std::vector<std::string> tokens_of(const Container& container, std::int64_t keys, std::vector<std::string>& notes) {
  const auto found = container.metadata.find("tokens");
  if (found == container.metadata.end()) return {};
  const auto json = nlohmann::json::parse(found->second, nullptr, false);
  std::vector<std::string> tokens;
  for (const auto& token : json.is_array() ? json : nlohmann::json::array()) {
    if (token.is_string()) tokens.push_back(token.get<std::string>());
  }
  if (static_cast<std::int64_t>(tokens.size()) == keys) return tokens;
  notes.push_back("the file's metadata key `tokens` is no array of " + count_text(keys) + " strings, one per key; numbers are shown");
  return {};
}

Container read_inputs(const ProblemOptions& options, Loaded& loaded) {
  Container container;
  const std::pair<const char*, const std::string*> wanted[] = {{"q", &options.q}, {"k", &options.k}, {"v", &options.v}};
  if (!options.file.empty()) {
    container = read_container(options.file);
    loaded.paths.push_back(options.file);
    for (const auto& [name, given] : wanted) loaded.owned[name] = tensor_of(container, given->empty() ? name : *given);
    return container;
  }
  for (const auto& [name, given] : wanted) {
    const std::string option = std::string("--") + name;
    if (given->empty()) throw Error({"no input", "command line", "FILE, or --q, --k and --v", "no FILE and no " + option});
    loaded.owned[name] = read_tensor(*given, option);
    loaded.paths.push_back(path_of(*given));
  }
  return container;
}

void take_mask_and_scale(const ProblemOptions& options, const Container& container, Loaded& loaded) {
  const auto from_file = [&](const char* key) -> const std::string* {
    const auto found = container.metadata.find(key);
    return found == container.metadata.end() ? nullptr : &found->second;
  };
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
    char* end = nullptr;
    problem.scale = std::strtod(scale->c_str(), &end);
    if (scale->empty() || *end != '\0')
      throw Error({"no number", "metadata key `scale` of " + container.path, "a number", "\"" + one_line(*scale) + "\""});
    loaded.notes.push_back("scale " + one_line(*scale) + " is the file's own (metadata); --scale overrides");
  }
}

}  // namespace

void add_mask_options(CLI::App& verb, FormulaOptions& options) {
  verb.add_option("-m,--mask", options.mask, "who sees whom: a name with arguments, a formula, or both mixed")->type_name("TEXT");
  verb.add_option("--table", options.tables,
                  "binds data that formulas look up; FILE is .npy, FILE.npz:NAME or FILE.safetensors:TENSOR; may repeat")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  verb.add_option("--align", options.align,
                  "position of the first query: start (0), end (Tk - Tq), or a number (one per batch entry: 3,0,7)")
      ->type_name("start|end|N,...");
}

void add_score_options(CLI::App& verb, FormulaOptions& options) {
  verb.add_option("-s,--score", options.scores, "alters a score; may repeat, each sees the previous result as s")
      ->type_name("TEXT")
      ->allow_extra_args(false);
}

void add_run_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("--kernel", options.kernel, "run this kernel or refuse; see `heed list`")->type_name("NAME");
  verb.add_flag("--strict", options.strict, "anything but a fused kernel is an error");
  verb.add_option("--threads", options.threads, "0: all cores of this process")
      ->type_name("N")
      ->check(CLI::Range(0, kMostThreads).description(""));
  verb.add_flag("--json", options.json, "one JSON object on standard output; keys in docs/json.md");
}

void add_problem_options(CLI::App& verb, ProblemOptions& options) {
  verb.add_option("FILE", options.file, ".safetensors or .npz holding q, k and v")->type_name("");
  verb.add_option("--q", options.q, "name of q in FILE; without FILE a .npy file")->type_name("NAME");
  verb.add_option("--k", options.k, "name of k, likewise")->type_name("NAME");
  verb.add_option("--v", options.v, "name of v, likewise")->type_name("NAME");
  verb.add_option("--layout", options.layout, "order of the axes: bhtd or bthd; without batch axis B = 1")
      ->type_name("bhtd|bthd")
      ->check(CLI::IsMember({"bhtd", "bthd"}).description(""));
  add_mask_options(verb, options);
  add_score_options(verb, options);
  verb.add_option("--sink", options.sink, "a logit per query head [Hq] that takes part in the softmax and has no value")->type_name("FILE");
  verb.add_option("--scale", options.scale, "first s = X * (q . k); default 1/sqrt(D)")->type_name("X");
  add_run_options(verb, options);
}

std::vector<std::int64_t> integers_from(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> values;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::int64_t value = 0;
    const auto [rest, failure] = std::from_chars(at, end, value);
    if (failure != std::errc() || (rest != end && *rest != ','))
      throw Error({"no list of whole numbers", option, "N or N,N,...", "\"" + text + "\""});
    values.push_back(value);
    if (rest == end) return values;
    at = rest + 1;
  }
}

Align align_from(const std::string& text) {
  if (text.empty()) return {};
  if (text == "start") return Align::start();
  if (text == "end") return Align::end();
  return Align::at(integers_from("--align (start, end or numbers)", text));
}

Expr parse_option(const std::string& option, const std::string& text, const Tables& tables) {
  try {
    Expr expression = parse(text, tables);
    if (option == "--score")
      (void)formula::Formula::score({&expression, 1}, tables);
    else
      (void)formula::Formula::mask(expression, tables);
    return expression;
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
  Loaded loaded;
  const Container container = read_inputs(options, loaded);
  loaded.inputs = {as_bhtd(loaded.owned["q"].view(), "q", options.layout), as_bhtd(loaded.owned["k"].view(), "k", options.layout),
                   as_bhtd(loaded.owned["v"].view(), "v", options.layout)};
  Problem& problem = loaded.problem;
  problem = problem_of(loaded.inputs.q, loaded.inputs.k, loaded.inputs.v);
  load_tables(options, loaded);
  take_mask_and_scale(options, container, loaded);
  for (const std::string& score : options.scores) problem.scores.push_back(parse_option("--score", score, problem.tables));
  if (!options.sink.empty()) {
    loaded.owned["sink"] = read_tensor(options.sink, "--sink");
    loaded.paths.push_back(path_of(options.sink));
    problem.sink = loaded.owned["sink"].view();
  }
  problem.align = align_from(options.align);
  problem.kernel = options.kernel;
  problem.strict = options.strict;
  problem.threads = options.threads;
  loaded.tokens = tokens_of(container, problem.keys, loaded.notes);
  return loaded;
}

}  // namespace heed::tool
