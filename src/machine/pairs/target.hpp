// Code between HEED_PAIRS_BEGIN and HEED_PAIRS_END is compiled for AVX-512 with its bf16 products, whatever the rest of the program is
// compiled for; it may run only where base::cpu().avx512_bf16. Tile instructions are named in assembly alone (amx/tiles.hpp): those need
// amx_bf16 as well. Include everything else before.
#pragma once

#if defined(__x86_64__)
#define HEED_PAIRS 1
#include <immintrin.h>
#define HEED_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
// clang-format off
#define HEED_PAIRS_BEGIN HEED_PRAGMA(clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c,amx-tile,amx-bf16"))), apply_to = function))
#define HEED_PAIRS_END HEED_PRAGMA(clang attribute pop)
#else
#define HEED_PAIRS_BEGIN HEED_PRAGMA(GCC push_options) HEED_PRAGMA(GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c,amx-tile,amx-bf16"))
#define HEED_PAIRS_END HEED_PRAGMA(GCC pop_options)
// clang-format on
#endif
#else
#define HEED_PAIRS 0
#endif
