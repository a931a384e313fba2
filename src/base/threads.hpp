// Threads: a fixed number of workers draw numbered tasks in order. Which worker takes which task is chance; nothing a task computes may
// depend on it, only the scratch it uses does.
#pragma once

#include <cstdint>

#include "base/borrowed.hpp"

namespace heed::base {

using Task = Borrowed<void(int worker, std::int64_t index)>;

void run_tasks(int threads, std::int64_t tasks, const Task& task);

/// Calls task(worker, index) for every index in [0, tasks), worker in [0, threads). An exception of a task reaches the caller.
template <class Function>
void parallel(int threads, std::int64_t tasks, const Function& task) {
  run_tasks(threads, tasks, Task(task));
}

}  // namespace heed::base
