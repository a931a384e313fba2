// All laws on all combinations: memory x kernel (machine x walk) x dtype x mask x scores x shape and how it is asked for, every two values
// of two factors in some case (support/pairs.hpp). A case is refused, and says why, or every law holds: the accuracy rule for O, L and
// statistics; the same bits on every run, with any threads, in any company (batch, packed sequences) and for the last query by itself;
// numbers that a row does not see change none of its bits; V = 1 gives 1; parts merge into the whole. Outputs and scratch start as NaN.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>
#include <map>
#include <optional>

#include "base/cpu.hpp"
#include "laws/support/case.hpp"
#include "laws/support/combination.hpp"
#include "laws/support/matrix_unit.hpp"
#include "laws/support/options.hpp"
#include "laws/support/pairs.hpp"
#include "laws/support/posed.hpp"
#include "laws/support/refusal.hpp"
#include "plan/choice.hpp"

namespace heed::laws {
namespace {

std::uint64_t seed = 1;
std::optional<std::uint64_t> only;

const Option kSeed("combinations", "SEED: another covering set of combinations",
                   [](const std::string& text) { seed = number_of("combinations", text); });
const Option kOnly("combination", "N: of the covering set, only case N",
                   [](const std::string& text) { only = number_of("combination", text); });

std::string refusal_of(const Row& row) {
  const Drawn drawn(Combination(row, 1));
  return refusal([&] { Plan plan(drawn.whole.problem); });
}

// ---- laws ----

/// The first tensor of two results that differ, by a comparison that gives "" or where.
template <class Compare>
std::string tensors_differ(const Result& a, const Result& b, const Compare& compare) {
  const std::pair<const char*, Tensor Result::*> all[] = {{"O", &Result::o},
                                                          {"L", &Result::lse},
                                                          {"maximum", &Result::maximum},
                                                          {"entropy", &Result::entropy},
                                                          {"effective", &Result::effective},
                                                          {"visible", &Result::visible}};
  for (const auto& [name, member] : all) {
    if ((a.*member).shape().rank() == 0) continue;
    if (const std::string what = compare(a.*member, b.*member); !what.empty()) return std::string(name) + " " + what;
  }
  return "";
}

/// "" where two results of one problem are the same bits.
std::string bits_differ(const Result& a, const Result& b) {
  return tensors_differ(a, b, [](const Tensor& x, const Tensor& y) { return same_bits(x, y) ? "" : "differs"; });
}

/// Where something of a result still is as it was before the run.
std::string unwritten(const Result& result) {
  return tensors_differ(result, result, [](const Tensor& tensor, const Tensor&) -> std::string {
    const std::int64_t size = size_of(tensor.dtype());
    const std::vector<std::byte> poison(static_cast<std::size_t>(size), std::byte{0xFF});
    for (std::int64_t i = 0; i < tensor.count(); ++i) {
      if (std::memcmp(tensor.data<std::byte>() + i * size, poison.data(), poison.size()) == 0) return "element " + std::to_string(i);
    }
    return "";
  });
}

/// A tensor of ours, to be written: element (b, h, t, c) dense, (h, begin + t, c) packed.
class Writable {
 public:
  Writable(const TensorView& of, const std::vector<std::int64_t>& begin)
      : span_(const_cast<void*>(of.data), of.dtype, of.shape, of.strides), begin_(begin) {}
  void put(std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t c, double value) {
    const Dims& by = span_.strides;
    const std::int64_t at = begin_.empty() ? b * by[0] + h * by[1] + t * by[2] + c * by[3]
                                           : (begin_[static_cast<std::size_t>(b)] + t) * by[0] + h * by[1] + c * by[2];
    store_real(span_, at, value);
  }
  [[nodiscard]] std::int64_t columns() const { return span_.shape[span_.shape.rank() - 1]; }

 private:
  TensorSpan span_;
  const std::vector<std::int64_t>& begin_;
};

class Laws {
 public:
  explicit Laws(const Combination& combination) : c_(combination), drawn_(combination), plan_(drawn_.whole.problem) {}

  /// "" where all hold, else what does not.
  std::string broken() {
    made_ = run_of(drawn_.whole);
    note("never written", unwritten(made_));
    note("twice", bits_differ(made_, run_of(drawn_.whole)));
    Posed one = drawn_.whole;
    one.problem.threads = c_.threads == 1 ? 2 : 1;
    note("other threads", bits_differ(made_, run_of(one)));
    if (c_.packed)
      sequences();
    else
      dense();
    values_of_one();
    if (c_.strewn && c_.of.memory != Memory::kOneKey) hidden();
    return found_;
  }

