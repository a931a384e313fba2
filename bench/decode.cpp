// Few queries over a long cache: bytes of Q, K, V and O per second, against a plain read of as many bytes in the same process.
//
//   decode [--level AVX2] [--threads 1] [--keys 131072] [--rounds 15]
//
// --level: as on an older processor. The best of the rounds; plain reads before and after, the better counts.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <heed/heed.hpp>

#include "base/cpu.hpp"
#include "kernel/simd/instruction_sets.hpp"
#include "kernel/table.hpp"
#include "plan/cost.hpp"
#include "plan/limits.hpp"

namespace {

using heed::DType;

struct Case {
  std::int64_t heads, kv_heads, queries, dim;
};
constexpr Case kCases[] = {{32, 8, 1, 128}, {32, 32, 1, 128}, {32, 8, 1, 64}, {32, 4, 1, 128}, {32, 4, 2, 128}};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

heed::Tensor numbers(std::int64_t heads, std::int64_t rows, std::int64_t columns, DType dtype) {
  heed::Tensor tensor(dtype, {1, heads, rows, columns});
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    state = state * 1664525U + 1013904223U;
    heed::store_real(tensor.span(), i, (state >> 8) * 0x1p-23 - 1);
  }
  return tensor;
}

void measure(const Case& c, DType dtype, std::int64_t keys, int threads, int rounds) {
  heed::Problem p;
  p.heads = c.heads;
  p.kv_heads = c.kv_heads;
  p.queries = c.queries;
  p.keys = keys * 8 / c.kv_heads * 128 / c.dim * 2 / heed::size_of(dtype);  // as many bytes in every case
  p.dim = p.value_dim = c.dim;
  p.dtype = dtype;
  p.threads = threads;
  const heed::Plan plan(p);
  heed::Tensor q = numbers(p.heads, p.queries, p.dim, dtype), o(dtype, q.shape());
  const heed::Tensor k = numbers(p.kv_heads, p.keys, p.dim, dtype), v = numbers(p.kv_heads, p.keys, p.dim, dtype);
  const heed::Inputs in{q.view(), k.view(), v.view()};
  const heed::Outputs out{.o = o.span()};
  const double bytes = heed::plan::work_of(plan.body(), *plan.body().kernel).dram;
  double read = heed::plan::measure_read(plan.threads(), bytes), best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const double begin = now();
    plan.run(in, out);
    best = std::min(best, now() - begin);
  }
  read = std::max(read, heed::plan::measure_read(plan.threads(), bytes));
  std::printf("| %s | %lld on %lld, Tq %lld, d %lld, Tk %lld | %s | %.1f | %.1f | %.0f %% |\n", std::string(heed::name_of(dtype)).c_str(),
              static_cast<long long>(p.heads), static_cast<long long>(p.kv_heads), static_cast<long long>(p.queries),
              static_cast<long long>(p.dim), static_cast<long long>(p.keys), plan.kernel().c_str(), bytes / best / 1e9, read / 1e9,
              100 * bytes / best / read);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  std::string level;
  int threads = 1, rounds = 15, cases = 5;
  std::int64_t keys = 131072;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i], value = words[i + 1];
    if (word == "--level")
      level = value;
    else if (word == "--threads")
      threads = std::atoi(value.c_str());
    else if (word == "--keys")
      keys = std::atoll(value.c_str());
    else if (word == "--rounds")
      rounds = std::atoi(value.c_str());
    else if (word == "--cases")
      cases = std::atoi(value.c_str());
    else
      return std::fprintf(stderr, "unknown option %s\n", word.c_str()), 2;
  }
  if (!level.empty()) {
    heed::kernel::simd::limit(level);
    heed::base::limit_cpu(heed::base::Cpu{});
  }
  std::printf("| dtype | heads | kernel | GB/s | plain read GB/s | share |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const Case& c : std::vector<Case>(kCases, kCases + cases)) {
    for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) measure(c, dtype, keys, threads, rounds);
  }
  return 0;
}
