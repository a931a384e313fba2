// Code between HEED_PAIRS_BEGIN and HEED_PAIRS_END is compiled for AVX-512 with its bf16 products, whatever the rest of the program is
// compiled for; it may run only where base::cpu().avx512_bf16. Include everything else before.
#pragma once

#if defined(__x86_64__)
#define HEED_PAIRS 1
#include <immintrin.h>
#if defined(__clang__)
#define HEED_PAIRS_BEGIN                                                                                                           \
  _Pragma(                                                                                                                         \
      "clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c\"))), apply_to = " \
      "function)")
#define HEED_PAIRS_END _Pragma("clang attribute pop")
#else
#define HEED_PAIRS_BEGIN _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c\")")
#define HEED_PAIRS_END _Pragma("GCC pop_options")
#endif
#else
#define HEED_PAIRS 0
#endif
