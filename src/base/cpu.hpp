// The instructions of this machine that Highway's dispatch does not choose among: the two ways it may multiply bf16 numbers itself.
//
// Asked once, of CPUID and of the operating system, which has to save the registers; everything is false off x86-64.
#pragma once

#include <optional>

namespace heed::base {

struct Cpu {
  bool avx512_bf16 = false;  // VDPBF16PS on 512 bits, with AVX-512 F, BW, DQ and VL beside it
  bool amx_bf16 = false;     // TDPBF16PS on tiles, and the system's leave to use them (asked for here, for the whole process)
  bool slow_dots = false;    // VDPBF16PS takes two cycles, as on Intel's: half the flops of multiply-adds, where AMD's have twice
};

/// What plans go by: the machine, or what a test pretends.
[[nodiscard]] const Cpu& cpu();

/// What the machine has (within limit_cpu), whatever is pretended.
[[nodiscard]] const Cpu& real_cpu();

/// For test programs that run as on an older processor (laws/support/levels.hpp): the machine has nothing beyond `most` from now on.
/// nullopt lifts it. Only while no other thread asks.
void limit_cpu(std::optional<Cpu> most);

/// For tests: cpu() answers this from now on; nullopt lifts it. Only while no other thread asks. Instructions that the machine lacks can
/// be planned for so, and must not be run.
void pretend_cpu(std::optional<Cpu> pretended);

}  // namespace heed::base
