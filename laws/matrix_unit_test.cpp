// The matrix unit: AMX instructions, native or emulated, do what the manual says, wherever their operands come from.
//
// In one file, long as it is: a quarter is the assembler's table of operands, and all of it goes or stays with the one emulator.
#include "laws/support/matrix_unit.hpp"

#include <gtest/gtest.h>

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <barrier>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

#define AMX __attribute__((target("amx-tile,amx-bf16"), noinline))

namespace heed::laws {
namespace {

/// What LDTILECFG reads.
struct alignas(64) Configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void shape(int tile, int count, int bytes) {
    rows[tile] = static_cast<std::uint8_t>(count);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
};

/// The intrinsics name no memory operand: without this the compiler may move stores behind them.
void fence() {
  asm volatile("" ::: "memory");
}

AMX void configure(const Configuration& by) {
  fence();
  _tile_loadconfig(&by);
  fence();
}

AMX std::array<std::uint8_t, 64> configuration() {
  std::array<std::uint8_t, 64> bytes;
  bytes.fill(0xEE);
  fence();
  _tile_storeconfig(bytes.data());
  fence();
  return bytes;
}

AMX void release() {
  _tile_release();
}
AMX void zero_tile0() {
  _tile_zero(0);
}
AMX void load_tile0(const void* from, long stride) {
  fence();
  _tile_loadd(0, from, stride);
  fence();
}
AMX void store_tile0(void* to, long stride) {
  fence();
  _tile_stored(0, to, stride);
  fence();
}
AMX void multiply_tiles() {
  _tile_dpbf16ps(0, 1, 2);
}
void multiply_with_itself() {
  asm volatile(".byte 0xC4, 0xE2, 0x72, 0x5C, 0xC1");  // tdpbf16ps %tmm1, %tmm1, %tmm0, which no assembler writes
}
/// The same multiplication in the tiles of the highest numbers, so that every bit of a number is seen.
AMX void multiply_in_tiles_5_6_7(float* c, const std::uint16_t* a, const std::uint16_t* b) {
  fence();
  _tile_loadd(7, c, 64);
  _tile_loadd(5, a, 64);
  _tile_loadd(6, b, 64);
  _tile_dpbf16ps(7, 5, 6);
  _tile_stored(7, c, 64);
  fence();
}

float widened(std::uint16_t bf16) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bf16) << 16);
}
std::uint16_t narrowed(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}
float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
}
float fused(float a, float b, float c) {
  return flushed(std::fma(flushed(a), flushed(b), flushed(c)));
}
float sum(float a, float b) {
  return flushed(flushed(a) + flushed(b));
}

/// C [M, N] in tile 0, A [M, 2K] in tile 1, B [K, 2N] in tile 2; every row of memory has 16 words, poisoned behind the shape.
struct Product {
  int m = 16, n = 16, k = 16;
  float c[16][16];
  std::uint16_t a[16][32], b[16][32];

  Product(int m_count, int n_count, int k_count) : m(m_count), n(n_count), k(k_count) {
    std::memset(c, 0xEE, sizeof(c));
    std::memset(a, 0xEE, sizeof(a));
    std::memset(b, 0xEE, sizeof(b));
  }
  template <class ValueOfC, class ValueOfAB>
  void fill(ValueOfC of_c, ValueOfAB of_ab) {
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) c[i][j] = of_c();
      for (int j = 0; j < 2 * k; ++j) a[i][j] = of_ab();
    }
    for (int i = 0; i < k; ++i) {
      for (int j = 0; j < 2 * n; ++j) b[i][j] = of_ab();
    }
  }
  [[nodiscard]] Configuration shapes() const {
    Configuration by;
    by.shape(0, m, 4 * n);
    by.shape(1, m, 4 * k);
    by.shape(2, k, 4 * n);
    return by;
  }
  /// C after `times` multiplications by the processor.
  AMX Product run(int times = 1) const {
    Product after = *this;
    configure(shapes());
    fence();
    _tile_loadd(0, c, 64);
    _tile_loadd(1, a, 64);
    _tile_stream_loadd(2, b, 64);
    for (int time = 0; time < times; ++time) _tile_dpbf16ps(0, 1, 2);
    _tile_stored(0, after.c, 64);
    fence();
    return after;
  }
  /// The manual's words, one number at a time.
  [[nodiscard]] Product by_the_manual() const {
    Product after = *this;
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        float even = 0, odd = 0;
        for (int l = 0; l < k; ++l) {
          even = fused(widened(a[i][2 * l]), widened(b[l][2 * j]), even);
          odd = fused(widened(a[i][2 * l + 1]), widened(b[l][2 * j + 1]), odd);
        }
        after.c[i][j] = sum(c[i][j], sum(even, odd));
      }
    }
    return after;
  }
};