 private:
  void note(const std::string& law, const std::string& what) {
    if (!what.empty()) found_ += "\n    " + law + ": " + what;
  }
  [[nodiscard]] Result run_of(const Posed& posed) const { return run(posed.problem, posed.inputs, c_.wide); }
  void judge(const std::string& law, const Posed& posed, const Result& result, const Result& exact) {
    note(law, violation(result, exact, naive(posed.problem, posed.inputs), c_.of.dtype));
  }

  void dense() {
    const Result exact = truth(drawn_.whole.problem, drawn_.whole.inputs);
    judge("accuracy", drawn_.whole, made_, exact);
    visible_ = exact.visible;
    const std::int64_t queries = c_.of.queries, keys = c_.of.keys, last = c_.of.batch - 1;
    if (last > 0) {
      const Posed alone = named(piece_of(drawn_.whole, {.last_query = queries, .last_key = keys, .entry = last}), made_.kernel);
      note("the last batch entry by itself", tensors_differ(made_, run_of(alone), ends_differ));
    }
    if (queries > 1) {
      const Posed row = named(piece_of(drawn_.whole, {.first_query = queries - 1, .last_query = queries, .last_key = keys}), made_.kernel);
      note("the last query by itself",
           tensors_differ(made_, run_of(row), [&](const Tensor& all, const Tensor& one) { return last_rows_differ(all, one); }));
      const Posed best = named(row, "");
      judge("the last query by the best kernel", best, run_of(best), truth(best.problem, best.inputs));
    }
    if (c_.partial) merged();
  }

  static Posed named(Posed posed, const std::string& kernel) {
    posed.problem.kernel = kernel;
    return posed;
  }

  /// Whether `one` is how `all` ends.
  static std::string ends_differ(const Tensor& all, const Tensor& one) {
    const std::int64_t size = size_of(all.dtype()), from = all.count() - one.count();
    const bool same = one.count() == 0 || std::memcmp(all.data<std::byte>() + from * size, one.data<std::byte>(),
                                                      static_cast<std::size_t>(one.count() * size)) == 0;
    return same ? "" : "differs";
  }

  /// [B, H, T, ...] against [B, H, 1, ...], which is its last row.
  [[nodiscard]] std::string last_rows_differ(const Tensor& all, const Tensor& one) const {
    const std::int64_t heads = c_.of.batch * c_.of.heads, bytes = one.count() / heads * size_of(one.dtype());
    for (std::int64_t head = 0; head < heads; ++head) {
      if (std::memcmp(all.data<std::byte>() + ((head + 1) * c_.of.queries - 1) * bytes, one.data<std::byte>() + head * bytes,
                      static_cast<std::size_t>(bytes)) != 0)
        return "head " + std::to_string(head);
    }
    return "";
  }

  /// Parts over some of the keys each, then the sink.
  void merged() {
    const std::int64_t keys = c_.of.keys;
    std::vector<Result> results;
    std::vector<Partial> parts;
    const std::int64_t cuts[] = {0, keys / 3, std::max(keys / 3, std::min<std::int64_t>(keys, 64)), keys};
    for (std::size_t i = 0; i + 1 < std::size(cuts); ++i)
      results.push_back(run_of(piece_of(drawn_.whole, {.last_query = c_.of.queries, .first_key = cuts[i], .last_key = cuts[i + 1]})));
    for (const Result& result : results) parts.push_back({result.o.view(), result.lse.view()});
    Posed whole = drawn_.whole;
    whole.problem.partial = false;
    const Result exact = truth(whole.problem, whole.inputs);
    Result sum{.o = poisoned(made_.o.dtype(), made_.o.shape()), .lse = poisoned(made_.lse.dtype(), made_.lse.shape())};
    merge(parts, whole.problem.sink, sum.o.span(), sum.lse.span());
    judge("split and merged", whole, sum, exact);
  }

  /// The kernel that computes sequence b of a packed problem.
  [[nodiscard]] std::string kernel_of(std::int64_t b) const {
    for (const plan::Part& part : inside(plan_).parts) {
      if (std::find(part.group.sequences.begin(), part.group.sequences.end(), b) != part.group.sequences.end())
        return std::string(part.choice.kernel->name);
    }
    return "none";
  }

  /// Each sequence by itself: the same bits, and those obey the accuracy rule.
  void sequences() {
    const Problem& problem = drawn_.whole.problem;
    visible_ = Tensor(DType::kI64, made_.lse.shape());
    for (std::size_t b = 0; b < drawn_.sequences->alone.size(); ++b) {
      Posed alone = named(drawn_.sequences->alone[b], kernel_of(static_cast<std::int64_t>(b)));
      alone.problem.statistics = problem.statistics;
      alone.problem.partial = problem.partial;
      alone.problem.threads = 1;
      const std::string what = "sequence " + std::to_string(b);
      const Result by_itself = run_of(alone), exact = truth(alone.problem, alone.inputs);
      note(what + " by itself", tensors_differ(made_, by_itself, [&](const Tensor& packed, const Tensor& one) {
             return rows_differ(packed, one, problem.query_offsets[b]);
           }));
      judge(what + ", accuracy", alone, by_itself, exact);
      const std::int64_t queries = alone.problem.queries, heads = alone.problem.heads;
      for (std::int64_t i = 0; i < heads * queries; ++i)
        visible_.data<std::int64_t>()[(problem.query_offsets[b] + i % queries) * heads + i / queries] =
            exact.visible.data<std::int64_t>()[i];
    }
  }

