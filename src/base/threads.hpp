// Threads: a fixed number of workers draw numbered tasks in order. Which worker takes which task is chance; nothing a task computes may
// depend on it, only the scratch it uses does.
#pragma once

#include <cstdint>
#include <functional>

namespace heed::base {

/// Cores this process may use.
[[nodiscard]] int available_threads();

/// Calls task(worker, index) for every index in [0, tasks), worker in [0, threads). An exception of a task reaches the caller.
void parallel(int threads, std::int64_t tasks, const std::function<void(int worker, std::int64_t index)>& task);

}  // namespace heed::base
