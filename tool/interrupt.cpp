#include "interrupt.hpp"

#include <atomic>

namespace heed::tool {
namespace {

std::atomic<bool> asked_to_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a handler of signals may write it
struct sigaction usual {};                              // before

void on_interrupt(int signal) {
  if (!asked_to_stop.exchange(true)) return;
  ::sigaction(signal, &usual, nullptr);
  (void)::raise(signal);
}

}  // namespace

Interruptible::Interruptible() {
  struct sigaction stop {};
  stop.sa_handler = on_interrupt;
  sigemptyset(&stop.sa_mask);
  asked_to_stop = false;
  ::sigaction(SIGINT, nullptr, &before_);
  if (before_.sa_handler == SIG_IGN) return;  // in the background of a shell
  usual = before_;
  ::sigaction(SIGINT, &stop, nullptr);
}

Interruptible::~Interruptible() {
  ::sigaction(SIGINT, &before_, nullptr);
}

Watch Interruptible::watch(Progress& progress) const {
  return {.cancel = &asked_to_stop, .progress = [&progress](double share) { progress.reached(share); }};
}

}  // namespace heed::tool
