// A Watch: the share of the work grows to 1, a run ends within a block of being cancelled, works in the caller's memory and asks for none,
// and gives the same bits watched or not; census likewise.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <heed/heed.hpp>

#include "laws/support/case.hpp"
#include "laws/support/refusal.hpp"

namespace heed::laws {
namespace {

struct Aligned {
  explicit Aligned(std::int64_t bytes)
      : memory(static_cast<std::byte*>(::operator new (static_cast<std::size_t>(bytes), std::align_val_t{64}))),
        size(static_cast<std::size_t>(bytes)) {}
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { ::operator delete (memory, std::align_val_t{64}); }
  [[nodiscard]] std::span<std::byte> span() const { return {memory, size}; }
  std::byte* memory;
  std::size_t size;
};

/// Cases whose work falls into many blocks, for a kernel: bands of tiles, and few rows on many keys.
std::vector<Case> cases_for(const std::string& kernel) {
  Case many{.queries = 700, .keys = 700, .dim = 16, .value_dim = 16, .mask = "causal"},
      few{.heads = 1, .kv_heads = 1, .queries = 2, .keys = 20000, .dim = 16, .value_dim = 16};
  if (kernel == "double") many.dtype = few.dtype = DType::kF64;
  if (kernel == "decode") return {few};
  if (kernel == "classic" || kernel == "reference") return {many};
  return {many, few};
}

struct Running {
  Running(const Case& of, const std::string& kernel, int threads) : draw(of), o(of.dtype, {1, of.heads, of.queries, of.value_dim}) {
    Problem problem = draw.problem();
    problem.kernel = kernel;
    problem.threads = threads;
    plan = std::make_unique<Plan>(problem);
  }
  void run(const Watch& watch) { plan->run({draw.q, draw.k, draw.v}, {.o = o.span()}, watch); }
  Draw draw;
  Tensor o;
  std::unique_ptr<Plan> plan;
};

template <class Body>
void every_running(const Body& body) {
  std::vector<std::string> names = kernels();
  names.emplace_back("double");
  for (const std::string& kernel : names) {
    for (const Case& of : cases_for(kernel)) {
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(kernel + ", " + of.text() + ", threads " + std::to_string(threads));
        Running running(of, kernel, threads);
        body(running);
      }
    }
  }
}

TEST(Watched, TheShareGrowsToOneAndNoBitChanges) {
  every_running([](Running& running) {
    running.run({});
    const Tensor alone = converted(running.o.view(), running.o.dtype());
    std::vector<double> shares;
    running.run({.progress = [&](double share) { shares.push_back(share); }});
    ASSERT_GT(shares.size(), 2u);
    for (std::size_t n = 1; n < shares.size(); ++n) EXPECT_GE(shares[n], shares[n - 1]);
    EXPECT_GE(shares.front(), 0);
    EXPECT_GT(shares.back(), 0.9);  // another thread may have ended while one told
    EXPECT_LE(shares.back(), 1);
    EXPECT_TRUE(same_bits(alone, running.o));
  });
}

/// Counted in blocks: after the cancel every thread begins no more than the one that it is in.
TEST(Watched, ACancelledRunEndsWithinABlock) {
  every_running([](Running& running) {
    std::atomic<bool> cancel{false};
    std::atomic<int> after{0};
    Watch watch{.cancel = &cancel, .progress = [&](double) {
                  if (cancel) ++after;
                  cancel = true;
                }};
    EXPECT_THROW(running.run(watch), Cancelled);
    EXPECT_LE(after, 2);                          // of other threads, which looked just before
    EXPECT_THROW(running.run(watch), Cancelled);  // from the start
    cancel = false;
    running.run({.cancel = &cancel});
  });
}

TEST(Watched, AnExceptionOfTheWatcherReachesTheCaller) {
  Running running(cases_for("simd")[0], "simd", 3);
  EXPECT_THROW(running.run({.progress = [](double) { throw std::runtime_error("enough"); }}), std::runtime_error);
}

TEST(Watched, RunsInTheMemoryOfTheCaller) {
  every_running([](Running& running) {
    running.run({});
    const Tensor alone = converted(running.o.view(), running.o.dtype());
    const Aligned memory(running.plan->scratch_bytes());
    std::memset(memory.memory, 0xFF, memory.size);
    running.run({.scratch = memory.span()});
    EXPECT_TRUE(same_bits(alone, running.o));
  });
}

TEST(Watched, MemoryThatDoesNotFitIsRefused) {
  Running running(cases_for("simd")[0], "simd", 1);
  const std::int64_t needed = running.plan->scratch_bytes();
  const Aligned memory(needed + 64);
  const auto said = [&](std::span<std::byte> scratch) { return refusal([&] { running.run({.scratch = scratch}); }); };
  EXPECT_NE(said(memory.span().first(static_cast<std::size_t>(needed - 1))).find("scratch is too small"), std::string::npos);
  EXPECT_NE(said(memory.span().subspan(1, static_cast<std::size_t>(needed))).find("not aligned"), std::string::npos);
}

TEST(Watched, CensusToo) {
  Running running({.heads = 2, .kv_heads = 2, .queries = 3000, .keys = 3000, .dim = 16, .value_dim = 16, .mask = "causal"}, "simd", 2);
  Tensor received(DType::kF32, {1, 2, 3000});
  std::vector<double> shares;
  census(*running.plan, running.draw.q, running.draw.k, {}, {.received = received.span()},
         {.progress = [&](double share) { shares.push_back(share); }});
  ASSERT_GT(shares.size(), 2u);
  for (std::size_t n = 1; n < shares.size(); ++n) EXPECT_GE(shares[n], shares[n - 1]);
  std::atomic<bool> cancel{true};
  EXPECT_THROW(census(*running.plan, running.draw.q, running.draw.k, {}, {.received = received.span()}, {.cancel = &cancel}), Cancelled);
}

}  // namespace
}  // namespace heed::laws