/// Bit for bit, poison included; any NaN is as good as another.
void expect_same(const Product& got, const Product& wanted) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      if (i < wanted.m && j < wanted.n && std::isnan(wanted.c[i][j]) && std::isnan(got.c[i][j])) continue;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got.c[i][j]), std::bit_cast<std::uint32_t>(wanted.c[i][j]))
          << i << ' ' << j << ": " << got.c[i][j] << " for " << wanted.c[i][j];
    }
  }
}

class MatrixUnitTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!MatrixUnit::possible()) GTEST_SKIP() << "neither AMX nor AVX-512F";
  }
  void TearDown() override {
    if (MatrixUnit::possible()) release();
  }
  float uniform() { return std::ldexp(static_cast<float>(static_cast<std::int32_t>(random())), -31); }

  MatrixUnit unit;
  std::mt19937 random{7};
};

TEST_F(MatrixUnitTest, TheConfigurationComesBack) {
  constexpr std::array<std::uint8_t, 64> kNothing{};
  EXPECT_EQ(configuration(), kNothing);
  Configuration by;
  for (int tile = 0; tile < 8; ++tile) by.shape(tile, 16 - tile, 64 - 4 * tile);
  by.shape(3, 0, 0);
  configure(by);
  EXPECT_EQ(configuration(), (std::bit_cast<std::array<std::uint8_t, 64>>(by)));
  release();
  EXPECT_EQ(configuration(), kNothing);
  configure(by);
  by.palette = 0;  // makes the rest void
  configure(by);
  EXPECT_EQ(configuration(), kNothing);
}

TEST_F(MatrixUnitTest, TilesMoveByRowsOfTheirShapeAtAnyStride) {
  std::array<std::uint8_t, 8192> from;
  for (std::uint8_t& byte : from) byte = static_cast<std::uint8_t>(random());
  for (const auto& [rows, bytes] : {std::pair{16, 64}, {1, 4}, {5, 12}, {16, 4}, {3, 60}, {13, 64}}) {
    Configuration by;
    by.shape(0, rows, bytes);
    configure(by);
    for (const long in : {64L, 80L, 4L, 1L, 0L, -64L, -100L}) {
      for (const long out : {64L, 77L, -64L}) {
        load_tile0(&from[4096], in);
        std::array<std::uint8_t, 4096> to{}, wanted{};
        store_tile0(&to[2048], out);
        for (int row = 0; row < rows; ++row) std::memcpy(&wanted[2048 + row * out], &from[4096 + row * in], bytes);
        ASSERT_EQ(to, wanted) << rows << ' ' << bytes << ' ' << in << ' ' << out;
      }
    }
  }
}

TEST_F(MatrixUnitTest, AStartRowSkipsTheRowsBeforeItOnce) {
  std::array<std::uint8_t, 1024> ones, twos, to{}, wanted{};
  ones.fill(1);
  twos.fill(2);
  Configuration by;
  by.shape(0, 16, 64);
  by.start_row = 5;
  configure(by);
  load_tile0(ones.data(), 64);
  store_tile0(to.data(), 64);
  std::memset(&wanted[5 * 64], 1, 11 * 64);
  EXPECT_EQ(to, wanted);
  load_tile0(twos.data(), 64);
  store_tile0(to.data(), 64);
  EXPECT_EQ(to, twos);
}

