// Levels and tenths of test programs: a level lowers what the processor reports and what vectors dispatch to, pretending ends at it, plans
// are made on it; ten seeds see most of the tests.
#include "laws/support/levels.hpp"

#include <gtest/gtest.h>

#include <heed/error.hpp>

#include <algorithm>
#include <set>

#include "base/instruction_sets.hpp"
#include "laws/support/case.hpp"
#include "laws/support/tenth.hpp"

namespace heed::laws {
namespace {

/// Each level below the one the program runs at, which is restored behind it.
template <class Body>
void at_every_level(const Body& body) {
  const base::Cpu cpu = base::real_cpu();
  const std::string simd = base::runnable().front();
  std::vector<Level> levels = levels_below();
  std::erase_if(levels, [&](const Level& level) {
    const auto runnable = base::runnable();
    return std::find(runnable.begin(), runnable.end(), level.simd) == runnable.end() || (level.cpu.avx512_bf16 && !cpu.avx512_bf16);
  });
  for (const Level& level : levels) {
    SCOPED_TRACE(level.name);
    lower_to(level.name);
    body(level);
  }
  base::limit_cpu(cpu);
  base::limit(simd);
}

TEST(Levels, LowerProcessorAndVectors) {
  at_every_level([](const Level& level) {
    for (const base::Cpu& cpu : {base::cpu(), base::real_cpu()}) {
      EXPECT_EQ(cpu.avx512_bf16, level.cpu.avx512_bf16);
      EXPECT_FALSE(cpu.amx_bf16);
    }
    EXPECT_EQ(base::runnable().front(), level.simd);
  });
}

TEST(Levels, PretendingEndsAtTheLevel) {
  at_every_level([](const Level& level) {
    const std::vector<std::string> runnable = base::runnable();
    for (const std::string& name : runnable) base::pretend(name);
    base::pretend("");
    base::pretend_cpu(base::Cpu{.avx512_bf16 = true, .amx_bf16 = true});
    base::pretend_cpu({});
    EXPECT_EQ(base::runnable(), runnable);
    EXPECT_EQ(base::cpu().avx512_bf16, level.cpu.avx512_bf16);
    for (const Level& other : levels_below()) {
      if (std::find(runnable.begin(), runnable.end(), other.simd) != runnable.end()) continue;
      EXPECT_THROW(base::pretend(other.simd), Error) << other.name;
    }
  });
}

TEST(Levels, KernelsOfUnitsThatAreNotThereDecline) {
  at_every_level([](const Level& level) {
    Case of;
    of.dtype = DType::kBF16;
    const std::string kernel = Plan(Draw(of).problem()).kernel();
    EXPECT_EQ(kernel == "dot", level.cpu.avx512_bf16 && !base::cpu().slow_dots) << kernel;
    EXPECT_NE(kernel, "amx");
    EXPECT_EQ(violation(run(Draw(of), kernel), truth(Draw(of)), naive(Draw(of)), of.dtype), "");
  });
}

TEST(Levels, UnknownOnesAreRefused) {
  for (const char* name : {"", "AVX9", "avx2"}) EXPECT_THROW(lower_to(name), Error) << name;
}

TEST(Tenths, AreTenthsAndDifferBySeed) {
  std::vector<std::string> names;
  for (int i = 0; i < 95; ++i) names.push_back("Suite" + std::to_string(i % 7) + ".Test" + std::to_string(i));
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const std::vector<std::string> tenth = tenth_of(names, seed);
    EXPECT_EQ(tenth.size(), 10U);
    EXPECT_EQ(tenth_of(names, seed), tenth);
    seen.insert(tenth.begin(), tenth.end());
  }
  EXPECT_GT(seen.size(), 88U);  // each is missed by 40 seeds with a chance of 1.5 %
  EXPECT_EQ(tenth_of({"One.Test"}, 3).size(), 1U);
  EXPECT_TRUE(tenth_of({}, 3).empty());
}

}  // namespace
}  // namespace heed::laws
