#include <heed/limits.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include <heed/available.hpp>

#include "base/cpu.hpp"
#include "base/targets.hpp"
#include "base/threads.hpp"
#include "machine/bf16_units.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/limits.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, so that it is compiled for each target.
#include <hwy/highway.h>

#include "base/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::machine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr long kSteps = 64;  // of every chain in a round: a fraction of a microsecond
constexpr int kChains = 12;  // latency 4 times two units, and some to spare, within sixteen registers
constexpr int kReaders = 8;  // accumulators of a read
constexpr int kExps = 2048;  // numbers of a round: 8 KiB in, 8 KiB out

/// Chains of multiply-adds in registers. Each starts from a number of its own, or the compiler would compute one for all. Returns the
/// flops done.
double MultiplyAdd(long rounds, float& sink) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.5f), term = hn::Set(d, 0.5f);  // they draw every chain towards 1
  hn::Vec<decltype(d)> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = hn::Set(d, sink + static_cast<float>(i));
  for (long step = 0; step < rounds * kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = hn::MulAdd(chain[i], factor, term);
  }
  auto all = chain[0];
  for (int i = 1; i < kChains; ++i) all = hn::Add(all, chain[i]);
  sink = hn::GetLane(hn::SumOfLanes(d, all));
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds * kSteps);
}

/// For the compiler, somebody may have changed all memory here: what a round computes cannot serve the next one.
HWY_INLINE void forget_memory() {
  asm volatile("" : : : "memory");
}

/// exp of the first kExps numbers of the buffer into the next kExps. Returns how many were computed.
double Exp(long rounds, float* buffer) {
  const hn::ScalableTag<float> d;
  for (long round = 0; round < rounds; ++round, forget_memory()) {
    for (int i = 0; i < kExps; i += static_cast<int>(hn::Lanes(d)))
      hn::Store(base::HWY_NAMESPACE::exp_of_negative(d, hn::Load(d, buffer + i)), d, buffer + kExps + i);
  }
  return static_cast<double>(rounds) * kExps;
}

/// Loads all `count` numbers, a multiple of kReaders vectors. Returns the bytes read.
double Read(long rounds, const float* buffer, std::size_t count, float& sink) {
  const hn::ScalableTag<std::uint32_t> d;
  const auto* const words = reinterpret_cast<const std::uint32_t*>(buffer);
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sums[kReaders];
  for (auto& sum : sums) sum = hn::Zero(d);
  for (long round = 0; round < rounds; ++round, forget_memory()) {
    for (std::size_t i = 0; i < count; i += kReaders * lanes) {
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kReaders; ++j) sums[j] = hn::Or(sums[j], hn::Load(d, words + i + j * lanes));
    }
  }
  auto all = sums[0];
  for (int j = 1; j < kReaders; ++j) all = hn::Or(all, sums[j]);
  sink = static_cast<float>(hn::GetLane(all));
  return static_cast<double>(rounds) * static_cast<double>(count * sizeof(float));
}

}  // namespace heed::machine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::machine {
HWY_EXPORT(MultiplyAdd);
HWY_EXPORT(Exp);
HWY_EXPORT(Read);

namespace {

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr std::size_t kInL1 = 16 * kKiB, kInL2 = 256 * kKiB, kInL3 = 16 * kMiB;  // fits there, and in no cache below
constexpr std::size_t kPage = 4 * kKiB;                                          // or more

struct Budget {
  double attempt;       // seconds that one attempt should last, at least
  double limit;         // seconds for all attempts at one limit
  std::size_t largest;  // bytes of a thread's buffer
  double all;           // bytes of all buffers together
};

/// Most of the quick form's time goes into asking for memory, 0.3 ms or more for a MiB: hence 40 MiB, just beyond usual L3s.
Budget budget_of(Effort effort) {
  if (effort == Effort::kQuick) return {.attempt = 0.4e-3, .limit = 1.5e-3, .largest = 40 * kMiB, .all = 512.0 * kMiB};
  return {.attempt = 4e-3, .limit = 80e-3, .largest = 512 * kMiB, .all = 2048.0 * kMiB};
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Workers wait here for one another, or a sleeper's awakening would count as work; but not for long, as one may have to do it all.
class Meeting {
 public:
  explicit Meeting(int workers) : missing_(workers) {}
  void attend() {
    constexpr double kPatience = 0.2e-3;
    const auto start = Clock::now();
    --missing_;
    while (missing_ > 0 && seconds_since(start) < kPatience) {
    }
  }

 private:
  std::atomic<int> missing_;
};

/// The most that all workers together get done per second. `work(worker, rounds)` says how much it did.
template <class Work>
double best_rate(int workers, const Budget& budget, const Work& work) {
  struct alignas(128) Attempt {
    Clock::time_point start;
    double done = 0;
  };
  std::vector<Attempt> attempts(static_cast<std::size_t>(workers));
  const auto everything = Clock::now();
  double best = 0;
  constexpr int kLeastAttempts = 4;  // one alone may have been interrupted
  long rounds = 1;
  for (int tried = 0; tried < kLeastAttempts || seconds_since(everything) < budget.limit; ++tried) {
    Meeting meeting(workers);
    base::parallel(workers, workers, [&](int, std::int64_t index) {
      const auto at = static_cast<std::size_t>(index);
      meeting.attend();
      attempts[at].start = Clock::now();
      attempts[at].done = work(at, rounds);
    });
    const auto end = Clock::now();
    auto start = end;
    double done = 0;
    for (const Attempt& attempt : attempts) {
      start = std::min(start, attempt.start);
      done += attempt.done;
    }
    const double seconds = std::max(1e-9, std::chrono::duration<double>(end - start).count());
    best = std::max(best, done / seconds);
    constexpr double kMostGrowth = 64;  // of one attempt over the last: the first ones may have been slow
    const double growth = std::min(kMostGrowth, 1.2 * budget.attempt / seconds);
    if (growth > 1.2) rounds = std::lround(std::ceil(growth * static_cast<double>(rounds)));
  }
  return best;
}

/// What one thread works on.
struct alignas(128) Desk {
  float sink = 1;
  struct Free {
    void operator()(float* memory) const { ::operator delete (memory, std::align_val_t{kPage}); }
  };
  std::unique_ptr<float, Free> buffer;
};
using Desks = std::vector<Desk>;

/// Whether every desk got a buffer of so many bytes.
bool furnish(Desks& desks, std::size_t bytes) {
  for (Desk& desk : desks) desk.buffer.reset();
  for (Desk& desk : desks) {
    desk.buffer.reset(static_cast<float*>(::operator new (bytes, std::align_val_t{kPage}, std::nothrow)));
    if (!desk.buffer) return false;
  }
  return true;
}

/// Gives every desk a buffer that begins with numbers below 0, as large as fits. Returns its bytes.
std::size_t furnish(Desks& desks, const Budget& budget) {
  const double share = std::min(budget.all, available_memory() / 4) / static_cast<double>(desks.size());
  std::size_t bytes = budget.largest;
  while (bytes > kInL1 && static_cast<double>(bytes) > share) bytes /= 2;
  while (!furnish(desks, bytes)) {
    if (bytes == kInL1) throw std::bad_alloc();
    bytes /= 2;
  }
  const int workers = static_cast<int>(desks.size());
  base::parallel(workers, workers, [&](int, std::int64_t index) {
    float* const buffer = desks[static_cast<std::size_t>(index)].buffer.get();
    std::fill_n(buffer, kInL1 / sizeof(float), -1.0f);
    for (std::size_t at = kInL1; at < bytes; at += kPage) buffer[at / sizeof(float)] = 0;  // else all would be one page, and in L1
  });
  return bytes;
}

int workers_of(int threads) {
  const int most = available_threads();
  return threads > 0 ? std::min(threads, most) : most;
}

double multiply_add_of(Desks& desks, const Budget& budget) {
  return best_rate(static_cast<int>(desks.size()), budget,
                   [&](std::size_t at, long rounds) { return HWY_DYNAMIC_DISPATCH(MultiplyAdd)(rounds, desks[at].sink); });
}

}  // namespace
}  // namespace heed::machine

