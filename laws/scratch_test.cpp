// Scratch: what a plan states is what run() takes, measured at the allocator; and it does not grow with T.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "laws/support/case.hpp"

namespace {
std::atomic<std::int64_t> allocated{0};
std::atomic<bool> counting{false};

void* counted(std::size_t size, std::size_t alignment) {
  if (counting) allocated += static_cast<std::int64_t>(size);
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return std::aligned_alloc(
      static_cast<std::size_t>(alignment),
      (size + static_cast<std::size_t>(alignment) - 1) / static_cast<std::size_t>(alignment) * static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace heed::laws {
namespace {

std::int64_t bytes_of_run(const Plan& plan, const Draw& draw) {
  const Problem& problem = plan.problem();
  Tensor o(problem.dtype, {problem.batch, problem.heads, problem.queries, problem.value_dim});
  plan.run({draw.q, draw.k, draw.v}, {.o = o.span()});  // the thread pool makes itself once per process
  allocated = 0;
  counting = true;
  plan.run({draw.q, draw.k, draw.v}, {.o = o.span()});
  counting = false;
  return allocated;
}

TEST(Scratch, ThePlanStatesWhatRunTakes) {
  for (const Kernel& kernel : kernels_of_any_dtype()) {
    for (const Case& given : {Case{.queries = 130, .keys = 200, .mask = "causal", .scores = {"alibi(slope)"}},
                              Case{.heads = 1, .kv_heads = 1, .queries = 1, .keys = 5000},
                              Case{.queries = 70, .keys = 70, .dtype = DType::kBF16, .mask = "dense(seen)"}}) {
      for (const int threads : {1, 2}) {
        const Case of = kernel.of(given);
        const Draw draw(of);
        Problem problem = draw.problem();
        problem.kernel = kernel.name;
        problem.threads = threads;
        const Plan plan(problem);
        EXPECT_EQ(bytes_of_run(plan, draw), plan.scratch_bytes()) << kernel.name << " threads " << threads << ": " << of.text();
      }
    }
  }
}

TEST(Scratch, FusedScratchDoesNotGrowWithLength) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF64}) {
    const auto scratch = [dtype](std::int64_t length, int threads) {
      Problem problem{.heads = 8,
                      .kv_heads = 8,
                      .queries = length,
                      .keys = length,
                      .dim = 128,
                      .value_dim = 128,
                      .dtype = dtype,
                      .mask = causal(),
                      .threads = threads};
      return Plan(problem).scratch_bytes();
    };
    EXPECT_EQ(scratch(4096, 1), scratch(131072, 1));
    EXPECT_LE(scratch(131072, 1), 4 << 20);
    EXPECT_LE(scratch(131072, 2), 2 * (4 << 20));
  }
}

}  // namespace
}  // namespace heed::laws
