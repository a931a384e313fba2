#include "base/threads.hpp"

#include <algorithm>
#include <atomic>

#include <heed/available.hpp>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace heed::base {

void run_tasks(int threads, std::int64_t tasks, const Task& task) {
  const int workers = static_cast<int>(std::min<std::int64_t>(std::max(threads, 1), tasks));
  if (workers <= 1) {
    for (std::int64_t index = 0; index < tasks; ++index) task(0, index);
    return;
  }
  std::atomic<std::int64_t> next{0};
  // More slots than cores would only make oneTBB print a warning; the workers beyond find nothing left to draw.
  tbb::task_arena arena(std::min(workers, available_threads()));
  arena.execute([&] {
    tbb::parallel_for(
        0, workers,
        [&](int worker) {
          for (std::int64_t index = next++; index < tasks; index = next++) task(worker, index);
        },
        tbb::simple_partitioner());
  });
}

}  // namespace heed::base
