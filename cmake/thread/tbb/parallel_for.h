// Under the thread sanitizer alone this stands before oneTBB's header of the same name. oneTBB's library is not instrumented: the
// sanitizer would report its queues as races and see nothing of the order they make. Plain threads, one an index, it sees whole.
#pragma once

#include <exception>
#include <thread>
#include <vector>

namespace tbb {

struct simple_partitioner {};

template <class Index, class Body>
void parallel_for(Index first, Index last, const Body& body, const simple_partitioner&) {
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(last - first));
  {
    std::vector<std::jthread> threads;
    for (Index index = first; index < last; ++index) {
      threads.emplace_back([&, index] {
        try {
          body(index);
        } catch (...) {
          thrown[static_cast<std::size_t>(index - first)] = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
}

}  // namespace tbb