TEST_F(MatrixUnitTest, ZeroAndAConfigurationClear) {
  std::array<std::uint8_t, 1024> ones, to;
  ones.fill(1);
  Configuration by;
  by.shape(0, 16, 64);
  for (const bool by_zero : {true, false}) {
    configure(by);
    load_tile0(ones.data(), 64);
    by_zero ? zero_tile0() : configure(by);
    to.fill(0xEE);
    store_tile0(to.data(), 64);
    EXPECT_EQ(to, (std::array<std::uint8_t, 1024>{})) << by_zero;
  }
}

TEST_F(MatrixUnitTest, ProductsAreTheManualsAndNearTheTruth) {
  for (const auto& [m, n, k] : {std::array{16, 16, 16}, {1, 1, 1}, {3, 5, 6}, {16, 7, 10}, {9, 16, 16}, {16, 16, 1}, {15, 1, 16}}) {
    Product product(m, n, k);
    product.fill([&] { return uniform(); }, [&] { return narrowed(uniform()); });
    const Product once = product.run();
    ASSERT_NO_FATAL_FAILURE(expect_same(once, product.by_the_manual())) << m << ' ' << n << ' ' << k;
    ASSERT_NO_FATAL_FAILURE(expect_same(product.run(3), product.by_the_manual().by_the_manual().by_the_manual()));
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double truth = product.c[i][j];
        for (int l = 0; l < 2 * k; ++l) truth += static_cast<double>(widened(product.a[i][l])) * widened(product.b[l / 2][2 * j + l % 2]);
        ASSERT_NEAR(once.c[i][j], truth, 2e-6 * (1 + 2 * k));
      }
    }
  }
}

TEST_F(MatrixUnitTest, EveryTileNumberIsItself) {
  Product product(16, 16, 16);
  product.fill([&] { return uniform(); }, [&] { return narrowed(uniform()); });
  Configuration by;
  for (int tile = 0; tile < 8; ++tile) by.shape(tile, 16, 64);
  configure(by);
  Product got = product;
  multiply_in_tiles_5_6_7(got.c[0], product.a[0], product.b[0]);
  expect_same(got, product.by_the_manual());
}

TEST_F(MatrixUnitTest, EvenAndOddAreSummedApartAndCIsAddedLast) {
  // Even products: 2^24 and then zeros; odd: sixteen ones, each of which a sum that begins at 2^24 would lose.
  Product product(1, 1, 16);
  product.fill([] { return 0.0f; }, [] { return narrowed(1); });
  for (int l = 0; l < 16; ++l) product.a[0][2 * l] = narrowed(l == 0 ? 0x1p24f : 0.0f);
  EXPECT_EQ(product.run().c[0][0], 0x1p24f + 16);
  // C = 2^24 and 32 ones, each of which C would lose.
  product.fill([] { return 0x1p24f; }, [] { return narrowed(1); });
  EXPECT_EQ(product.run().c[0][0], 0x1p24f + 32);
}

TEST_F(MatrixUnitTest, DenormalsAreZeroInAndOut) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  const auto one = [](float c, float a, float b) {
    Product product(1, 1, 1);
    product.fill([&] { return c; }, [] { return narrowed(0); });
    product.a[0][0] = narrowed(a);
    product.b[0][0] = narrowed(b);
    return product.run().c[0][0];
  };
  EXPECT_EQ(one(0, kLeast, 1), kLeast);
  EXPECT_EQ(one(0, kLeast, 0.5f), 0);            // the product is denormal
  EXPECT_EQ(one(0, kLeast / 2, 0x1p20f), 0);     // a factor is
  EXPECT_EQ(one(0, 0x1p20f, kLeast / 2), 0);     // the other
  EXPECT_EQ(one(kLeast / 2, 0, 0), 0);           // C is
  EXPECT_EQ(one(1.5f * kLeast, -kLeast, 1), 0);  // the sum is
  EXPECT_EQ(one(-1.5f * kLeast, -kLeast, 1), -2.5f * kLeast);
}

