// Limits: what this machine can do at most, measured: products, exp and reads per second of some threads together.
//
// Products: each thread runs independent chains of multiply-adds from registers, as many as hide the latency: multiply_add on the widest
// instruction set found (Highway's dynamic dispatch, as the kernels), bf16_dot by VDPBF16PS, matrix_unit by TDPBF16PS.
// Exp: the kernel's own (base/math-inl.hpp), from a buffer in L1 to another. Reads: vector loads through a buffer of each thread's
// own: 16 KiB, 256 KiB, 16 MiB and the largest one, of which the others are the beginning.
// The best of many attempts, and an estimate all the same: neighbours on the machine can only make it less.
// Checked: limits_test.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace heed {

/// What does the products of a kernel.
enum class Unit : std::uint8_t { kMultiplyAdd, kBF16Dot, kMatrixUnit };
/// "f32 multiply-adds", "bf16 dot products", "matrix unit"
[[nodiscard]] std::string_view name_of(Unit unit);

struct Limits {
  double multiply_add = 0;  // flop/s, f32
  double bf16_dot = 0;      // flop/s, bf16 into f32; 0 where the machine has no AVX-512 BF16
  double matrix_unit = 0;   // flop/s, bf16 into f32; 0 where the machine has no AMX
  double exp = 0;           // exps/s, f32
  double l1 = 0;            // bytes/s read, as all below
  double l2 = 0;
  double l3 = 0;    // 16 MiB per thread
  double dram = 0;  // 512 MiB per thread (quick: 40), or what a quarter of the free memory has room for

  /// flop/s of the unit; 0 where the machine has none.
  [[nodiscard]] double of(Unit unit) const;
};

enum class Effort : std::uint8_t {
  kQuick,    // about 40 ms
  kThorough  // at most 1.5 s for one or two threads
};

/// Of `threads` threads together; 0, or more than there are: all cores of this process. Throws std::bad_alloc where 16 KiB for each
/// thread are not to be had.
[[nodiscard]] Limits measure_limits(int threads, Effort effort);

/// Bytes per second of plain reads through `bytes` in all, again and again: what a run that reads so many could reach, caches included.
[[nodiscard]] double measure_read(int threads, double bytes);

/// Limits::multiply_add alone, in less than a tenth of a second.
[[nodiscard]] double measure_multiply_add(int threads);

/// measure_limits(threads, Effort::kQuick), once per process and number of threads: the first call measures, the others wait for it.
[[nodiscard]] const Limits& quick_limits(int threads);

}  // namespace heed
