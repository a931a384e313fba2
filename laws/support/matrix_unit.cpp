#include "laws/support/matrix_unit.hpp"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>

namespace heed::laws {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

/// The 64 bytes of LDTILECFG and STTILECFG; entries past the eighth are reserved.
struct Configuration {
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};
static_assert(sizeof(Configuration) == 64);

using Tile = std::uint8_t[kRows][kRowBytes];

struct alignas(64) Unit {
  Tile tile[kTiles];
  Configuration configuration;
};

// Static storage of the thread: a signal handler may touch it, which would not hold for one allocated at its first use.
constinit thread_local Unit unit __attribute__((tls_model("initial-exec"))) = {};

enum class Operation : std::uint8_t { kConfigure, kStoreConfiguration, kRelease, kZero, kLoad, kStore, kMultiply };
constexpr const char* kNames[] = {"LDTILECFG", "STTILECFG", "TILERELEASE", "TILEZERO", "TILELOADD", "TILESTORED", "TDPBF16PS"};

struct Instruction {
  Operation operation;
  int reg = 0, rm = 0, third = 0;  ///< tiles: ModRM.reg, ModRM.rm, VEX.vvvv
  std::uint64_t address = 0;       ///< base + displacement
  std::uint64_t index = 0;         ///< index << scale: a stride of tiles, a part of a configuration's address
  int length = 0;                  ///< bytes
};

void say(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) std::abort();
}

[[noreturn]] void refuse(Operation operation, const char* reason) {
  say("matrix unit: ");
  say(kNames[static_cast<int>(operation)]);
  say(": ");
  say(reason);
  say("\n");
  std::abort();
}

// ---- decoding: reads no byte behind the last one it needs ----

std::optional<Operation> operation_of(int opcode, int prefix, int modrm) {
  const bool memory = modrm < 0xC0;
  const int reg = modrm >> 3 & 7, rm = modrm & 7;
  constexpr int kNone = 0, k66 = 1, kF3 = 2, kF2 = 3;
  if (opcode == 0x49 && prefix == kNone && memory && reg == 0) return Operation::kConfigure;
  if (opcode == 0x49 && prefix == k66 && memory && reg == 0) return Operation::kStoreConfiguration;
  if (opcode == 0x49 && prefix == kNone && modrm == 0xC0) return Operation::kRelease;
  if (opcode == 0x49 && prefix == kF2 && !memory && rm == 0) return Operation::kZero;
  if (opcode == 0x4B && (prefix == kF2 || prefix == k66) && memory && rm == 4) return Operation::kLoad;
  if (opcode == 0x4B && prefix == kF3 && memory && rm == 4) return Operation::kStore;
  if (opcode == 0x5C && prefix == kF3 && !memory) return Operation::kMultiply;
  return std::nullopt;
}

std::uint64_t value_of(int number, const greg_t* registers) {
  constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<std::uint64_t>(registers[kOrder[number]]);
}

/// Adds the operand that begins with the ModRM byte at `modrm`, and its bytes; x and b are 8 where the prefix extends index and base.
void read_operand(Instruction& to, const std::uint8_t* modrm, int x, int b, const greg_t* registers) {
  const int mod = modrm[0] >> 6, rm = modrm[0] & 7;
  const std::uint8_t* next = modrm + 1;
  int base = rm;
  if (rm == 4) {
    const int sib = *next++;
    base = sib & 7;
    const int index = (sib >> 3 & 7) | x;
    if (index != 4) to.index = value_of(index, registers) << (sib >> 6);
  }
  const bool absolute = mod == 0 && base == 5;  // no base: the displacement alone, without SIB counted from the next instruction
  if (!absolute) to.address = value_of(base | b, registers);
  if (mod == 1) {
    to.address += static_cast<std::uint64_t>(static_cast<std::int8_t>(*next++));
  } else if (mod == 2 || absolute) {
    std::int32_t displacement = 0;
    std::memcpy(&displacement, next, sizeof(displacement));
    next += sizeof(displacement);
    to.address += static_cast<std::uint64_t>(displacement);
  }
  if (absolute && rm != 4) to.address += reinterpret_cast<std::uint64_t>(next);
  to.length += static_cast<int>(next - modrm);
}

/// The AMX instruction at RIP: [FS] C4 RXBmmmmm WvvvvLpp opcode ModRM [SIB] [displacement], with R, X, B and vvvv inverted.
std::optional<Instruction> decode(const greg_t* registers) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]);
  const bool of_thread = begin[0] == 0x64;
  const std::uint8_t* const code = begin + (of_thread ? 1 : 0);
  if (code[0] != 0xC4 || (code[1] & 0x1F) != 2) return std::nullopt;
  if ((code[2] & 0x84) != 0) return std::nullopt;  // W and L are 0 in all of them
  if (code[3] != 0x49 && code[3] != 0x4B && code[3] != 0x5C) return std::nullopt;
  const int modrm = code[4], third = ~code[2] >> 3 & 15;
  const std::optional<Operation> operation = operation_of(code[3], code[2] & 3, modrm);
  if (!operation || (third != 0 && *operation != Operation::kMultiply)) return std::nullopt;

  const int r = (code[1] & 0x80) != 0 ? 0 : 8, x = (code[1] & 0x40) != 0 ? 0 : 8, b = (code[1] & 0x20) != 0 ? 0 : 8;
  Instruction read{.operation = *operation, .reg = (modrm >> 3 & 7) | r, .rm = (modrm & 7) | b, .third = third};
  read.length = static_cast<int>(code + 4 - begin);
  if (modrm >= 0xC0) {
    ++read.length;
  } else {
    read_operand(read, code + 4, x, b, registers);
    if (of_thread) read.address += reinterpret_cast<std::uint64_t>(__builtin_thread_pointer());
  }
  return read;
}

