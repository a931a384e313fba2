// Files that nobody sees before they are complete.
//
// O_TMPFILE makes a file without a name, which the system removes with its process, however that ends. linkat gives it a name, but
// replaces nothing, so it gets a temporary one that rename puts in the target's place. Where there is no O_TMPFILE (NFS, some overlays)
// the temporary name is there from the beginning.
// The handler of signals may call next to nothing, so names lie ready for it in an array; it unlinks, and ends the process.
// Checked in file_test.cpp and tool/files_test.cpp.
#include "io/temporary.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

namespace heed::io {
namespace {

constexpr const char* kUnwritable = "the file cannot be written";
constexpr const char* kFolder = "an existing, writable folder";

/// Names that a signal's handler removes.
struct Slot {
  std::atomic<bool> taken{false}, ready{false};
  std::array<char, PATH_MAX> name{};
};
std::array<Slot, 16> slots;

int take_slot() {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].taken.exchange(true)) return static_cast<int>(i);
  }
  return -1;  // more files at once than slots: this one is not cleaned up after a signal
}

void on_signal(int signal) {
  for (Slot& slot : slots) {
    if (slot.ready.load()) ::unlink(slot.name.data());
  }
  // The default action comes when the handler returns and the signal is no longer blocked.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
  ::raise(signal);
}

bool is_temporary(std::string_view name) {
  constexpr std::string_view kPrefix = ".heed-", kSuffix = ".tmp";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() < kPrefix.size() + kSuffix.size() + 3) return false;
  const std::string_view numbers = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  return std::ranges::count(numbers, '-') == 1 && numbers.find_first_not_of("0123456789-") == std::string_view::npos;
}

/// Removes temporary files whose process is gone. What cannot be looked at stays. (The standard library's iterator of folders ends the
/// program where memory is short.)
void remove_orphans(const std::string& folder) {
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Close> place(::opendir(folder.c_str()));
  while (const dirent* entry = place ? ::readdir(place.get()) : nullptr) {
    if (!is_temporary(entry->d_name)) continue;
    const int inside = ::dirfd(place.get());
    const Descriptor file(::openat(inside, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.open() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(inside, entry->d_name, 0);
  }
}

/// Whether opening with O_TMPFILE failed because the file system (or a system before it) does not know it.
bool is_unknown_here(int reason) {
  return reason == EOPNOTSUPP || reason == EISDIR || reason == EINVAL || reason == ENOSYS;
}

}  // namespace

TemporaryName::TemporaryName() : slot_(take_slot()) {}

TemporaryName::~TemporaryName() {
  if (there_) ::unlink(name_.c_str());
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.ready = false;
  slot.taken = false;
}

const std::string& TemporaryName::next(const std::string& folder) {
  static std::atomic<unsigned> counter{0};
  name_ = (std::filesystem::path(folder) / (".heed-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp")).string();
  if (slot_ < 0) return name_;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.ready = false;
  if (name_.size() >= slot.name.size()) return name_;
  std::memcpy(slot.name.data(), name_.c_str(), name_.size() + 1);
  slot.ready = true;
  return name_;
}

Temporary::Temporary(std::string target, std::string path)
    : target_(std::move(target)), path_(std::move(path)), folder_(std::filesystem::path(target_).parent_path().string()) {
  if (folder_.empty()) folder_ = ".";
  remove_orphans(folder_);
  const bool has_links = ::access("/proc/self/fd", X_OK) == 0;  // the way to a file without a name
  if (has_links) file_ = Descriptor(::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (has_links && !file_.open() && !is_unknown_here(errno)) refuse(kUnwritable, path_, kFolder, errno);
  if (!file_.open()) open_named();
}

void Temporary::open_named() {
  for (;;) {
    const std::string& name = name_.next(folder_);
    file_ = Descriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_.open() && errno == EEXIST) continue;
    if (!file_.open()) refuse(kUnwritable, path_, kFolder, errno);
    name_.set_there(true);
    (void)::flock(file_.number(), LOCK_EX | LOCK_NB);
    struct stat facts {};
    if (::fstat(file_.number(), &facts) != 0) refuse(kUnwritable, path_, "", errno);
    if (facts.st_nlink > 0) return;
    name_.set_there(false);  // taken for an orphan before it was locked
  }
}

void Temporary::give_name() {
  (void)::flock(file_.number(), LOCK_EX | LOCK_NB);
  const std::string link = "/proc/self/fd/" + std::to_string(file_.number());
  while (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name_.next(folder_).c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno != EEXIST) refuse(kUnwritable, path_, "", errno);
  }
  name_.set_there(true);
}

void Temporary::keep() {
  if (!name_.there()) give_name();
  // What the system could not store it may say only here: a second descriptor is closed while the first still holds the lock.
  Descriptor twin(::fcntl(file_.number(), F_DUPFD_CLOEXEC, 0));
  if (!twin.open() || twin.close() != 0) refuse(kUnwritable, path_, "", errno);
  if (std::rename(name_.text().c_str(), target_.c_str()) != 0) refuse(kUnwritable, path_, "", errno);
  name_.set_there(false);
}

void clean_up_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = on_signal;
    sigfillset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
  (void)std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace heed::io
