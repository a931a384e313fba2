// A matrix unit for processors without one: the AMX instructions of this process, emulated.
//
// What: a handler of SIGILL that decodes LDTILECFG, STTILECFG, TILERELEASE, TILEZERO, TILELOADD, TILELOADDT1, TILESTORED and TDPBF16PS,
// does what they say and goes on behind them, so that the machine code of a matrix kernel runs in tests as it stands.
// Formula: C[m, n] += sum over k of A[m, 2k] B[k, 2n] + sum over k of A[m, 2k+1] B[k, 2n+1].
// Shapes: palette 1: eight tiles per thread of at most 16 rows of 64 bytes; C [M, N] f32, A [M, 2K] bf16, B [K, 2N] bf16.
// Cost: a trap for every run of neighbouring AMX instructions (a run is emulated in one), then 1024 multiply-adds of 16 lanes at most.
// Numerics: both sums fused and in ascending k in f32, then even + odd, then C + that, each rounded to the nearest even; denormals are
// zero on the way in and out; the control and the flags of the floating-point unit are neither read nor changed.
// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, the "Operation" of each instruction (TDPBF16PS: temp1, tmpf32).
// Checked: laws/matrix_unit_test.cpp, against scalar arithmetic and against every way the assembler has to write an operand.
// Not emulated: restarts after a page fault (the handler itself takes the fault), GS and 32-bit addresses, the other matrix types.
#pragma once

namespace heed::laws {

/// Emulates the AMX instructions (TILE and BF16) of this process from now on, where the processor lacks them. Nothing on a processor
/// that has them, nothing where it is not possible(). Any other illegal instruction goes to whoever handled SIGILL before. What the
/// processor would refuse (a configuration, a tile, a shape) is written to stderr and aborts.
class MatrixUnit {
 public:
  MatrixUnit();
  ~MatrixUnit();
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;

  /// Whether AMX instructions run while a MatrixUnit lives: Linux on x86-64, with AMX or with AVX-512F to emulate it.
  [[nodiscard]] static bool possible();
  /// Whether processor and kernel have them; asks the kernel for this process's permission.
  [[nodiscard]] static bool native();
};

}  // namespace heed::laws
