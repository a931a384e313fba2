// Under the thread sanitizer alone, as parallel_for.h beside it tells: an arena bounds nothing.
#pragma once

namespace tbb {

struct task_arena {
  explicit task_arena(int) {}
  template <class Work>
  void execute(const Work& work) {
    work();
  }
};

}  // namespace tbb
