// A fused kernel is never slower than the classic operator: seeded shapes, both kernels taking turns in one process on one thread, the
// best time of each (processor time: a busy machine disturbs it little; what loses is measured up to three times, in other memory). Prints
// those that lose and the worst ratio; exits 1 if any lose.
//
//   against_classic [--shapes 500] [--seed 1] [--level AVX2] [--kernel simd] [--all] [--only N]
//
// --level: as on an older processor; --kernel: this one, where it accepts, instead of the plan's own choice; --all: every shape's line;
// --only: shape N alone, for a profiler.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <heed/heed.hpp>

#include "base/cpu.hpp"
#include "base/instruction_sets.hpp"

namespace {

using heed::DType;

constexpr double kMostFlop = 2.5e8;  // of the whole square
constexpr double kLosing = 1.02;

struct Options {
  int shapes = 500, only = -1;
  std::uint64_t seed = 1;
  std::string level, kernel;
  bool all = false;
};

double now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double real() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  std::int64_t below(std::int64_t count) { return static_cast<std::int64_t>(real() * static_cast<double>(count)); }
  /// As many small as large ones.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    const double x = std::log(static_cast<double>(low)) + real() * std::log(static_cast<double>(high + 1) / static_cast<double>(low));
    return std::clamp(static_cast<std::int64_t>(std::exp(x)), low, high);
  }

 private:
  std::mt19937_64 engine_;
};

std::int64_t divisor_of(std::int64_t heads, Random& random) {
  std::vector<std::int64_t> divisors;
  for (std::int64_t group = 1; group <= heads; ++group) {
    if (heads % group == 0) divisors.push_back(group);
  }
  return divisors[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(divisors.size())))];
}

heed::Problem shape(Random& random) {
  heed::Problem p;
  constexpr DType kTypes[] = {DType::kF32, DType::kBF16, DType::kF16};
  p.dtype = kTypes[random.below(3)];
  p.heads = random.between(1, 32);
  p.keys = random.between(1, 4096);
  p.queries = random.real() < 0.6 ? p.keys : random.between(1, p.keys);
  p.dim = random.real() < 0.8 ? 8 * random.between(1, 32) : random.between(8, 256);
  p.value_dim = random.real() < 0.9 ? p.dim : random.between(8, 256);
  const auto flop = [&] {
    return 2.0 * static_cast<double>(p.heads * (p.dim + p.value_dim)) * static_cast<double>(p.queries) * static_cast<double>(p.keys);
  };
  while (flop() > kMostFlop && p.heads > 1) --p.heads;
  while (flop() > kMostFlop) {
    p.keys = std::max<std::int64_t>(1, p.keys * 3 / 4);
    p.queries = std::max<std::int64_t>(1, std::min(p.queries, p.keys));
  }
  p.kv_heads = p.heads / (random.real() < 0.5 ? 1 : divisor_of(p.heads, random));
  const double kind = random.real();
  const std::int64_t window = random.between(1, p.keys);
  if (kind > 0.7)
    p.mask = heed::window(window);
  else if (kind > 0.4)
    p.mask = heed::causal();
  p.align = heed::Align::end();
  p.threads = 1;
  return p;
}

/// Normal numbers.
heed::Tensor numbers(std::int64_t heads, std::int64_t rows, std::int64_t columns, DType dtype, Random& random) {
  heed::Tensor tensor(dtype, {1, heads, rows, columns});
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    const double x = std::sqrt(-2 * std::log(1 - random.real())) * std::cos(6.283185307179586 * random.real());
    heed::store_real(tensor.span(), i, x);
  }
  return tensor;
}

struct Times {
  double fused = 1e9, classic = 1e9;
  std::string kernel;
  [[nodiscard]] double ratio() const { return fused / classic; }
};