TEST_F(MatrixUnitTest, AnyBitsAtAll) {
  for (int round = 0; round < 100; ++round) {
    Product product(16, 16, 1 + round % 16);
    // In turn: every exponent, so infinities and NaN occur; sums of moderate size; sums around the least normal number.
    const auto any = [&] { return static_cast<std::uint16_t>(random()); };
    const auto moderate = [&] { return static_cast<std::uint16_t>(0x3000 | (random() & 0x8FFF)); };
    const auto tiny = [&] { return static_cast<std::uint16_t>(0x1D00 + (random() & 0x83FF)); };
    const auto of_c = [&] { return std::bit_cast<float>(static_cast<std::uint32_t>(random())); };
    const auto tiny_c = [&] { return std::bit_cast<float>(static_cast<std::uint32_t>(random() & 0x83FFFFFF)); };
    if (round % 3 == 0) product.fill(of_c, any);
    if (round % 3 == 1) product.fill(of_c, moderate);
    if (round % 3 == 2) product.fill(tiny_c, tiny);
    ASSERT_NO_FATAL_FAILURE(expect_same(product.run(), product.by_the_manual())) << round;
  }
}

TEST_F(MatrixUnitTest, NaNAndInfinityStayInTheirRows) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Product product(16, 9, 16);
  product.fill([] { return 1.0f; }, [] { return narrowed(1); });
  product.a[2][5] = narrowed(std::numeric_limits<float>::quiet_NaN());
  product.a[3][31] = narrowed(-kInfinity);
  product.a[4][0] = narrowed(kInfinity);
  product.a[4][2] = narrowed(-kInfinity);
  product.b[7][4] = 0;  // with infinity a NaN, but in no row that has one in that place
  const Product after = product.run();
  for (int j = 0; j < 9; ++j) {
    EXPECT_TRUE(std::isnan(after.c[2][j]));
    EXPECT_EQ(after.c[3][j], -kInfinity);
    EXPECT_TRUE(std::isnan(after.c[4][j]));
    EXPECT_EQ(after.c[5][j], j == 2 ? 32 : 33);
  }
}

TEST_F(MatrixUnitTest, TheFloatingPointControlIsNeitherReadNorChanged) {
  Product product(16, 16, 16);
  product.fill([&] { return uniform(); }, [&] { return narrowed(uniform()); });
  const unsigned before = _mm_getcsr();
  constexpr unsigned kTowardsZero = 0x7F80;  // every exception masked, no flag up
  _mm_setcsr(kTowardsZero);
  const Product after = product.run();
  const unsigned behind = _mm_getcsr();
  _mm_setcsr(before);
  EXPECT_EQ(behind, kTowardsZero);
  expect_same(after, product.by_the_manual());
}

TEST_F(MatrixUnitTest, EveryThreadHasItsOwnTiles) {
  const Product first(16, 16, 16), second(4, 3, 2);
  std::barrier meet(2);
  const auto play = [&](Product product, unsigned seed) {
    std::mt19937 own(seed);
    const auto draw = [&] { return static_cast<float>(own() % 17) - 8; };
    product.fill(draw, [&] { return narrowed(draw()); });
    EXPECT_EQ(configuration(), (std::array<std::uint8_t, 64>{}));
    Product wanted = product, got = product;
    for (int round = 0; round < 20; ++round) {
      wanted = wanted.by_the_manual();
      got = got.run();
      meet.arrive_and_wait();
      store_tile0(got.c, 64);  // what run() left there, not what the other thread's did
      meet.arrive_and_wait();
    }
    expect_same(got, wanted);
  };
  std::thread other(play, second, 2);
  std::thread one(play, first, 1);
  one.join();
  other.join();
}