// ---- what the instructions do ----

const char* objection(const Configuration& to) {
  constexpr std::uint8_t kNothing[16] = {};
  if (to.palette > 1) return "there is no such palette";
  if (to.palette == 0) return nullptr;
  if (std::memcmp(to.reserved, kNothing, sizeof(to.reserved)) != 0 || std::memcmp(to.row_bytes + kTiles, kNothing, 16) != 0 ||
      std::memcmp(to.rows + kTiles, kNothing, 8) != 0) {
    return "a reserved byte is not zero";
  }
  for (int tile = 0; tile < kTiles; ++tile) {
    if (to.rows[tile] > kRows || to.row_bytes[tile] > kRowBytes) return "a tile has more than 16 rows or 64 bytes in a row";
    if ((to.rows[tile] == 0) != (to.row_bytes[tile] == 0)) return "a tile has rows without bytes or bytes without rows";
  }
  return nullptr;
}

void configure(const Configuration& to) {
  if (const char* const reason = objection(to)) refuse(Operation::kConfigure, reason);
  unit = {};
  if (to.palette != 0) unit.configuration = to;
}

/// `tile`, if it is there and its rows are whole words where that is asked for.
int checked(Operation operation, int tile, bool words = true) {
  if (unit.configuration.palette == 0) refuse(operation, "no configuration is loaded");
  if (tile >= kTiles) refuse(operation, "there is no such tile");
  if (unit.configuration.rows[tile] == 0) refuse(operation, "the tile has no shape");
  if (words && unit.configuration.row_bytes[tile] % 4 != 0) refuse(operation, "a row is not a multiple of 4 bytes");
  return tile;
}

/// The row that a load or a store begins with: not 0 only where a configuration said so.
int start_of(Operation operation, int tile) {
  const int start = unit.configuration.start_row;
  if (start >= unit.configuration.rows[tile]) refuse(operation, "the start row is behind the tile's last");
  return start;
}

void zero_rows_from(Tile& tile, int row) {
  for (; row < kRows; ++row) std::memset(tile[row], 0, kRowBytes);
}

void load(const Instruction& by) {
  const int tile = checked(by.operation, by.reg);
  const int rows = unit.configuration.rows[tile];
  const std::size_t bytes = unit.configuration.row_bytes[tile];
  for (int row = start_of(by.operation, tile); row < rows; ++row) {
    std::memset(unit.tile[tile][row], 0, kRowBytes);
    std::memcpy(unit.tile[tile][row], reinterpret_cast<const void*>(by.address + static_cast<std::uint64_t>(row) * by.index), bytes);
  }
  zero_rows_from(unit.tile[tile], rows);
}

void store(const Instruction& by) {
  const int tile = checked(by.operation, by.reg);
  const std::size_t bytes = unit.configuration.row_bytes[tile];
  for (int row = start_of(by.operation, tile); row < unit.configuration.rows[tile]; ++row) {
    std::memcpy(reinterpret_cast<void*>(by.address + static_cast<std::uint64_t>(row) * by.index), unit.tile[tile][row], bytes);
  }
}

/// The even and the odd elements of bf16 rows, as f32.
struct Planes {
  alignas(64) float even[kRows][16], odd[kRows][16];
};

