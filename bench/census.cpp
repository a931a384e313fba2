// What it costs to know where the attention went: attend with row statistics, received mass and pooled maps of all heads, against attend.
//
//   census [--tokens 8192] [--heads 2] [--dim 64] [--dtype bf16] [--mask full] [--threads 1] [--rounds 7]
//          [--kernel simd] [--wall] [--only PART]
//
// Without options: the sizes of the example (9 heads on 3, 2,224 tokens, d = 64, causal), drawn numbers. Times are processor time over
// threads, which a busy machine disturbs little (--wall: of the clock); the parts take turns, and the median of the rounds counts. --only:
// the n-th part alone, for a profiler.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <heed/heed.hpp>

namespace {

using heed::DType;
using heed::Tensor;

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Tensor numbers(std::int64_t heads, std::int64_t rows, std::int64_t columns, DType dtype, std::uint32_t state) {
  Tensor tensor(dtype, {1, heads, rows, columns});
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    state = state * 1664525U + 1013904223U;
    heed::store_real(tensor.span(), i, 2 * ((state >> 8) * 0x1p-23 - 1));
  }
  return tensor;
}

struct Part {
  const char* name;
  std::function<void()> run;
  std::vector<double> seconds{};
  [[nodiscard]] double median() {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

struct Options {
  std::int64_t tokens = 2224, heads = 9, kv_heads = 3, dim = 64;
  std::string dtype = "bf16", mask = "causal", kernel;
  int threads = 1, rounds = 7, only = -1;
  bool wall = false;
};

void measure(const Options& options) {
  heed::Problem p;
  p.heads = options.heads;
  p.kv_heads = options.kv_heads;
  p.queries = p.keys = options.tokens;
  p.dim = p.value_dim = options.dim;
  p.dtype = options.dtype == "bf16" ? DType::kBF16 : options.dtype == "f16" ? DType::kF16 : DType::kF32;
  p.threads = options.threads;
  p.kernel = options.kernel;
  if (options.mask != "full") p.mask = heed::parse_mask(options.mask);
  const heed::Plan plain(p);
  p.statistics = true;
  const heed::Plan plan(p);
  const Tensor q = numbers(p.heads, p.queries, p.dim, p.dtype, 1), k = numbers(p.kv_heads, p.keys, p.dim, p.dtype, 2),
               v = numbers(p.kv_heads, p.keys, p.dim, p.dtype, 3);
  const std::int64_t pooled = (p.queries + 279) / 280, cells = (p.queries + pooled - 1) / pooled;
  Tensor o(p.dtype, q.shape()), lse(DType::kF32, {1, p.heads, p.queries}), entropy(DType::kF32, lse.shape()),
      received(DType::kF32, {1, p.heads, p.keys}), map(DType::kF32, {1, p.heads, cells, cells});
  const heed::Inputs in{q.view(), k.view(), v.view()};
  const heed::Outputs rows{.o = o.span(), .lse = lse.span()};
  heed::Outputs told = rows;
  told.entropy = entropy.span();
  heed::CensusOutputs keys{.received = received.span()}, both{.received = received.span(), .map = map.span()};
#ifndef HEED_NO_NORMS
  Tensor norms(DType::kF32, {1, p.heads, p.queries, 2});
  told.norms = norms.span();
  heed::CensusOutputs handed = both;
  handed.norms = norms.view();
#else
  const heed::CensusOutputs& handed = both;
#endif
  std::vector<Part> parts;
  parts.push_back({"attend", [&] { plain.run(in, rows); }});
  parts.push_back({"with statistics", [&] { plan.run(in, told); }});
  parts.push_back({"census of received", [&] { heed::census(plan, q.view(), k.view(), {}, keys); }});
  parts.push_back({"census of received and maps", [&] { heed::census(plan, q.view(), k.view(), {}, both); }});
  parts.push_back({"the same after attend", [&] { heed::census(plan, q.view(), k.view(), {}, handed); }});
  const clockid_t clock = options.wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
  for (int round = -1; round < options.rounds; ++round) {
    for (Part& part : parts) {
      if (options.only >= 0 && round >= 0 && &part != &parts[static_cast<std::size_t>(options.only)]) continue;
      const double begin = now(clock);
      part.run();
      if (round >= 0) part.seconds.push_back((now(clock) - begin) / (options.wall ? 1 : plan.threads()));
    }
  }
  if (options.only >= 0) {
    Part& part = parts[static_cast<std::size_t>(options.only)];
    std::printf("%s: %.1f ms\n", part.name, 1e3 * part.median());
    return;
  }
  const double attend = parts[0].median();
  std::printf("%s d %lld, %lld tokens, %lld heads, %s, %s, %d threads:", options.dtype.c_str(), static_cast<long long>(p.dim),
              static_cast<long long>(p.queries), static_cast<long long>(p.heads), options.mask.c_str(), plan.kernel().c_str(),
              plan.threads());
  for (Part& part : parts) std::printf("  %s %.1f ms (%.2f)", part.name, 1e3 * part.median(), part.median() / attend);
  std::printf("  ALL %.2f\n", (parts[1].median() + parts[4].median()) / attend);
}

}  // namespace

int main(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--wall") {
      options.wall = true;
      continue;
    }
    if (++i >= count) return std::fprintf(stderr, "%s wants a value\n", word.c_str()), 2;
    const std::string value = words[i];
    if (word == "--tokens")
      options.tokens = std::atoll(value.c_str());
    else if (word == "--heads")
      options.heads = options.kv_heads = std::atoll(value.c_str());
    else if (word == "--dim")
      options.dim = std::atoll(value.c_str());
    else if (word == "--dtype")
      options.dtype = value;
    else if (word == "--mask")
      options.mask = value;
    else if (word == "--threads")
      options.threads = std::atoi(value.c_str());
    else if (word == "--rounds")
      options.rounds = std::atoi(value.c_str());
    else if (word == "--only")
      options.only = std::atoi(value.c_str());
    else if (word == "--kernel")
      options.kernel = value;
    else
      return std::fprintf(stderr, "unknown option %s\n", word.c_str()), 2;
  }
  measure(options);
  return 0;
}