  void values_of_one() {
    if (c_.of.sink && !c_.partial) return;
    const Drawn ones(c_);
    const Problem& problem = ones.whole.problem;
    Writable v(ones.whole.inputs.v, problem.key_offsets);
    each_key([&](std::int64_t b, std::int64_t g, std::int64_t key) {
      for (std::int64_t c = 0; c < v.columns(); ++c) v.put(b, g, key, c, 1);
    });
    const Result result = run_of(ones.whole);
    const double known = c_.of.dtype == DType::kF64    ? 1e-13
                         : c_.of.dtype == DType::kBF16 ? 0x1p-8
                         : c_.of.dtype == DType::kF16  ? 0x1p-10
                                                       : 2e-5;
    for (std::int64_t i = 0; i < result.o.count(); ++i) {
      const double expected = visible_.data<std::int64_t>()[i / c_.of.value_dim] > 0 ? 1 : 0, o = real_at(result.o.view(), i);
      if (!(std::fabs(o - expected) <= known)) return note("V = 1", "element " + std::to_string(i) + " is " + std::to_string(o));
    }
  }

  template <class Function>
  void each_key(const Function& function) const {
    const problem::Layout& layout = inside(plan_).question.layout;
    for (std::int64_t b = 0; b < layout.batch; ++b) {
      for (std::int64_t g = 0; g < layout.kv_heads; ++g) {
        for (std::int64_t key = 0; key < layout.keys_of(b); ++key) function(b, g, key);
      }
    }
  }

  /// Bad numbers in K and V of a few keys: rows that see none of them keep their bits.
  void hidden() {
    const Drawn dirty(c_);
    const problem::Question& question = inside(plan_).question;
    const problem::Layout& layout = question.layout;
    Writable k(dirty.whole.inputs.k, dirty.whole.problem.key_offsets), v(dirty.whole.inputs.v, dirty.whole.problem.key_offsets);
    const auto bad = [&](std::int64_t b, std::int64_t key) {
      const std::int64_t keys = layout.keys_of(b);
      return key == 2 || key == keys / 2 || key == keys - 1;
    };
    each_key([&](std::int64_t b, std::int64_t g, std::int64_t key) {
      if (!bad(b, key)) return;
      for (std::int64_t c = key % 3; c < k.columns(); c += 7) k.put(b, g, key, c, *c_.strewn);
      for (std::int64_t c = key % 3; c < v.columns(); c += 7) v.put(b, g, key, c, *c_.strewn);
    });
    const auto sees_bad = [&](std::int64_t b, std::int64_t h, std::int64_t i) {
      for (std::int64_t key = 0; key < layout.keys_of(b); ++key) {
        if (bad(b, key) && (question.formulas.mask.empty() || question.formulas.mask.at(layout.place(b, h, i, key)).integer != 0))
          return true;
      }
      return false;
    };
    std::vector<std::int64_t> rows;  // that see none
    for (std::int64_t b = 0; b < layout.batch; ++b) {
      for (std::int64_t h = 0; h < layout.heads; ++h) {
        for (std::int64_t i = 0; i < layout.queries_of(b); ++i) {
          if (sees_bad(b, h, i)) continue;
          rows.push_back(c_.packed ? (layout.query_begin[static_cast<std::size_t>(b)] + i) * layout.heads + h
                                   : (b * layout.heads + h) * layout.queries + i);
        }
      }
    }
    const std::int64_t all = made_.lse.count();
    note("hidden numbers", tensors_differ(made_, run_of(dirty.whole), [&](const Tensor& before, const Tensor& after) -> std::string {
           for (const std::int64_t row : rows) {
             const std::int64_t bytes = before.count() / all * size_of(before.dtype());
             if (std::memcmp(before.data<std::byte>() + row * bytes, after.data<std::byte>() + row * bytes,
                             static_cast<std::size_t>(bytes)) != 0)
               return "row " + std::to_string(row);
           }
           return "";
         }));
  }

