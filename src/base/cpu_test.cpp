// The processor's features against what Linux lists, and pretending.
#include "base/cpu.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace heed::base {
namespace {

#if defined(__x86_64__) && defined(__linux__)
bool listed(const std::string& flag) {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream flags(line);
    for (std::string word; flags >> word;)
      if (word == flag) return true;
    return false;
  }
  return false;
}

TEST(Cpu, HasWhatTheSystemLists) {
  const Cpu level = real_cpu();
  limit_cpu({});
  EXPECT_EQ(real_cpu().avx512_bf16, listed("avx512_bf16"));
  // The system may list the unit and deny its use.
  EXPECT_TRUE(!real_cpu().amx_bf16 || (listed("amx_bf16") && listed("amx_tile")));
  limit_cpu(level);
}
#else
TEST(Cpu, HasNothingElsewhere) {
  EXPECT_FALSE(real_cpu().avx512_bf16);
  EXPECT_FALSE(real_cpu().amx_bf16);
}
#endif

TEST(Cpu, PretendsAndStops) {
  const Cpu real = real_cpu();
  pretend_cpu(Cpu{.avx512_bf16 = !real.avx512_bf16, .amx_bf16 = !real.amx_bf16});
  EXPECT_EQ(cpu().avx512_bf16, !real.avx512_bf16);
  EXPECT_EQ(cpu().amx_bf16, !real.amx_bf16);
  EXPECT_EQ(real_cpu().avx512_bf16, real.avx512_bf16);
  EXPECT_EQ(real_cpu().amx_bf16, real.amx_bf16);
  pretend_cpu({});
  EXPECT_EQ(cpu().avx512_bf16, real.avx512_bf16);
  EXPECT_EQ(cpu().amx_bf16, real.amx_bf16);
}

TEST(Cpu, HasNothingBeyondItsLimit) {
  const Cpu level = real_cpu();
  limit_cpu({});
  const Cpu whole = real_cpu();
  for (const bool bf16 : {false, true}) {
    limit_cpu(Cpu{.avx512_bf16 = bf16, .amx_bf16 = !bf16});
    pretend_cpu({});
    for (const Cpu& limited : {real_cpu(), cpu()}) {
      EXPECT_EQ(limited.avx512_bf16, bf16 && whole.avx512_bf16);
      EXPECT_EQ(limited.amx_bf16, !bf16 && whole.amx_bf16);
    }
  }
  limit_cpu(Cpu{.avx512_bf16 = true, .amx_bf16 = true});  // a limit brings nothing that is not there
  const Cpu everything = real_cpu();
  limit_cpu({});
  EXPECT_EQ(everything.avx512_bf16, real_cpu().avx512_bf16);
  EXPECT_EQ(everything.amx_bf16, real_cpu().amx_bf16);
  limit_cpu(level);
}

}  // namespace
}  // namespace heed::base