// ---- operands: every base, index, scale and size of displacement, as the assembler writes them ----

// heed_tile_loads: functions of 64 bytes each, (base, index) -> TILELOADD into tile 0 by those registers; the displacements make the
// three sizes, and RBP, R13 and R12 the forms that are escapes elsewhere.
asm(R"(
  .pushsection .text
  .balign 64
heed_tile_loads:
  .irp displacement, 0, -16, 1024
  .irp scale, 1, 8
  .irp base, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  .irp index, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  .balign 64
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  push %rdi
  push %rsi
  pop %\index
  pop %\base
  tileloadd \displacement(%\base,%\index,\scale), %tmm0
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .endr
  .endr
  .endr
  .endr

  .balign 64
heed_configurations:
  .irp displacement, 0, -16, 1024
  .irp base, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  .balign 64
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  push %rdi
  pop %\base
  ldtilecfg \displacement(%\base)
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .endr
  .endr

heed_tile_load_by_stack_pointer:
  mov %rsp, %rax
  mov %rdi, %rsp
  tileloadd 64(%rsp,%rsi,1), %tmm0
  mov %rax, %rsp
  ret
heed_tile_load_without_index:
  tileloadd 64(%rdi), %tmm0
  ret
heed_tile_load_without_base:
  tileloadd 0x10000040(,%rsi,2), %tmm0
  ret
heed_tile_store_by_r13:
  push %r13
  mov %rdi, %r13
  tilestored %tmm0, (%r13,%rsi,4)
  pop %r13
  ret
heed_configuration_by_index:
  ldtilecfg 64(%rdi,%rsi,4)
  ret
heed_configuration_by_stack_pointer:
  push %rdi
  lea -8192(%rsp), %rsp
  mov %rsp, %rax
  mov %rdi, %rsp
  ldtilecfg (%rsp)
  mov %rax, %rsp
  lea 8192(%rsp), %rsp
  pop %rdi
  ret
  .popsection
)");
using Form = void(const void* base, long index);
#define HIDDEN __attribute__((visibility("hidden")))
extern "C" HIDDEN const unsigned char heed_tile_loads[], heed_configurations[];
extern "C" HIDDEN Form heed_tile_load_by_stack_pointer, heed_tile_load_without_index, heed_tile_load_without_base;
extern "C" HIDDEN Form heed_tile_store_by_r13, heed_configuration_by_index, heed_configuration_by_stack_pointer;

constexpr int kForms = 15;  // registers that are both base and index: all but the stack pointer
Form* form(const unsigned char* table, int number) {
  return reinterpret_cast<Form*>(const_cast<unsigned char*>(table) + 64 * number);
}

/// 32 KiB of noise; the middle of it is where operands begin, with room for a signal's frame below.
class Operands : public MatrixUnitTest {
 protected:
  static constexpr int kMiddle = 16384, kRows = 3, kBytes = 8;
  void SetUp() override {
    MatrixUnitTest::SetUp();
    for (std::uint8_t& byte : memory) byte = static_cast<std::uint8_t>(random());
    Configuration by;
    by.shape(0, kRows, kBytes);
    if (MatrixUnit::possible()) configure(by);
  }
  static std::array<std::uint8_t, kRows * kBytes> rows(const std::uint8_t* from, long stride) {
    std::array<std::uint8_t, kRows * kBytes> gathered;
    for (int row = 0; row < kRows; ++row) std::memcpy(&gathered[row * kBytes], from + row * stride, kBytes);
    return gathered;
  }
  static std::array<std::uint8_t, kRows * kBytes> tile0() {
    std::array<std::uint8_t, kRows * kBytes> bytes{};
    store_tile0(bytes.data(), kBytes);
    return bytes;
  }
  alignas(64) std::array<std::uint8_t, 2 * kMiddle> memory;
};