namespace heed {
using namespace machine;

std::string_view name_of(Unit unit) {
  constexpr std::string_view kNames[] = {"f32 multiply-adds", "bf16 dot products", "matrix unit"};
  return kNames[static_cast<std::size_t>(unit)];
}

double Limits::of(Unit unit) const {
  return unit == Unit::kMatrixUnit ? matrix_unit : unit == Unit::kBF16Dot ? bf16_dot : multiply_add;
}

double measure_multiply_add(int threads) {
  Desks desks(static_cast<std::size_t>(workers_of(threads)));
  return multiply_add_of(desks, budget_of(Effort::kThorough));
}

double measure_read(int threads, double bytes) {
  const int workers = workers_of(threads);
  Budget budget = budget_of(Effort::kThorough);
  const auto each = static_cast<std::size_t>(std::min(bytes / workers, budget.all));
  budget.largest = std::max(kInL1, each / kPage * kPage);
  Desks desks(static_cast<std::size_t>(workers));
  const std::size_t count = furnish(desks, budget) / sizeof(float);
  return best_rate(workers, budget, [&](std::size_t at, long rounds) {
    return HWY_DYNAMIC_DISPATCH(Read)(rounds, desks[at].buffer.get(), count, desks[at].sink);
  });
}

Limits measure_limits(int threads, Effort effort) {
  const int workers = workers_of(threads);
  const Budget budget = budget_of(effort);
  Desks desks(static_cast<std::size_t>(workers));
  const std::size_t largest = furnish(desks, budget);
  const auto rate = [&](const auto& work) {
    return best_rate(workers, budget, [&](std::size_t at, long rounds) { return work(desks[at], rounds); });
  };
  const auto read = [&](std::size_t bytes) {
    const std::size_t count = std::min(bytes, largest) / sizeof(float);
    return rate([&](Desk& desk, long rounds) { return HWY_DYNAMIC_DISPATCH(Read)(rounds, desk.buffer.get(), count, desk.sink); });
  };
  Limits limits;
  limits.multiply_add = multiply_add_of(desks, budget);
  if (base::real_cpu().avx512_bf16) limits.bf16_dot = rate([](Desk& desk, long rounds) { return bf16_dots(rounds, desk.sink); });
  if (base::real_cpu().amx_bf16) limits.matrix_unit = rate([](Desk& desk, long rounds) { return matrix_products(rounds, desk.sink); });
  limits.exp = rate([](Desk& desk, long rounds) { return HWY_DYNAMIC_DISPATCH(Exp)(rounds, desk.buffer.get()); });
  limits.l1 = read(kInL1);
  limits.l2 = read(kInL2);
  limits.l3 = read(kInL3);
  limits.dram = read(largest);
  return limits;
}

const Limits& quick_limits(int threads) {
  static std::mutex mutex;
  static std::map<int, Limits> measured;  // whose nodes stay where they are
  const int workers = workers_of(threads);
  const std::lock_guard lock(mutex);
  auto found = measured.find(workers);
  if (found == measured.end()) found = measured.emplace(workers, measure_limits(workers, Effort::kQuick)).first;
  return found->second;
}

}  // namespace heed
#endif
