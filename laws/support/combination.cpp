#include "laws/support/combination.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "plan/kernels.hpp"

namespace heed::laws {
namespace {

constexpr DType kDTypes[] = {DType::kF32, DType::kBF16, DType::kF16, DType::kF64};
constexpr std::int64_t kTq[] = {0, 1, 3, 8, 9, 64, 65, 130}, kTk[] = {0, 1, 63, 64, 65, 200, 257, 1025, 2049};
constexpr std::pair<std::int64_t, std::int64_t> kHeadCounts[] = {{1, 1}, {2, 2}, {4, 2}, {6, 2}, {8, 1}, {9, 1}};
constexpr std::pair<std::int64_t, std::int64_t> kDimPairs[] = {{64, 64}, {16, 8}, {33, 20}, {128, 128}, {40, 72}, {5, 130}};
constexpr double kLogitSizes[] = {1, 6, 40, 700};
constexpr std::size_t kDenseMemories = 5;  // of Draw; packed ones behind them

template <class Values, class Text>
std::vector<std::string> texts(const Values& values, const Text& text) {
  std::vector<std::string> all;
  for (const auto& value : values) all.push_back(text(value));
  return all;
}

/// Of packed sequences: the longest, and others beside it.
Lengths lengths_of(const Case& of) {
  Lengths lengths{{of.queries}, {of.keys}};
  if (of.batch > 1) {
    lengths.queries.push_back(std::min<std::int64_t>(of.queries, 3));
    lengths.keys.push_back(of.keys / 2);
  }
  if (of.batch > 2) {
    lengths.queries.push_back(of.queries / 2);
    lengths.keys.push_back(std::min<std::int64_t>(of.keys, 70));
  }
  return lengths;
}

double bad_number(std::size_t value, DType dtype) {
  const bool half = dtype == DType::kF16, wide = dtype == DType::kF64;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double all[] = {
      0, std::nan(""), kInfinity, -kInfinity, half ? 65504.0 : wide ? 1e308 : 3e38, half ? 0x1p-23 : wide ? 1e-310 : 1e-39};
  return all[value];
}

}  // namespace

std::vector<std::string> kernel_names() {
  std::vector<std::string> names{"best"};
  for (const plan::Kernel& kernel : plan::kernels()) {
    if (kernel.missing().empty()) names.emplace_back(kernel.name);
  }
  return names;
}

std::vector<Factor> factors() {
  const auto number = [](auto n) { return std::to_string(n); };
  const auto two = [](const auto& pair) { return std::to_string(pair.first) + "/" + std::to_string(pair.second); };
  return {{"memory", {"dense", "tokens", "columns", "reversed", "one key", "packed", "packed by heads", "packed columns"}},
          {"kernel", kernel_names()},
          {"dtype", texts(kDTypes, [](DType dtype) { return std::string(name_of(dtype)); })},
          {"mask", sweep_masks()},
          {"scores", texts(sweep_scores(), [](const auto& chain) { return chain.empty() ? "none" : chain[0]; })},
          {"queries", texts(kTq, number)},
          {"keys", texts(kTk, number)},
          {"align", {"end", "start", "at offsets"}},
          {"heads", texts(kHeadCounts, two)},
          {"batch", {"1", "2", "3"}},
          {"dims", texts(kDimPairs, two)},
          {"sink", {"none", "sink"}},
          {"statistics", {"none", "statistics"}},
          {"threads", {"1", "2", "3"}},
          {"logits", texts(kLogitSizes, number)},
          {"partial", {"whole", "partial"}},
          {"O", {"of dtype", "wide"}},
          {"strewn", {"nothing", "NaN", "inf", "-inf", "largest", "smallest"}}};
}

Combination::Combination(const Row& row, std::uint64_t number) {
  of = {.batch = static_cast<std::int64_t>(row[kBatch]) + 1,
        .heads = kHeadCounts[row[kHeads]].first,
        .kv_heads = kHeadCounts[row[kHeads]].second,
        .queries = kTq[row[kQueries]],
        .keys = kTk[row[kKeys]],
        .dim = kDimPairs[row[kDims]].first,
        .value_dim = kDimPairs[row[kDims]].second,
        .dtype = kDTypes[row[kDType]],
        .mask = sweep_masks()[row[kMask]],
        .scores = sweep_scores()[row[kScores]],
        .align = row[kAlign] == 0 ? Align::end() : Align::start(),
        .memory = static_cast<Memory>(row[kMemory] % kDenseMemories),
        .logits = kLogitSizes[row[kLogits]],
        .sink = row[kSink] == 1,
        .seed = number};
  packed = row[kMemory] >= kDenseMemories;
  if (row[kAlign] == 2) {
    std::vector<std::int64_t> offsets;
    for (std::int64_t b = 0; b < of.batch; ++b) offsets.push_back(std::max<std::int64_t>(of.keys - of.queries - 5 * b, b));
    of.align = Align::at(std::move(offsets));
  }
  kernel = row[kKernel] == 0 ? "" : kernel_names()[row[kKernel]];
  statistics = row[kStatistics] == 1;
  partial = row[kPartial] == 1;
  wide = row[kWide] == 1;
  threads = static_cast<int>(row[kThreads]) + 1;
  if (row[kStrewn] > 0) strewn = bad_number(row[kStrewn], of.dtype);
}

std::string Combination::text() const {
  std::ostringstream text;
  text << (kernel.empty() ? "best" : kernel) << ": " << of.text() << " align" << static_cast<int>(of.align.kind)
       << (packed ? " packed" : "") << (statistics ? " statistics" : "") << (partial ? " partial" : "") << (wide ? " wide" : "")
       << " threads" << threads;
  if (strewn) text << " strewn " << *strewn;
  return text.str();
}

Drawn::Drawn(const Combination& c) {
  if (c.packed) {
    sequences = std::make_unique<Packed>(c.of, lengths_of(c.of));
    whole = sequences->all;
  } else {
    draw = std::make_unique<Draw>(c.of);
    whole = posed(*draw);
  }
  Problem& problem = whole.problem;
  problem.kernel = c.kernel;
  problem.statistics = c.statistics;
  problem.partial = c.partial;
  problem.threads = c.threads;
}

}  // namespace heed::laws