TEST_F(Operands, EveryBaseIndexScaleAndDisplacementOfATile) {
  int number = 0;
  for (const int displacement : {0, -16, 1024}) {
    for (const int scale : {1, 8}) {
      for (int base = 0; base < kForms; ++base) {
        for (int index = 0; index < kForms; ++index, ++number) {
          if (base == index) continue;  // one register cannot hold both here
          const long stride = number % 2 == 0 ? 24 : -40;
          form(heed_tile_loads, number)(&memory[kMiddle - displacement], stride);
          ASSERT_EQ(tile0(), rows(&memory[kMiddle], scale * stride)) << displacement << ' ' << scale << ' ' << base << ' ' << index;
        }
      }
    }
  }
}

TEST_F(Operands, TheOddFormsOfATile) {
  heed_tile_load_by_stack_pointer(&memory[kMiddle - 64], 24);
  EXPECT_EQ(tile0(), rows(&memory[kMiddle], 24));
  heed_tile_load_without_index(&memory[kMiddle], 24);
  EXPECT_EQ(tile0(), rows(&memory[kMiddle + 64], 0));
  std::array<std::uint8_t, 128> to{};
  heed_tile_store_by_r13(to.data(), 10);
  EXPECT_EQ(rows(to.data(), 40), rows(&memory[kMiddle + 64], 0));

  constexpr std::uintptr_t kLow = 0x10000000;
  void* const low =
      mmap(reinterpret_cast<void*>(kLow), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(low, reinterpret_cast<void*>(kLow));
  std::memcpy(low, memory.data(), 4096);
  heed_tile_load_without_base(nullptr, 36);
  EXPECT_EQ(tile0(), rows(&memory[64], 72));
  munmap(low, 4096);
}

const Configuration of_this_file = [] {
  Configuration by;
  by.shape(1, 7, 28);
  return by;
}();
thread_local Configuration of_this_thread;

TEST_F(Operands, EveryFormOfAConfiguration) {
  int number = 0;
  for (const int displacement : {0, -16, 1024}) {
    for (int base = 0; base < kForms; ++base, ++number) {
      Configuration by;
      by.shape(number % 8, 1 + number % 16, 4 + number);
      std::memcpy(&memory[kMiddle], &by, sizeof(by));
      form(heed_configurations, number)(&memory[kMiddle - displacement], 0);
      ASSERT_EQ(configuration(), (std::bit_cast<std::array<std::uint8_t, 64>>(by))) << displacement << ' ' << base;
    }
  }
  const auto expect = [](const Configuration& by) { EXPECT_EQ(configuration(), (std::bit_cast<std::array<std::uint8_t, 64>>(by))); };
  Configuration by;
  by.shape(2, 3, 4);
  std::memcpy(&memory[kMiddle], &by, sizeof(by));
  heed_configuration_by_index(&memory[kMiddle + 336], -100);
  expect(by);
  by.shape(2, 4, 4);
  std::memcpy(&memory[kMiddle], &by, sizeof(by));
  heed_configuration_by_stack_pointer(&memory[kMiddle], 0);
  expect(by);
  asm volatile("ldtilecfg %0" ::"m"(of_this_file));
  expect(of_this_file);
  of_this_thread.shape(5, 6, 40);
  asm volatile("ldtilecfg %0" ::"m"(of_this_thread));
  expect(of_this_thread);
  asm volatile("sttilecfg %0" : "=m"(of_this_thread));
  expect(of_this_thread);
}

// ---- other illegal instructions, and refusals ----

int skipped = 0;
void skip_two_bytes(int, siginfo_t*, void* context) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
  ++skipped;
}
void illegal() {
  asm volatile("ud2");
}

TEST(MatrixUnitHandler, OtherIllegalInstructionsGoToTheFormerHandlerWhichComesBack) {
  struct sigaction ours = {}, before = {}, now = {};
  ours.sa_sigaction = skip_two_bytes;
  ours.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &ours, &before);
  skipped = 0;
  {
    const MatrixUnit outer;
    {
      const MatrixUnit inner;
      illegal();
    }
    illegal();
    if (MatrixUnit::possible()) release();
  }
  EXPECT_EQ(skipped, 2);
  sigaction(SIGILL, nullptr, &now);
  EXPECT_EQ(now.sa_sigaction, &skip_two_bytes);
  sigaction(SIGILL, &before, nullptr);
}