  const Combination& c_;
  Drawn drawn_;
  Plan plan_;
  Result made_;
  Tensor visible_;  ///< of the definition, per row of made_
  std::string found_;
};

// ---- the suites ----

/// Who refused how often: the asked kernel by name, or heed before any kernel was asked.
std::map<std::string, int> refusers(const std::vector<std::string>& reasons) {
  std::map<std::string, int> count;
  for (const std::string& reason : reasons) {
    const bool by_kernel = reason.find("no kernel accepts") != std::string::npos;
    std::string who = "the problem: " + reason;
    if (by_kernel) {
      for (const plan::Kernel& kernel : plan::kernels()) {
        const std::string named = std::string(kernel.name) + ": ";
        const std::size_t at = reason.find(named);
        if (at == std::string::npos) continue;
        const std::string said = reason.substr(at, reason.find(';', at) - at);
        if (said.find("another kernel was asked for") == std::string::npos && said != named) who = said;
      }
      EXPECT_FALSE(who.starts_with("the problem")) << "no kernel says why: " << reason;
    }
    for (char& letter : who) letter = std::isdigit(static_cast<unsigned char>(letter)) ? '#' : letter;
    ++count[who.substr(0, 110)];
  }
  return count;
}

/// The matrix unit, emulated where the processor multiplies bf16 pairs but has none: amx is among the kernels then.
class WithMatrixUnit {
 public:
  WithMatrixUnit() {
    base::Cpu cpu = base::cpu();
    if (cpu.amx_bf16 || !cpu.avx512_bf16 || !MatrixUnit::possible()) return;
    cpu.amx_bf16 = emulated = true;
    unit_.emplace();
    base::pretend_cpu(cpu);
  }
  ~WithMatrixUnit() {
    if (emulated) base::pretend_cpu({});
  }
  WithMatrixUnit(const WithMatrixUnit&) = delete;
  bool emulated = false;

 private:
  std::optional<MatrixUnit> unit_;
};

Covering covering(std::size_t most_rows, const std::function<double(const Row&)>& most_multiply_adds) {
  return cover_pairs(factors(), {.seed = seed,
                                 .most_rows = most_rows,
                                 .takes = [&](const Row& row) { return Combination(row, 1).multiply_adds() <= most_multiply_adds(row); },
                                 .refusal = refusal_of});
}

void expect_lawful(const Covering& all) {
  std::uint64_t number = 0;
  for (const Row& row : all.rows) {
    if (++number; only && *only != number) continue;
    const Combination combination(row, seed * 1000 + number);
    std::string what;
    const std::string thrown = refusal([&] { what = Laws(combination).broken(); });
    EXPECT_EQ(what + thrown, "") << "  --combinations=" << seed << " --combination=" << number << "  " << combination.text();
  }
  std::cout << all.rows.size() << " cases, " << all.met << " of " << all.pairs << " pairs met, " << all.refused.size() << " refused; "
            << all.reasons.size() << " cases refused:\n";
  for (const auto& [who, times] : refusers(all.reasons)) std::cout << "  " << times << " x " << who << '\n';
  for (const std::string& reason : all.reasons) {
    EXPECT_FALSE(reason.empty());
    EXPECT_EQ(reason.find("does not fit"), std::string::npos) << reason;  // every table of a case is made to fit
  }
}

TEST(Combinations, ASample) {
  const Covering some = covering(20, [](const Row&) { return 3e6; });
  EXPECT_EQ(some.rows.size(), 20u);
  EXPECT_GE(some.met, 1200u);
  expect_lawful(some);
}

TEST(SlowCombinations, AllPairs) {
  const WithMatrixUnit unit;
  const std::vector<Factor> named = factors();
  const auto may_meet_it = [&](const Row& row) { return row[kKernel] == 0 || named[kKernel].values[row[kKernel]] == "amx"; };
  const Covering all =
      covering(std::numeric_limits<std::size_t>::max(), [&](const Row& row) { return unit.emulated && may_meet_it(row) ? 1e6 : 24e6; });
  EXPECT_EQ(all.met + all.refused.size(), all.pairs);
  EXPECT_GE(100 * all.met, 99 * all.pairs);
  // What a kernel cannot be asked for at all; every mask, score, shape, alignment and number of threads goes with every kernel.
  for (const RefusedPair& pair : all.refused) {
    const auto& [f, v, g, w] = pair.pair;
    const std::string text = named[f].name + " " + named[f].values[v] + ", " + named[g].name + " " + named[g].values[w];
    std::cout << "  refused: " << text << '\n';
    const std::size_t other = f == kKernel ? g : f;
    EXPECT_FALSE(pair.reason.empty()) << text << ": no case is small enough";
    EXPECT_TRUE(f == kKernel || g == kKernel) << text << ": " << pair.reason;
    EXPECT_TRUE(other == kMemory || other == kDType || other == kQueries || other == kStatistics) << text << ": " << pair.reason;
  }
  expect_lawful(all);
}

}  // namespace
}  // namespace heed::laws
