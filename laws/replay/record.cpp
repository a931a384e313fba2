// record: seeded problems, and for each the plan as text and the bits of O, L and the row statistics of every kernel. One line or a few
// each, so that two trees can be compared by diff: scripts/replay.sh builds this one source against both. Public headers alone.
//
//   record FIRST LAST     problems FIRST to LAST - 1
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <heed/heed.hpp>

namespace {

using heed::DType;
using heed::Tensor;
using heed::TensorView;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed * 2 + 1) {}
  std::int64_t below(std::int64_t count) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(count)); }
  bool once_in(std::int64_t times) { return below(times) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + below(static_cast<std::int64_t>(values.size())));
  }
  double normal() {  // the same on every standard library: twelve uniform numbers
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_() >> 11) * 0x1p-53;
    return sum;
  }

 private:
  std::mt19937_64 random_;
};

std::uint64_t hash_of(const void* data, std::size_t bytes) {
  std::uint64_t hash = 1469598103934665603ULL;
  for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211ULL;
  return hash;
}
/// Of its bits; a NaN counts as one, whatever its own bits are.
std::uint64_t hash_of(Tensor& tensor) {
  for (std::int64_t i = 0; is_real(tensor.dtype()) && i < tensor.count(); ++i) {
    if (std::isnan(real_at(tensor.view(), i))) store_real(tensor.span(), i, std::numeric_limits<double>::quiet_NaN());
  }
  return hash_of(tensor.data<std::byte>(), static_cast<std::size_t>(tensor.count() * size_of(tensor.dtype())));
}

void fill(Draw& draw, Tensor& tensor, double scale) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) store_real(tensor.span(), i, scale * draw.normal());
}

/// Numbers that a machine may not take, strewn in.
void disturb(Draw& draw, Tensor& tensor) {
  for (std::int64_t n = draw.below(4); n > 0 && tensor.count() > 0; --n) {
    const double value = draw.one_of(
        {std::nan(""), static_cast<double>(std::numeric_limits<float>::infinity()), -HUGE_VAL, 3e38, 1e30, 1e-40, 0x1p46, 0x1p81, -0.0});
    store_real(tensor.span(), draw.below(tensor.count()), value);
  }
}

/// [B, H, T, D], or a [B, T, H, D] buffer seen so.
TensorView seen_as(const Tensor& store, bool tokens) {
  const heed::Dims& s = store.shape();
  if (!tokens) return store.view();
  return {store.view().data, store.dtype(), s, {s[1] * s[2] * s[3], s[3], s[1] * s[3], 1}};
}

struct Made {
  heed::Problem problem;
  Tensor q, k, v, sink, table, numbers;
  bool tokens = false;
};

Made make(std::uint64_t seed) {
  Draw draw(seed);
  Made made;
  heed::Problem& p = made.problem;
  p.dtype = draw.one_of({DType::kF32, DType::kF32, DType::kBF16, DType::kBF16, DType::kF16, DType::kF64});
  p.batch = draw.one_of<std::int64_t>({1, 1, 2});
  p.kv_heads = draw.one_of<std::int64_t>({1, 2});
  p.heads = p.kv_heads * draw.one_of<std::int64_t>({1, 1, 2, 4, 8});
  const std::int64_t longest = draw.once_in(12) ? 2600 : 200;
  p.queries = draw.once_in(4) ? 1 + draw.below(8) : draw.below(longest > 200 ? 80 : 200);
  p.keys = draw.once_in(3) && longest == 200 ? p.queries : draw.below(longest);
  p.dim = draw.one_of<std::int64_t>({64, 64, 128, 32, 1, 7, 48, 80});
  p.value_dim = draw.once_in(3) ? draw.one_of<std::int64_t>({0, 1, 16, 33, 64, 96}) : p.dim;
  p.align = draw.one_of({heed::Align::start(), heed::Align::end(), heed::Align::end(), heed::Align::at({draw.below(50) - 20})});
  if (draw.once_in(6)) p.first_key = draw.below(100) - 30;
  made.numbers = Tensor(DType::kI64, {4000});
  for (std::int64_t i = 0; i < 4000; ++i) made.numbers.data<std::int64_t>()[i] = i / (1 + draw.below(3) + 17);
  made.table = Tensor(DType::kF32, {p.heads});
  fill(draw, made.table, 0.3);
  p.tables = {{"doc", made.numbers.view()}, {"slope", made.table.view()}};
  const std::string mask = draw.one_of<std::string>(
      {"", "", "causal", "causal", "window(40)", "causal & window(17)", "streaming(4, 30)", "chunked(50)", "dilated(64, 3)", "k % 3 == 0",
       "(q + k) % 7 < 3 | h == 1", "prefix(20)", "q >= 0 & doc[abs(k)] == doc[abs(q)]", "k > 1000000", "causal & k % 64 < 5"});
  if (!mask.empty()) p.mask = heed::parse(mask, p.tables);
  for (std::int64_t n = draw.below(3); n > 0; --n) {
    p.scores.push_back(
        heed::parse(draw.one_of<std::string>({"softcap(30)", "s + slope[h] * (k - q)", "s * 0.5 + 0.1", "select(k % 5 == 1, s - 3, s)",
                                              "alibi(slope)", "s - abs(q - k) / 20.0", "min(s, 4.0)", "s + exp(-abs(s))"}),
                    p.tables));
  }
  if (draw.once_in(4)) p.scale = draw.one_of({0.01, 1.0, 3.0, 1e6});
  if (draw.once_in(4)) {
    made.sink = Tensor(DType::kF32, {p.heads});
    fill(draw, made.sink, 2);
    if (draw.once_in(4)) store_real(made.sink.span(), 0, -HUGE_VAL);
    p.sink = made.sink.view();
  }
  p.statistics = draw.once_in(3);
  p.weights = !p.statistics && draw.once_in(6);
  p.partial = draw.once_in(8);
  p.threads = static_cast<int>(1 + draw.below(3));
  made.tokens = draw.once_in(3);
  const double logits = draw.one_of({1.0, 1.0, 5.0, 40.0});
  made.q = Tensor(p.dtype, {p.batch, p.heads, p.queries, p.dim});
  made.k = Tensor(p.dtype, {p.batch, p.kv_heads, p.keys, p.dim});
  made.v = Tensor(p.dtype, {p.batch, p.kv_heads, p.keys, p.value_dim});
  fill(draw, made.q, logits);
  fill(draw, made.k, 1);
  fill(draw, made.v, 1);
  if (draw.once_in(6)) {
    for (Tensor* tensor : {&made.q, &made.k, &made.v}) disturb(draw, *tensor);
  }
  return made;
}

