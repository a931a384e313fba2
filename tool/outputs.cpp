#include "outputs.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include <heed/error.hpp>

#include "io/file.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace heed::tool {
namespace {

namespace fs = std::filesystem;

/// Something that is there and is no file to be replaced. Throws Error where the system does not say.
bool is_special(const std::string& path) {
  if (io::is_standard_output(path)) return true;
  std::error_code failure;
  const fs::file_type type = fs::status(path, failure).type();
  if (type == fs::file_type::none) throw Error({"the file cannot be written", path, "", failure.message()});
  return type != fs::file_type::not_found && type != fs::file_type::regular && type != fs::file_type::directory;
}

/// One name for one file, whether it exists or not.
std::string identity_of(const std::string& path) {
  std::error_code failure;
  const fs::path whole = fs::weakly_canonical(fs::absolute(io::end_of_links(path), failure), failure);
  return failure ? path : whole.string();
}

void check_writable(const Target& target) {
  std::error_code none;
  const std::string where = target.option + " " + target.path;
  if (target.path.empty()) throw Error({"no file name", target.option, "the name of a file", "nothing"});
  if (io::is_standard_output(target.path)) return;
  if (fs::is_directory(target.path, none)) throw Error({"the file cannot be written", where, "the name of a file", "a folder"});
  if (fs::exists(target.path, none)) {
    if (::access(target.path.c_str(), W_OK) == 0) return;
    throw Error({"the file cannot be written", where, "a writable file", std::generic_category().message(errno)});
  }
  const fs::path parent = fs::path(io::end_of_links(target.path)).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!fs::is_directory(folder, none)) throw Error({"the file cannot be written", where, "an existing folder", "no folder " + folder});
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Error({"the file cannot be written", where, "a writable folder", std::generic_category().message(errno)});
  }
}

std::string ending_of(const std::string& path) {
  std::string ending = fs::path(path).extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

/// A name that says another format than what would be in the file.
void check_ending(const Target& target) {
  const std::string ending = ending_of(target.path);
  if (target.endings.empty() || std::ranges::find(target.endings, ending) != target.endings.end()) return;
  if (ending.empty() && (target.hint.empty() || io::is_standard_output(target.path))) return;
  std::string written;
  for (const std::string& known : target.endings) written += (written.empty() ? "" : " or ") + known;
  throw Error({"no such format is written", target.option + " " + target.path, "a name in " + written + target.hint,
               ending.empty() ? "no ending" : ending});
}

}  // namespace

bool names_array(const std::string& path) {
  const std::string ending = ending_of(path);
  return ending == ".npy" || ending == ".safetensors";
}

Target array_target(const std::string& option, const std::string& path, const std::string& name, const Tensor& tensor) {
  const auto write = [name, &tensor](const std::string& to) {
    if (ending_of(to) == ".safetensors") return io::write_safetensors(to, name, tensor.view());
    io::write_npy(to, tensor.view());
  };
  return {option, path, write, {".npy", ".safetensors"}};
}

Target picture_target(const std::string& option, const std::string& path, std::function<io::Canvas()> draw) {
  return {option, path, [draw = std::move(draw)](const std::string& to) { io::write_png(to, draw()); }, {".png"}};
}

void check_targets(std::span<const Target> targets, std::span<const std::string> inputs) {
  std::map<std::string, std::string> taken;
  for (const std::string& input : inputs) {
    if (input != "-") taken.emplace(identity_of(input), "an input");
  }
  for (const Target& target : targets) {
    check_writable(target);
    const bool standard = io::is_standard_output(target.path);
    if (standard) report_to_standard_error();
    if (is_special(target.path) && !standard) continue;
    check_ending(target);
    const auto [place, fresh] = taken.emplace(standard ? "-" : identity_of(target.path), target.option);
    if (!fresh)
      throw Error({"one file cannot serve twice", target.option + " " + target.path, "a path of its own", "that of " + place->second});
  }
}

void write_targets(std::span<const Target> targets) {
  std::vector<const Target*> order;
  for (const Target& target : targets) order.push_back(&target);
  std::stable_partition(order.begin(), order.end(), [](const Target* target) { return is_special(target->path); });
  std::vector<std::string> fresh;
  const Progress progress("writing", 0);
  try {
    for (const Target* target : order) {
      std::error_code none;
      const bool is_new = !fs::exists(target->path, none);
      target->write(target->path);
      if (is_new) fresh.push_back(target->path);
    }
  } catch (...) {
    std::error_code none;
    for (const std::string& path : fresh) fs::remove(path, none);
    throw;
  }
}

}  // namespace heed::tool
