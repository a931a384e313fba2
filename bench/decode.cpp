// Few queries over a long cache: bytes of Q, K, V and O per second, against a plain read of as many bytes in the same process.
//
//   decode [--level AVX2] [--threads 1] [--keys 131072] [--rounds 15] [--cases 6] [--kernel simd]
//
// --level: as on an older processor. Times are processor time by thread, which a busy machine disturbs little; plain reads of K and V
// themselves take turns with the runs. The best of the rounds counts. --cases N: the first N alone.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <heed/heed.hpp>

#include "base/cpu.hpp"
#include "base/instruction_sets.hpp"

namespace {

using heed::DType;

struct Case {
  std::int64_t heads, kv_heads, queries, dim;
};
constexpr Case kCases[] = {{32, 8, 1, 128}, {32, 32, 1, 128}, {32, 8, 1, 64}, {32, 4, 1, 128}, {32, 4, 2, 128}, {32, 8, 3, 128}};

double now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Every line of the tensor, by vectors of 16 bytes.
void read(const heed::Tensor& tensor) {
  using Vector __attribute__((vector_size(16))) = std::int64_t;
  const auto* at = static_cast<const Vector*>(tensor.view().data);
  Vector sums[8] = {};
  for (std::int64_t left = tensor.count() * heed::size_of(tensor.dtype()) / 128; left > 0; --left, at += 8) {
    for (int i = 0; i < 8; ++i) sums[i] |= at[i];
  }
  for (const Vector& sum : sums) asm volatile("" : : "x"(sum));
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

void measure(const Case& c, DType dtype, std::int64_t keys, int threads, int rounds, const std::string& kernel) {
  heed::Problem p;
  p.heads = c.heads;
  p.kv_heads = c.kv_heads;
  p.queries = c.queries;
  p.keys = keys * 8 / c.kv_heads * 128 / c.dim * 2 / heed::size_of(dtype);  // as many bytes in every case
  p.dim = p.value_dim = c.dim;
  p.dtype = dtype;
  p.threads = threads;
  p.kernel = kernel;
  const heed::Plan plan(p);
  heed::Tensor q = numbers(p.heads, p.queries, p.dim, dtype), o(dtype, q.shape());
  const heed::Tensor k = numbers(p.kv_heads, p.keys, p.dim, dtype), v = numbers(p.kv_heads, p.keys, p.dim, dtype);
  const heed::Inputs in{q.view(), k.view(), v.view()};
  const heed::Outputs out{.o = o.span()};
  const double bytes = plan.work().dram;
  double best = 1e9, plain = 1e9;
  for (int round = 0; round < rounds; ++round) {
    double begin = now();
    plan.run(in, out);
    best = std::min(best, (now() - begin) / plan.threads());
    begin = now();
    read(k);
    read(v);
    plain = std::min(plain, now() - begin);
  }
  const double rate = bytes / best, most = bytes / plain * plan.threads();
  std::printf("| %s | %lld on %lld, Tq %lld, d %lld, Tk %lld | %s | %.1f | %.1f | %.0f %% |\n", std::string(heed::name_of(dtype)).c_str(),
              static_cast<long long>(p.heads), static_cast<long long>(p.kv_heads), static_cast<long long>(p.queries),
              static_cast<long long>(p.dim), static_cast<long long>(p.keys), plan.kernel().c_str(), rate / 1e9, most / 1e9,
              100 * rate / most);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  std::string level, kernel;
  int threads = 1, rounds = 15, cases = 6;
  std::int64_t keys = 131072;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i], value = words[i + 1];
    if (word == "--level")
      level = value;
    else if (word == "--kernel")
      kernel = value;
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
    heed::base::limit(level);
    heed::base::limit_cpu(heed::base::Cpu{});
  }
  std::printf("| dtype | heads | kernel | GB/s | plain read GB/s | share |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const Case& c : std::vector<Case>(kCases, kCases + cases)) {
    for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) measure(c, dtype, keys, threads, rounds, kernel);
  }
  return 0;
}
