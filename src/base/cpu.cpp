#include "base/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace heed::base {
namespace {

#if defined(__x86_64__)

constexpr bool bit(unsigned long long word, int index) {
  return (word >> index & 1) != 0;
}

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // zero where the machine has no such leaf
};

Leaf leaf(unsigned number, unsigned part = 0) {
  Leaf found;
  __get_cpuid_count(number, part, &found.eax, &found.ebx, &found.ecx, &found.edx);
  return found;
}

/// Which registers the operating system saves (XCR0); 0 where it does not say.
unsigned long long saved_registers() {
  constexpr int kOsxsave = 27;
  if (!bit(leaf(1).ecx, kOsxsave)) return 0;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<unsigned long long>(high) << 32 | low;
}

/// Whether the operating system lets this process use AMX's tiles, after asking it to.
bool tiles_permitted() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

Cpu ask() {
  constexpr unsigned long long kAvx512State = 0xE6;  // SSE, AVX, mask registers and both halves of ZMM
  constexpr int kF = 16, kDq = 17, kBw = 30, kVl = 31, kAmxBf16 = 22, kAmxTile = 24, kAvx512Bf16 = 5, kTileConfig = 17, kTileData = 18;
  const unsigned long long saved = saved_registers();
  const Leaf seven = leaf(7);
  const unsigned most = seven.eax;  // parts of leaf 7
  const bool avx512 =
      (saved & kAvx512State) == kAvx512State && bit(seven.ebx, kF) && bit(seven.ebx, kDq) && bit(seven.ebx, kBw) && bit(seven.ebx, kVl);
  Cpu found;
  found.avx512_bf16 = avx512 && most >= 1 && bit(leaf(7, 1).eax, kAvx512Bf16);
  found.slow_dots = found.avx512_bf16 && leaf(0).ebx == 0x756E6547U;  // "Genu" of GenuineIntel
  found.amx_bf16 =
      bit(seven.edx, kAmxBf16) && bit(seven.edx, kAmxTile) && bit(saved, kTileConfig) && bit(saved, kTileData) && tiles_permitted();
  return found;
}

#else

Cpu ask() {
  return {};
}

#endif

std::optional<Cpu>& pretended_cpu() {
  static std::optional<Cpu> pretended;
  return pretended;
}

const Cpu& whole_cpu() {
  static const Cpu found = ask();
  return found;
}

Cpu& limited_cpu() {
  static Cpu limited = whole_cpu();
  return limited;
}

}  // namespace

const Cpu& real_cpu() {
  return limited_cpu();
}

void limit_cpu(std::optional<Cpu> most) {
  const Cpu& whole = whole_cpu();
  limited_cpu() = whole;
  if (!most) return;
  limited_cpu().avx512_bf16 &= most->avx512_bf16;
  limited_cpu().amx_bf16 &= most->amx_bf16;
}

const Cpu& cpu() {
  return pretended_cpu() ? *pretended_cpu() : real_cpu();
}

void pretend_cpu(std::optional<Cpu> pretended) {
  pretended_cpu() = pretended;
}

}  // namespace heed::base
