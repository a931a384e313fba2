// A library that tests load before all others (LD_PRELOAD), so that the program itself needs no seam: the n-th call of the system, or the
// n-th allocation, fails once.
//
// The program is started once. Its main is replaced by a loop that takes orders from standard input: for each, a child is forked that
// counts calls from the beginning of the real main on. The child's standard output and error go to the files named by
// HEED_FAULTS_OUT and HEED_FAULTS_ERR, its standard input is HEED_FAULTS_IN. Nothing of this is in the program that is shipped.
// With the address sanitizer, which owns malloc, what fails is operator new; then its leaks are found too.
// Used by tool/faults_test.cpp.
#include "faults.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

using namespace heed::tool::faults;

std::atomic<bool> armed{false};
std::atomic<long> left{0};
Order order{};
volatile int* struck = nullptr;

/// Whether this call is the one that fails.
bool strikes(Kind kind) {
  if (!armed.load() || order.kind != kind || left.fetch_sub(1) != 1) return false;
  *struck = 1;
  return true;
}

/// The call of the system, unless it fails.
template <class... Arguments>
long call(long number, Arguments... arguments) {
  if (!strikes(kCalls)) return ::syscall(number, arguments...);
  errno = EIO;
  return -1;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

using Main = int (*)(int, char**, char**);
Main real_main = nullptr;

void redirect(int to, const char* variable, int flags) {
  const char* path = std::getenv(variable);
  const int file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path != nullptr ? path : "/dev/null", flags, 0600));
  ::dup2(file, to);
  ::syscall(SYS_close, file);
}

int run_child(int argc, char** argv, char** environment) {
  redirect(STDIN_FILENO, "HEED_FAULTS_IN", O_RDONLY);
  redirect(STDOUT_FILENO, "HEED_FAULTS_OUT", O_WRONLY | O_CREAT | O_TRUNC);
  redirect(STDERR_FILENO, "HEED_FAULTS_ERR", O_WRONLY | O_CREAT | O_TRUNC);
  left = order.n;
  armed = true;
  const int status = real_main(argc, argv, environment);
  armed = false;
  return status;
}

int serve(int argc, char** argv, char** environment) {
  struck = static_cast<int*>(::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  while (::syscall(SYS_read, STDIN_FILENO, &order, sizeof order) == static_cast<long>(sizeof order)) {
    *struck = 0;
    const pid_t child = ::fork();
    if (child == 0) return run_child(argc, argv, environment);
    Outcome outcome{};
    if (::waitpid(child, &outcome.status, 0) != child) return 3;
    outcome.struck = *struck;
    if (::syscall(SYS_write, STDOUT_FILENO, &outcome, sizeof outcome) < 0) return 3;
  }
  std::_Exit(0);
}

}  // namespace

// The names below are the C library's own.
extern "C" {

int __libc_start_main(Main program, int argc, char** argv, void (*init)(), void (*fini)(), void (*loader_fini)(), void* stack_end) {
  real_main = program;
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  return next<Start>("__libc_start_main")(serve, argc, argv, init, fini, loader_fini, stack_end);
}

int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return static_cast<int>(call(SYS_openat, AT_FDCWD, path, flags, mode));
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));
int openat(int folder, const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return static_cast<int>(call(SYS_openat, folder, path, flags, mode));
}
int openat64(int folder, const char* path, int flags, ...) __attribute__((alias("openat")));

ssize_t read(int file, void* bytes, size_t size) {
  return call(SYS_read, file, bytes, size);
}
ssize_t pread(int file, void* bytes, size_t size, off_t at) {
  return call(SYS_pread64, file, bytes, size, at);
}
ssize_t pread64(int file, void* bytes, size_t size, off_t at) {
  return call(SYS_pread64, file, bytes, size, at);
}
ssize_t write(int file, const void* bytes, size_t size) {
  return call(SYS_write, file, bytes, size);
}
int close(int file) {
  if (!strikes(kCalls)) return static_cast<int>(::syscall(SYS_close, file));
  ::syscall(SYS_close, file);  // as the system: it is closed all the same
  errno = EIO;
  return -1;
}
int fstat(int file, struct stat* facts) noexcept {
  return static_cast<int>(call(SYS_fstat, file, facts));
}
int stat(const char* path, struct stat* facts) noexcept {
  return static_cast<int>(call(SYS_newfstatat, AT_FDCWD, path, facts, 0));
}
int lstat(const char* path, struct stat* facts) noexcept {
  return static_cast<int>(call(SYS_newfstatat, AT_FDCWD, path, facts, AT_SYMLINK_NOFOLLOW));
}
int fchmod(int file, mode_t mode) noexcept {
  return static_cast<int>(call(SYS_fchmod, file, mode));
}
int access(const char* path, int mode) noexcept {
  return static_cast<int>(call(SYS_faccessat, AT_FDCWD, path, mode));
}
int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  return static_cast<int>(call(SYS_linkat, from_folder, from, to_folder, to, flags));
}
int flock(int file, int operation) noexcept {
  return static_cast<int>(call(SYS_flock, file, operation));
}
ssize_t readlink(const char* path, char* target, size_t size) noexcept {
  return call(SYS_readlinkat, AT_FDCWD, path, target, size);
}
int fcntl(int file, int command, ...) {
  std::va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return static_cast<int>(call(SYS_fcntl, file, command, argument));
}
int fcntl64(int file, int command, ...) __attribute__((alias("fcntl")));
FILE* fopen(const char* path, const char* mode) {
  static const auto real_fopen = next<FILE* (*)(const char*, const char*)>("fopen");
  if (!strikes(kCalls)) return real_fopen(path, mode);
  errno = EIO;
  return nullptr;
}
FILE* fopen64(const char* path, const char* mode) __attribute__((alias("fopen")));
size_t fwrite(const void* bytes, size_t size, size_t count, FILE* file) {
  static const auto real_fwrite = next<size_t (*)(const void*, size_t, size_t, FILE*)>("fwrite");
  if (file != stdout || !strikes(kCalls)) return real_fwrite(bytes, size, count, file);
  errno = EIO;
  return 0;
}
int fflush(FILE* file) {
  static const auto real_fflush = next<int (*)(FILE*)>("fflush");
  if (file != stdout || !strikes(kCalls)) return real_fflush(file);
  errno = EIO;
  return EOF;
}

#ifndef HEED_FAULTS_SANITIZED
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static bool no_memory() {
  if (!strikes(kMemory)) return false;
  errno = ENOMEM;
  return true;
}
void* malloc(size_t size) {
  return no_memory() ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  return no_memory() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  return no_memory() ? nullptr : __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  return no_memory() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  return no_memory() ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  if (no_memory()) return ENOMEM;
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}
#endif

}  // extern "C"

#ifdef HEED_FAULTS_SANITIZED
void* operator new(std::size_t size) {
  void* block = strikes(kMemory) ? nullptr : std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* block = nullptr;
  if (strikes(kMemory) || ::posix_memalign(&block, static_cast<std::size_t>(alignment), size) != 0) throw std::bad_alloc();
  return block;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return strikes(kMemory) ? nullptr : std::malloc(size);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}
#endif