class MatrixUnitDeathTest : public MatrixUnitTest {
 protected:
  /// What it says when it refuses; a processor says nothing.
  static const char* said(const char* words) { return MatrixUnit::native() ? "" : words; }
};

TEST_F(MatrixUnitDeathTest, OtherIllegalInstructionsEndTheProcessAsBefore) {
  EXPECT_EXIT(illegal(), testing::KilledBySignal(SIGILL), "");
  EXPECT_EXIT(raise(SIGILL), testing::KilledBySignal(SIGILL), "");
}

TEST_F(MatrixUnitDeathTest, ConfigurationsThatDoNotExist) {
  const auto with = [](auto change) {
    Configuration by;
    by.shape(0, 16, 64);
    change(by);
    return by;
  };
  EXPECT_DEATH(configure(with([](Configuration& by) { by.palette = 2; })), said("LDTILECFG: there is no such palette"));
  EXPECT_DEATH(configure(with([](Configuration& by) { by.reserved[3] = 1; })), said("LDTILECFG: a reserved byte"));
  EXPECT_DEATH(configure(with([](Configuration& by) { by.shape(8, 1, 4); })), said("LDTILECFG: a reserved byte"));
  EXPECT_DEATH(configure(with([](Configuration& by) { by.shape(1, 17, 64); })), said("LDTILECFG: .* more than 16 rows"));
  EXPECT_DEATH(configure(with([](Configuration& by) { by.shape(1, 16, 68); })), said("LDTILECFG: .* 64 bytes"));
  EXPECT_DEATH(configure(with([](Configuration& by) { by.shape(1, 0, 64); })), said("LDTILECFG: .* bytes without rows"));
}

TEST_F(MatrixUnitDeathTest, TilesAndShapesThatDoNotFit) {
  std::array<std::uint8_t, 1024> memory{};
  release();
  EXPECT_DEATH(zero_tile0(), said("TILEZERO: no configuration"));
  EXPECT_DEATH(load_tile0(memory.data(), 64), said("TILELOADD: no configuration"));
  Configuration by;
  by.shape(1, 16, 64);
  configure(by);
  EXPECT_DEATH(store_tile0(memory.data(), 64), said("TILESTORED: the tile has no shape"));
  by.shape(0, 16, 30);
  configure(by);
  zero_tile0();
  EXPECT_DEATH(load_tile0(memory.data(), 64), said("TILELOADD: a row is not a multiple of 4 bytes"));
  by.shape(0, 4, 64);
  by.start_row = 4;
  configure(by);
  EXPECT_DEATH(load_tile0(memory.data(), 64), said("TILELOADD: the start row"));

  const auto multiply = [](auto change) {
    Configuration changed = Product(8, 8, 8).shapes();
    change(changed);
    configure(changed);
    multiply_tiles();
  };
  multiply([](Configuration&) {});
  for (const int tile : {0, 1, 2}) {
    EXPECT_DEATH(multiply([&](Configuration& to) { to.rows[tile] = 7; }), said("TDPBF16PS: the shapes do not match")) << tile;
    EXPECT_DEATH(multiply([&](Configuration& to) { to.row_bytes[tile] = 28; }), said("TDPBF16PS: the shapes do not match")) << tile;
  }
  EXPECT_DEATH(multiply_with_itself(), said("TDPBF16PS: a tile appears twice"));
}

}  // namespace
}  // namespace heed::laws

#else

namespace heed::laws {

TEST(MatrixUnit, IsNotPossibleElsewhere) {
  const MatrixUnit unit;
  EXPECT_FALSE(MatrixUnit::possible());
  EXPECT_FALSE(MatrixUnit::native());
}

}  // namespace heed::laws

#endif
