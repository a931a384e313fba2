// heed, the command-line tool: one file per verb; this one parses, runs the chosen verb, and turns every failure into one line.
//
// Exit status: 0 done; 1 the answer is "no" (check beyond its bound, list --check differs) or an error nobody expected; 2 bad input;
// 128 + the signal's number where one ended it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>

#include <heed/error.hpp>
#include <heed/version.hpp>
#include <heed/watch.hpp>

#include "io/temporary.hpp"
#include "memory.hpp"
#include "report.hpp"
#include "suggest.hpp"
#include "verbs.hpp"

namespace heed::tool {
namespace {

constexpr const char* kAbout =
    "heed: exact attention on CPUs, any mask, memory linear in the sequence length, and where the attention went.";
constexpr const char* kExamples = R"help(Examples:
  heed example
  heed attend layer.safetensors --mask "causal & (q - k < 4096 | k < 4)" --out O.npy --map maps.png
  heed draw --mask "window(8) | k < 4"
  heed list

No verb at all: the example. `heed VERB --help` for each verb.)help";

/// One message, in pieces, since there may be no memory to join them.
int fail(int status, std::initializer_list<const char*> pieces) {
  std::fputs("heed: ", stderr);
  for (const char* piece : pieces) std::fputs(piece, stderr);
  std::fputs("\n", stderr);
  return status;
}

void add_verbs(CLI::App& app, Task& task) {
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", build_text);
  app.footer(kExamples);
  for (const auto add : {add_example, add_attend, add_explain, add_draw, add_check, add_bench, add_list, add_completions, add_man})
    add(app, task);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app(kAbout, "heed");
  Task task = run_example;
  add_verbs(app, task);
  try {
    app.parse(arguments(argc, argv));
  } catch (const CLI::CallForHelp&) {
    if (const std::string unknown = unknown_verb(app); !unknown.empty()) return fail(2, {unknown.c_str()});
    task = [&app] {
      say(app.help());
      return 0;
    };
  } catch (const CLI::CallForVersion&) {
    task = [] {
      say(build_text());
      return 0;
    };
  } catch (const CLI::ParseError& error) {
    return fail(2, {parse_message(app, error).c_str()});
  }
  refuse_empty_values(app);
  const int status = task();
  finish_output();
  return status;
}

int no_memory() {
  return fail(2, {"not enough memory", asked_for().empty() ? "" : " for ", asked_for().c_str()});
}

/// For what is thrown where nothing may be thrown: some libraries cannot say that memory is short.
[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    std::_Exit(no_memory());
  } catch (const std::exception& exception) {
    (void)fail(1, {"unexpected: ", exception.what()});
  }
  std::abort();
}

int guarded(int argc, char** argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const Cancelled&) {
    return fail(130, {"interrupted: nothing was written"});
  } catch (const Error& error) {
    return fail(2, {error.what()});
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (const std::exception& exception) {
    return fail(1, {"unexpected: ", exception.what()});
  }
}

}  // namespace
}  // namespace heed::tool

int main(int argc, char** argv) {
  std::set_terminate(heed::tool::on_terminate);
  heed::io::clean_up_on_signals();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away ends the output, not the work
  return heed::tool::guarded(argc, argv);
}
