// A file being written that is not there yet: without a name where the system can do that, else under a name that goes away again.
//
// What may be left behind: nothing but `.heed-PID-N.tmp` of a process that was killed outright between naming a file and renaming it
// (where O_TMPFILE is not to be had, while writing). Such files are locked as long as their process lives; the next write to the
// folder removes those that are not.
#pragma once

#include <sys/types.h>

#include <string>

#include "io/descriptor.hpp"

namespace heed::io {

/// The name of a temporary file, known to the handler of signals; the file goes away with it unless it was renamed.
class TemporaryName {
 public:
  TemporaryName();
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName();

  /// Another name in this folder, which no file of this process has had.
  const std::string& next(const std::string& folder);
  /// Whether there is a file of this name.
  void set_there(bool there) { there_ = there; }
  [[nodiscard]] bool there() const { return there_; }
  [[nodiscard]] const std::string& text() const { return name_; }

 private:
  std::string name_{};
  int slot_;
  bool there_ = false;
};

class Temporary {
 public:
  /// In the folder of `target`. Errors name `path`, as the user wrote it.
  Temporary(std::string target, std::string path);

  [[nodiscard]] const Descriptor& file() const { return file_; }
  /// Puts the file in the target's place.
  void keep();

 private:
  void open_named();
  void give_name();

  std::string target_, path_, folder_;
  TemporaryName name_;
  Descriptor file_;
};

/// SIGINT, SIGTERM and SIGHUP, unless they are ignored, first remove the names of temporary files and then end the process as ever
/// (exit status 130, 143, 129 in a shell). A file-size limit becomes an error of write, not SIGXFSZ. For programs, not for libraries.
void clean_up_on_signals();

}  // namespace heed::io