__attribute__((target("avx512f"))) void split(const Tile& rows, int count, Planes& to) {
  for (int row = 0; row < count; ++row) {
    const __m512i pairs = _mm512_load_si512(rows[row]);
    _mm512_store_si512(to.even[row], _mm512_maskz_slli_epi32(0xFFFF, pairs, 16));  // the form without a mask warns in GCC 12
    _mm512_store_si512(to.odd[row], _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
  }
}

/// C [M, N] += A [M, 2K] B [K, 2N], two rows of C at a time: four chains keep the multiply-adds of one 512-bit unit busy.
/// Columns of C behind the N-th become zero, also where A has a NaN or an infinity.
__attribute__((target("avx512f"), noinline)) void multiply_add(Tile& c, const Tile& a, const Tile& b, int m_count, int n_count,
                                                               int k_count) {
  Planes left, right;
  split(a, kRows, left);
  split(b, k_count, right);
  const auto columns = static_cast<__mmask16>((1u << n_count) - 1);
  for (int m = 0; m < m_count; m += 2) {
    __m512 even0 = _mm512_setzero_ps(), odd0 = even0, even1 = even0, odd1 = even0;
    for (int k = 0; k < k_count; ++k) {
      const __m512 even = _mm512_load_ps(right.even[k]), odd = _mm512_load_ps(right.odd[k]);
      even0 = _mm512_fmadd_ps(_mm512_set1_ps(left.even[m][k]), even, even0);
      odd0 = _mm512_fmadd_ps(_mm512_set1_ps(left.odd[m][k]), odd, odd0);
      even1 = _mm512_fmadd_ps(_mm512_set1_ps(left.even[m + 1][k]), even, even1);
      odd1 = _mm512_fmadd_ps(_mm512_set1_ps(left.odd[m + 1][k]), odd, odd1);
    }
    _mm512_store_ps(c[m], _mm512_maskz_add_ps(columns, _mm512_load_ps(c[m]), _mm512_add_ps(even0, odd0)));
    if (m + 1 == m_count) break;
    _mm512_store_ps(c[m + 1], _mm512_maskz_add_ps(columns, _mm512_load_ps(c[m + 1]), _mm512_add_ps(even1, odd1)));
  }
  zero_rows_from(c, m_count);
}

void multiply(const Instruction& by) {
  if (by.reg == by.rm || by.reg == by.third || by.rm == by.third) refuse(by.operation, "a tile appears twice");
  const int c = checked(by.operation, by.reg), a = checked(by.operation, by.rm), b = checked(by.operation, by.third);
  const Configuration& of = unit.configuration;
  if (of.rows[c] != of.rows[a] || of.row_bytes[c] != of.row_bytes[b] || of.row_bytes[a] / 4 != of.rows[b]) {
    refuse(by.operation, "the shapes do not match");
  }
  constexpr unsigned kNearestAndFlush = 0x9FC0;  // every exception masked, round to nearest even, denormals are zero, flush to zero
  _mm_setcsr(kNearestAndFlush);                  // the handler's own: that of the program comes back with its registers
  multiply_add(unit.tile[c], unit.tile[a], unit.tile[b], of.rows[c], of.row_bytes[c] / 4, of.rows[b]);
}

void perform(const Instruction& by) {
  void* const whole = reinterpret_cast<void*>(by.address + by.index);
  Configuration read{};
  switch (by.operation) {
    case Operation::kConfigure:
      std::memcpy(&read, whole, sizeof(read));
      return configure(read);
    case Operation::kStoreConfiguration:
      std::memcpy(whole, &unit.configuration, sizeof(unit.configuration));
      return;
    case Operation::kRelease:
      unit = {};
      return;
    case Operation::kZero:
      std::memset(unit.tile[checked(by.operation, by.reg, false)], 0, sizeof(Tile));
      break;
    case Operation::kLoad:
      load(by);
      break;
    case Operation::kStore:
      store(by);
      break;
    case Operation::kMultiply:
      multiply(by);
      break;
  }
  unit.configuration.start_row = 0;
}

// ---- the handler ----

struct sigaction former;
int users = 0;
std::mutex users_mutex;

void pass_on(int signal, siginfo_t* info, void* context) {
  const bool sent = info->si_code <= 0;  // by kill() or raise(), not by an instruction
  if ((former.sa_flags & SA_SIGINFO) != 0) return former.sa_sigaction(signal, info, context);
  if (former.sa_handler == SIG_IGN && sent) return;
  if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) return former.sa_handler(signal);
  sigaction(SIGILL, &former, nullptr);  // the end of this process; an illegal instruction cannot be ignored
  raise(SIGILL);
}

/// Emulates the instruction that trapped, and those right behind it while they are AMX too: the trap costs more than they do.
void handle(int signal, siginfo_t* info, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  std::optional<Instruction> next = info->si_code > 0 ? decode(registers) : std::nullopt;
  if (!next) return pass_on(signal, info, context);
  for (; next; next = decode(registers)) {
    perform(*next);
    registers[REG_RIP] += next->length;
  }
}

bool ask_for_amx() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kSavesState = 1u << 27, kTileState = 3u << 17;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kSavesState) == 0) return false;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & kBf16) == 0 || (edx & kTile) == 0) return false;
  asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  if ((eax & kTileState) != kTileState) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

bool MatrixUnit::native() {
  static const bool granted = ask_for_amx();
  return granted;
}

bool MatrixUnit::possible() {
  return native() || __builtin_cpu_supports("avx512f") != 0;
}

MatrixUnit::MatrixUnit() {
  if (native() || !possible()) return;
  const std::lock_guard lock(users_mutex);
  if (users++ != 0) return;
  sigaction(SIGILL, nullptr, &former);
  struct sigaction ours = {};
  ours.sa_sigaction = handle;
  ours.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGILL, &ours, nullptr);
}

MatrixUnit::~MatrixUnit() {
  if (native() || !possible()) return;
  const std::lock_guard lock(users_mutex);
  if (--users == 0) sigaction(SIGILL, &former, nullptr);
}

}  // namespace heed::laws

#else

namespace heed::laws {

MatrixUnit::MatrixUnit() = default;
MatrixUnit::~MatrixUnit() = default;
bool MatrixUnit::native() {
  return false;
}
bool MatrixUnit::possible() {
  return false;
}

}  // namespace heed::laws

#endif
