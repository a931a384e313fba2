// exp, tanh, log and sigmoid in float32 lanes against double, in units in the last place, for every instruction set.
//
// The functions are reached as the kernel reaches them: through absorb (exp of what is not positive) and through modify. One float in
// 1021 is tried, of all 2^32: every exponent thousands of times; and all neighbours of the thresholds.
// Measured over one float in 61 (largest error, and with which multiply-add): exp 0.87 fused, 1.13 not; tanh 1.28;
// log 0.86 fused, 0.89 not; sigmoid 2.37.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include <heed/expression.hpp>

#include "base/instruction_sets.hpp"
#include "base/tile.hpp"
#include "formula/modify.hpp"
#include "state/weighing.hpp"

namespace heed::laws {
namespace {

using base::kTile;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kSmallest = 0x1p-126;  // below, exp gives 0

using Scalar = std::function<double(double)>;
using Vector = std::function<void(float* tile)>;  // 4096 numbers in place

/// A score formula of s alone on whole tiles.
struct Modifier {
  explicit Modifier(const Expr& expression)
      : score(formula::Formula::score(std::span(&expression, 1), {})),
        over(score),
        program(score, over, {}),
        store(formula::TileFrame::bytes(program) + 64) {
    const auto address = reinterpret_cast<std::uintptr_t>(store.data());
    frame = formula::TileFrame(program, store.data() + (64 - address % 64) % 64);
    const std::int64_t zero = 0;
    frame.bind_head(0, 0, 0);
    frame.bind_queries({&zero, 1}, {&zero, 1});
    frame.bind_keys({&zero, 1});
  }
  void operator()(float* tile) const { formula::modify(frame, kTile, kTile, tile); }
  formula::Formula score;
  formula::Over over;
  formula::TileProgram program;
  std::vector<std::byte> store;
  formula::TileFrame frame;
};

Vector modifier(const Expr& expression) {
  return [held = std::make_shared<const Modifier>(expression)](float* tile) { (*held)(tile); };
}

/// exp(s - 0) as absorb computes it, for s <= 0.
void absorb_exp(float* tile) {
  std::vector<float> state(std::size_t{2} * kTile, 0.0F), rescale(kTile);
  state::softmax().absorb(tile, kTile, kTile, state.data(), rescale.data());
}

double ulp_of(double truth) {
  return std::ldexp(1.0, std::max(std::ilogb(truth), -126) - 23);
}

/// In units in the last place; results that leave float32 must be infinite, those below 2^-126 may be 0.
double error_of(float got, double truth, bool flushes) {
  if (std::isnan(truth) || std::isnan(got)) return std::isnan(truth) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(truth)) return static_cast<double>(got) == truth ? 0 : HUGE_VAL;
  if (flushes && got == 0 && std::fabs(truth) < kSmallest * (1 + 1e-6)) return 0;
  if (std::isinf(got)) return std::fabs(truth) > 3.4028234e38 && std::signbit(got) == std::signbit(truth) ? 0 : HUGE_VAL;
  if (truth == 0) return got == 0 ? 0 : HUGE_VAL;
  return std::fabs(static_cast<double>(got) - truth) / ulp_of(truth);
}

struct Sweep {
  std::vector<float> inputs;
  std::vector<double> truths;
};

void add(Sweep& sweep, float x, const Scalar& truth) {
  sweep.inputs.push_back(x);
  sweep.truths.push_back(truth(static_cast<double>(x)));
}

/// Every 1021st bit pattern that `wanted` accepts, and the neighbours of the thresholds.
Sweep sweep_of(const Scalar& truth, const std::function<bool(float)>& wanted, const std::vector<float>& thresholds) {
  Sweep sweep;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 1021) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const float size = std::fabs(x);
    if (wanted(x) && (size == 0 || (size > 1e-12F && size < 1e12F) || bits % 16 == 0)) add(sweep, x, truth);
  }
  for (const float threshold : thresholds) {
    float x = threshold;
    for (int i = 0; i < 200; ++i) x = std::nextafter(x, -kInf);
    for (int i = 0; i < 400; ++i, x = std::nextafter(x, kInf)) {
      if (wanted(x)) add(sweep, x, truth);
    }
  }
  for (const float x : {0.0F, -0.0F, kInf, -kInf, std::nanf(""), 1e-45F, -1e-45F, 1e-39F, -1e-39F, 3e38F, -3e38F}) {
    if (wanted(x)) add(sweep, x, truth);
  }
  while (sweep.inputs.size() % (kTile * kTile) != 0) add(sweep, sweep.inputs.front(), truth);
  return sweep;
}

/// The largest error, for each instruction set.
void expect_within(double bound, const char* name, const Sweep& sweep, const Vector& function, bool flushes) {
  for (const std::string& set : base::runnable()) {
    base::pretend(set);
    double worst = 0;
    float where = 0;
    std::vector<float> tile(kTile * kTile);
    for (std::size_t at = 0; at < sweep.inputs.size(); at += tile.size()) {
      std::copy_n(sweep.inputs.data() + at, tile.size(), tile.data());
      function(tile.data());
      for (std::size_t i = 0; i < tile.size(); ++i) {
        const double error = error_of(tile[i], sweep.truths[at + i], flushes);
        if (error > worst) {
          worst = error;
          where = sweep.inputs[at + i];
        }
      }
    }
    EXPECT_LE(worst, bound) << name << " with " << set << " at " << where;
  }
  base::pretend("");
}

bool anything(float) {
  return true;
}

using symbols::s;

TEST(Math, ExpOfWhatIsNotPositive) {
  const Sweep sweep =
      sweep_of([](double x) { return std::exp(x); }, [](float x) { return !(x > 0); }, {-87.3365447F, -0.34657359F, -1e-7F});
  expect_within(1.2, "exp_of_negative", sweep, absorb_exp, true);
}

TEST(Math, Exp) {
  const Sweep sweep = sweep_of([](double x) { return std::exp(x); }, anything, {-87.3365447F, 88.7228394F, 89.0F, 0.34657359F});
  expect_within(1.2, "exp_of", sweep, modifier(exp(s)), true);
}

TEST(Math, Tanh) {
  const Sweep sweep = sweep_of([](double x) { return std::tanh(x); }, anything, {0.6F, -0.6F, 10.0F, 1e-4F});
  expect_within(1.4, "tanh_of", sweep, modifier(tanh(s)), false);
}

TEST(Math, Log) {
  const Sweep sweep = sweep_of([](double x) { return std::log(x); }, anything, {1.0F, 0x1p-126F, 0.70710678F, 1.41421356F});
  expect_within(0.95, "log_of", sweep, modifier(log(s)), false);
}

TEST(Math, Sigmoid) {
  const Sweep sweep = sweep_of([](double x) { return 1 / (1 + std::exp(-x)); }, anything, {-87.3365447F, 88.7228394F});
  expect_within(2.4, "sigmoid", sweep, modifier(sigmoid(s)), true);
}

}  // namespace
}  // namespace heed::laws