/// The plan without what is measured.
std::string text_of(const heed::Plan& plan) {
  std::istringstream lines(plan.explain());
  std::string text, line;
  while (std::getline(lines, line)) {
    if (line.rfind("planned", 0) != 0 && line.rfind("expected", 0) != 0) text += "  " + line + "\n";
  }
  return text;
}

void run(const Made& made, const std::string& kernel) {
  heed::Problem problem = made.problem;
  problem.kernel = kernel;
  std::cout << "  " << kernel << ": ";
  try {
    const heed::Plan plan(problem);
    const DType wide = problem.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    const heed::Dims rows{problem.batch, problem.heads, problem.queries};
    Tensor o(problem.partial ? wide : problem.dtype, {problem.batch, problem.heads, problem.queries, problem.value_dim});
    Tensor lse(wide, rows), maximum(wide, rows), entropy(wide, rows), effective(wide, rows), visible(DType::kI64, rows), weights;
    heed::Outputs out{.o = o.span(), .lse = lse.span()};
    if (problem.statistics) {
      out.maximum = maximum.span();
      out.entropy = entropy.span();
      out.effective = effective.span();
      out.visible = visible.span();
    }
    if (problem.weights) {
      weights = Tensor(wide, {problem.batch, problem.heads, problem.queries, problem.keys});
      out.weights = weights.span();
    }
    plan.run({seen_as(made.q, made.tokens), seen_as(made.k, made.tokens), seen_as(made.v, made.tokens)}, out);
    std::cout << "scratch " << plan.scratch_bytes() << std::hex << " o " << hash_of(o) << " lse " << hash_of(lse);
    if (problem.statistics)
      std::cout << " statistics " << (hash_of(maximum) ^ hash_of(entropy) * 3 ^ hash_of(effective) * 5 ^ hash_of(visible) * 7);
    if (problem.weights) std::cout << " weights " << hash_of(weights);
    std::cout << std::dec << "\n";
  } catch (const heed::Error& error) {
    std::cout << "refused: " << error.what() << "\n";
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "record FIRST LAST\n";
    return 2;
  }
  std::vector<std::string> kernels;
  for (const heed::Entry& entry : heed::catalogue()) {
    if (entry.kind == "kernel" && entry.missing.empty()) kernels.push_back(entry.usage);
  }
  for (std::uint64_t seed = std::strtoull(arguments[1], nullptr, 10); seed < std::strtoull(arguments[2], nullptr, 10); ++seed) {
    const Made made = make(seed);
    std::cout << "problem " << seed << "\n";
    try {
      std::cout << text_of(heed::Plan(made.problem));
    } catch (const heed::Error& error) {
      std::cout << "  refused: " << error.what() << "\n";
    }
    const heed::Problem& p = made.problem;
    for (const std::string& kernel : kernels) {
      if (kernel == "reference" && p.batch * p.heads * p.queries * p.keys > 40000) continue;
      run(made, kernel);
    }
  }
  return 0;
}
