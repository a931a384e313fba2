// Threads: a fixed number of workers draw numbered tasks in order. Which worker takes which task is chance; nothing a task computes may
// depend on it, only the scratch it uses does.
#pragma once

#include <cstdint>
#include <type_traits>

namespace heed::base {

/// Cores this process may use.
[[nodiscard]] int available_threads();

/// A borrowed task: what std::function would be without memory of its own.
class Task {
 public:
  template <class Function>
  explicit Task(Function& function)
      : object_(&function),
        call_([](const void* object, int worker, std::int64_t index) { (*static_cast<const Function*>(object))(worker, index); }) {}
  void operator()(int worker, std::int64_t index) const { call_(object_, worker, index); }

 private:
  const void* object_;
  void (*call_)(const void*, int, std::int64_t);
};

void run_tasks(int threads, std::int64_t tasks, const Task& task);

/// Calls task(worker, index) for every index in [0, tasks), worker in [0, threads). An exception of a task reaches the caller.
template <class Function>
void parallel(int threads, std::int64_t tasks, const Function& task) {
  run_tasks(threads, tasks, Task(task));
}

}  // namespace heed::base