/// The best of both, taking turns; longer while the fused one loses.
Times measure(const heed::Problem& problem, const std::string& kernel, Random& random) {
  heed::Problem fused = problem, classic = problem;
  fused.strict = true;
  fused.kernel = kernel;
  classic.kernel = "classic";
  const heed::Plan ours(fused), theirs(classic);
  const heed::Tensor q = numbers(problem.heads, problem.queries, problem.dim, problem.dtype, random);
  const heed::Tensor k = numbers(problem.kv_heads, problem.keys, problem.dim, problem.dtype, random);
  const heed::Tensor v = numbers(problem.kv_heads, problem.keys, problem.value_dim, problem.dtype, random);
  heed::Tensor o(problem.dtype, {1, problem.heads, problem.queries, problem.value_dim});
  const heed::Inputs in{q.view(), k.view(), v.view()};
  const heed::Outputs out{.o = o.span()};
  Times times;
  times.kernel = ours.kernel();
  const auto once = [&](const heed::Plan& plan, double& best) {
    const double begin = now();
    plan.run(in, out);
    best = std::min(best, now() - begin);
  };
  const double begin = now();
  for (int round = 0; round < 400; ++round) {
    if (round >= 5 && now() - begin > (times.ratio() > 0.97 ? 0.3 : 0.03)) break;
    once(ours, times.fused);
    once(theirs, times.classic);
  }
  return times;
}

Options options_of(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const char* const value = i + 1 < count ? words[i + 1] : "";
    if (word == "--all") {
      options.all = true;
      continue;
    }
    ++i;
    if (word == "--shapes")
      options.shapes = std::atoi(value);
    else if (word == "--seed")
      options.seed = static_cast<std::uint64_t>(std::atoll(value));
    else if (word == "--only")
      options.only = std::atoi(value);
    else if (word == "--level")
      options.level = value;
    else if (word == "--kernel")
      options.kernel = value;
    else
      std::fprintf(stderr, "unknown option %s\n", word.c_str()), std::exit(2);
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  const Options options = options_of(count, words);
  if (!options.level.empty()) {
    heed::base::limit(options.level);
    heed::base::limit_cpu(heed::base::Cpu{});
  }
  Random random(options.seed);
  std::map<std::string, std::vector<double>> ratios;
  int lost = 0;
  double worst = 0;
  for (int n = 0; n < options.shapes; ++n) {
    const heed::Problem problem = shape(random);
    Random numbers(options.seed + static_cast<std::uint64_t>(n));
    if (options.only >= 0 && n != options.only) continue;
    Times times;
    try {
      times = measure(problem, options.kernel, numbers);
      // Once more in other memory: where scratch and tensors happen to lie is worth a fifth to problems of microseconds.
      for (int again = 0; again < 2 && times.ratio() > kLosing; ++again) {
        const Times other = measure(problem, options.kernel, numbers);
        if (other.ratio() < times.ratio()) times = other;
      }
    } catch (const heed::Error& error) {
      if (options.kernel.empty()) std::printf("%3d refused: %s\n", n, error.what());
      continue;
    }
    const bool loses = times.ratio() > kLosing;
    lost += loses;
    worst = std::max(worst, times.ratio());
    ratios[times.kernel + " " + std::string(heed::name_of(problem.dtype))].push_back(times.ratio());
    if (loses || options.all) {
      std::printf("%3d %-6s %.3f  %10.2f us %10.2f us  %s\n", n, times.kernel.c_str(), times.ratio(), 1e6 * times.fused,
                  1e6 * times.classic, problem.text().c_str());
      std::fflush(stdout);
    }
  }
  std::printf("\n| kernel | shapes | lose | median | worst |\n| --- | --- | --- | --- | --- |\n");
  for (auto& [name, all] : ratios) {
    std::sort(all.begin(), all.end());
    const auto losing = std::count_if(all.begin(), all.end(), [](double ratio) { return ratio > kLosing; });
    std::printf("| %s | %zu | %td | %.2f | %.2f |\n", name.c_str(), all.size(), losing, all[all.size() / 2], all.back());
  }
  std::printf("\n%d of %d lose; the worst takes %.3f of classic's time\n", lost, options.shapes, worst);
  return lost == 0 ? 0 : 1;
}
